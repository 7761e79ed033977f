// What is known of matrix products, and the tiles of groups around them.
#ifndef ONNXC_CODEGEN_COMMON_PRODUCTTILES_H
#define ONNXC_CODEGEN_COMMON_PRODUCTTILES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace onnxc {

/// Whether an operation, on tensors or memrefs, uses what it reads several times: a reduction with an
/// operand that some loop of the result does not move with (a matrix product, a convolution).
bool isContraction(mlir::linalg::LinalgOp op);

/// Chooses the tile of each of the root's loops for a group around a product with panels, as
/// PackWeights makes it. `ties` maps the product's loops to the root's (-1: none), `sizes` are the
/// root's. False: `product` is something else, or its rows or panels cannot be tiled.
bool choosePanelTiles(mlir::linalg::LinalgOp product, llvm::ArrayRef<int> ties,
                      llvm::ArrayRef<int64_t> sizes, llvm::ArrayRef<bool> tileable,
                      llvm::SmallVectorImpl<int64_t> &tiles);

/// The same for windows of groups of channels with the vectors along positions (the root's loop `last`): a group at a time,
/// with the whole image, so that the tile can pad it. False: not of this kind, or too few groups for threads.
bool chooseGroupTiles(mlir::linalg::LinalgOp contraction, llvm::ArrayRef<int> ties,
                      llvm::ArrayRef<int64_t> sizes, llvm::ArrayRef<bool> tileable, int last,
                      llvm::SmallVectorImpl<int64_t> &tiles);

/// Attention's second product: `operand`, its rows, is elementwise work and reductions along rows of
/// another product's result, and both products are with computed tensors. Then rows of the
/// first are needed by the same rows of the second only.
bool takesAttentionRows(mlir::linalg::LinalgOp product, mlir::OpOperand &operand);

/// Such a product's first one; null where `operand` is not that. Sees through reshapes, too.
mlir::linalg::LinalgOp scoresBehind(mlir::linalg::LinalgOp product, mlir::OpOperand &operand);

/// Whether the operand is a product's right side in panels ([outer..., panel, depth..., column]).
bool isPanels(mlir::linalg::LinalgOp product, mlir::OpOperand &operand);

/// Panels that are made of a computed tensor can be made in the tile that uses them: no other tile does.
bool packsInTile(mlir::linalg::LinalgOp product, mlir::OpOperand &operand);

/// The tiles of a group around attention's second product: one head, and as many rows as leave
/// their part of the scores in the cache.
void chooseAttentionTiles(mlir::linalg::LinalgOp product, llvm::ArrayRef<int> ties,
                          llvm::ArrayRef<int64_t> sizes, llvm::ArrayRef<bool> tileable,
                          llvm::SmallVectorImpl<int64_t> &tiles);

/// Whether the columns of a product's right side should lie next to each other in memory, at the
/// price of a copy of it: `operand` moves with the columns, and there are rows enough.
bool wantsColumnsInside(mlir::linalg::LinalgOp product, mlir::OpOperand &operand);

/// Rows of so many bytes after one another share few sets of the first-level cache, and throw each
/// other out. Unknown distances may be such.
bool collidesInCache(int64_t bytes);

} // namespace onnxc

#endif
