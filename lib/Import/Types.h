// ONNX types as MLIR types and back.
#ifndef ONNXC_LIB_IMPORT_TYPES_H
#define ONNXC_LIB_IMPORT_TYPES_H

#include "Proto.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

namespace onnxc::importer {

/// Null if the type is not set or has no element type.
mlir::Type toMlirType(const TypeProto &type, mlir::MLIRContext *context);

/// VALUE_NOT_SET for `none`.
TypeProto fromMlirType(mlir::Type type);

/// The names of a tensor type's dimensions, "" where it has none; empty for
/// other types and unknown ranks.
mlir::ArrayAttr dimNames(const TypeProto &type, mlir::MLIRContext *context);

/// The same type with unknown ranks.
mlir::Type withoutShape(mlir::Type type);

} // namespace onnxc::importer

#endif
