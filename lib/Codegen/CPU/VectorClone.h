// Scalar code of a body, written on vectors: what the emitters of loop nests share.
#ifndef ONNXC_LIB_CODEGEN_CPU_VECTORCLONE_H
#define ONNXC_LIB_CODEGEN_CPU_VECTORCLONE_H

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

namespace onnxc {

/// A scalar in all lanes; a vector as it is.
mlir::Value onVector(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value, int64_t lanes);

/// Clones an elementwise operation on the mapped operands: on vectors of `lanes` as soon as one of them
/// is a vector. Maps its results and returns the clone.
mlir::Operation *cloneOnVectors(mlir::OpBuilder &b, mlir::Location loc, mlir::Operation &op,
                                mlir::IRMapping &mapping, int64_t lanes);

/// The neutral element of a reduction in all lanes.
mlir::Value identityVector(mlir::OpBuilder &b, mlir::Location loc, mlir::vector::CombiningKind kind,
                           mlir::Type element, int64_t lanes);

/// The indices that a map makes of the loops' positions.
llvm::SmallVector<mlir::Value> indicesAt(mlir::OpBuilder &b, mlir::Location loc, mlir::AffineMap map,
                                         llvm::ArrayRef<mlir::OpFoldResult> positions);

} // namespace onnxc

#endif
