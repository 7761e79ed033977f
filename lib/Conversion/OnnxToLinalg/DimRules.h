// What DimAnalysis' rules ask of an operator.
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_DIMRULES_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_DIMRULES_H

#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/DimAnalysis.h"

namespace onnxc::dimrules {

inline llvm::StringRef opName(mlir::Operation *op) {
  llvm::StringRef name = op->getName().getStringRef();
  return name.consume_front("onnx.") ? name : llvm::StringRef();
}

inline int64_t intAttr(mlir::Operation *op, llvm::StringRef name, int64_t fallback) {
  auto attr = op->getAttrOfType<mlir::IntegerAttr>(name);
  return attr ? attr.getInt() : fallback;
}

inline llvm::SmallVector<int64_t> intsAttr(mlir::Operation *op, llvm::StringRef name) {
  auto attr = op->getAttrOfType<mlir::DenseI64ArrayAttr>(name);
  return attr ? llvm::SmallVector<int64_t>(attr.asArrayRef()) : llvm::SmallVector<int64_t>();
}

inline mlir::Value operandOrNull(mlir::Operation *op, unsigned i) {
  if (i >= op->getNumOperands() || onnx::isNone(op->getOperand(i)))
    return {};
  return op->getOperand(i);
}

// Slice's steps are all 1.
inline bool unitSteps(mlir::Operation *op) {
  mlir::Value steps = operandOrNull(op, 4);
  auto constant = steps ? getConstantInts(steps) : llvm::SmallVector<int64_t>();
  return constant && llvm::all_of(*constant, [](int64_t step) { return step == 1; });
}

} // namespace onnxc::dimrules

#endif
