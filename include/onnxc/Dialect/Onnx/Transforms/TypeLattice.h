// Types ordered by what they tell: tensor<*xf32> says less than tensor<?x3xf32>,
// that less than tensor<2x3xf32>. Sequences, optionals and maps follow their elements.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_TYPELATTICE_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_TYPELATTICE_H

#include "mlir/IR/Types.h"

namespace onnxc::onnx {

/// How two descriptions of one value disagree.
enum class Conflict { None, Shape, Kind };

/// What both types together tell. Where they contradict in a shape, `inferred` is
/// taken and `conflict` set to Shape; where in element type or kind, to Kind.
mlir::Type refineType(mlir::Type declared, mlir::Type inferred, Conflict &conflict);

/// The type of a value that is one or the other; null if there is none.
mlir::Type joinTypes(mlir::Type a, mlir::Type b);

/// The same type with all dimensions dynamic.
mlir::Type withDynamicDims(mlir::Type type);

} // namespace onnxc::onnx

#endif
