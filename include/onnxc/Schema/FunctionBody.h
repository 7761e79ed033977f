// Function bodies of ONNX operators, as the schemas define them.
#ifndef ONNXC_SCHEMA_FUNCTIONBODY_H
#define ONNXC_SCHEMA_FUNCTIONBODY_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/ValueRange.h"

namespace onnxc {

/// Whether the schema gives the operator a function body, static or built for
/// its attributes and types.
bool hasFunctionBody(mlir::Operation *op);

/// Builds the operators of the body of `op` at the builder's insertion point and gives the
/// values of its outputs in `results` (an onnx.None value for an output that has type none).
/// The new operators have the location of `op`; their types are inferred. `op` itself is not
/// changed. Fails with a diagnostic at `op` where the body cannot be built.
mlir::LogicalResult buildFunctionBody(mlir::OpBuilder &builder, mlir::Operation *op,
                                      llvm::SmallVectorImpl<mlir::Value> &results);

} // namespace onnxc

#endif
