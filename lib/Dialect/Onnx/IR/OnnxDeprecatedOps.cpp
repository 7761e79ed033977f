// The deprecated operators of ai.onnx.ml. They are part of the dialect, but only
// as what the OnnxOpInterface says of them: nothing else knows their classes.
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "onnxc/Dialect/Onnx/IR/OnnxDeprecatedOps.h.inc"

#define GET_OP_CLASSES
#include "onnxc/Dialect/Onnx/IR/OnnxDeprecatedOps.cpp.inc"

namespace onnxc::onnx::detail {

template <typename... Ops>
static void insertOps(OnnxDialect &dialect) {
  (RegisteredOperationName::insert<Ops>(dialect), ...);
}

void registerDeprecatedOps(OnnxDialect &dialect) {
  insertOps<
#define GET_OP_LIST
#include "onnxc/Dialect/Onnx/IR/OnnxDeprecatedOps.cpp.inc"
      >(dialect);
}

} // namespace onnxc::onnx::detail
