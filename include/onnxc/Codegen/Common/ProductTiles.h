// Tiles of matrix products whose right side lies in panels.
#ifndef ONNXC_CODEGEN_COMMON_PRODUCTTILES_H
#define ONNXC_CODEGEN_COMMON_PRODUCTTILES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace onnxc {

/// Chooses the tile of each of the root's loops for a group around a product with panels, as
/// PackWeights makes it. `ties` maps the product's loops to the root's (-1: none), `sizes` are the
/// root's. False: `product` is something else, or its rows or panels cannot be tiled.
bool choosePanelTiles(mlir::linalg::LinalgOp product, llvm::ArrayRef<int> ties,
                      llvm::ArrayRef<int64_t> sizes, llvm::ArrayRef<bool> tileable,
                      llvm::SmallVectorImpl<int64_t> &tiles);

} // namespace onnxc

#endif
