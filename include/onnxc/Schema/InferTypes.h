// Type and shape inference of ONNX operators by the schemas' own functions.
#ifndef ONNXC_SCHEMA_INFERTYPES_H
#define ONNXC_SCHEMA_INFERTYPES_H

#include "onnxc/Schema/SymbolicDim.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/ArrayRef.h"

#include <functional>
#include <optional>

namespace onnxc {

/// What the caller knows of values beyond their types, and what inference adds
/// to it. Without it operands are known by their types and by onnx.Constant.
struct SymbolicInference {
  /// The sizes of a tensor's dimensions; nullopt if the rank is not known.
  std::function<std::optional<SymbolicDims>(mlir::Value)> shapeOf;
  /// The elements of an integer tensor of rank 0 or 1; null if not known.
  std::function<const SymbolicDims *(mlir::Value)> contentsOf;
  /// Set by inferTypes: the dimensions of each result that is a ranked tensor,
  /// else an empty list.
  llvm::SmallVector<SymbolicDims> resultShapes;
};

/// Infers the types of the results of an ONNX operator. A type is null where the
/// schema does not tell it; results of type `none` stay so. The body of an operator with
/// subgraphs must be inferred already: its results are told by what the bodies
/// yield. Fails with a diagnostic at `op` where the operator contradicts its schema.
mlir::LogicalResult inferTypes(mlir::Operation *op, llvm::SmallVectorImpl<mlir::Type> &types,
                               SymbolicInference *symbols = nullptr);

} // namespace onnxc

#endif
