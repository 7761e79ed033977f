// Vectors of elements that do not lie side by side, from loads of whole vectors and shuffles.
#ifndef ONNXC_LIB_CODEGEN_CPU_STRIDEDLOADS_H
#define ONNXC_LIB_CODEGEN_CPU_STRIDEDLOADS_H

#include "mlir/IR/Builders.h"

namespace onnxc {

/// Loads `lanes` elements from the element at `offset` (from the first one wanted) on, of which only
/// the first `valid` may be touched.
using LoadVector = llvm::function_ref<mlir::Value(int64_t offset, int64_t valid)>;

/// Elements 0, step, 2 * step, ...: the first `wanted` of `lanes`. No load goes beyond the last of
/// them.
mlir::Value loadEvery(mlir::OpBuilder &b, mlir::Location loc, int64_t step, int64_t wanted,
                      int64_t lanes, LoadVector load);

/// Elements 0, -1, -2, ...: the first `wanted` of `lanes`.
mlir::Value loadReversed(mlir::OpBuilder &b, mlir::Location loc, int64_t wanted, int64_t lanes,
                         LoadVector load);

/// As many vectors as they have lanes (a power of two), as rows of a matrix, become its columns.
void transposeSquare(mlir::OpBuilder &b, mlir::Location loc,
                     llvm::SmallVectorImpl<mlir::Value> &rows);

} // namespace onnxc

#endif
