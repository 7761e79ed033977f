// Right sides of products in panels of as many columns as a register tile has.
#ifndef ONNXC_LIB_CODEGEN_COMMON_PANELS_H
#define ONNXC_LIB_CODEGEN_COMMON_PANELS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// Some of a product's columns, one after the other.
struct ColumnPiece {
  int64_t size;  ///< columns
  int64_t width; ///< of a panel; the size itself: all are one panel
};

/// How a product's columns are best cut. `rows`: how many there are, or unknown (ShapedType::kDynamic); `image`: they are
/// several loops (a convolution); `tile`: columns that are wanted in a tile, or 0.
llvm::SmallVector<ColumnPiece> chooseColumnPieces(int64_t columns, int64_t rows, bool image, int64_t tile = 0);

/// Whether the product is large enough for pieces: they are parallel loops of their own.
bool isWorthPieces(mlir::linalg::LinalgOp product);

/// Replaces a product by one for each piece of its columns (loop `column`, the last of its result), with the
/// elementwise work that follows on its result alone; the pieces' results lie side by side in one
/// tensor. Returns the products; none if that cannot be done.
llvm::SmallVector<mlir::linalg::LinalgOp> splitColumns(mlir::RewriterBase &rewriter,
                                                       mlir::linalg::LinalgOp product,
                                                       unsigned column,
                                                       llvm::ArrayRef<ColumnPiece> pieces);

/// Replaces a product by one whose operand is `packed`, [outer..., columns / width, depth..., width] (loops of
/// the product). The new one has a loop more, the columns of a panel, and its result is seen through a view.
mlir::linalg::LinalgOp replaceByPanels(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp product,
                                       mlir::OpOperand &operand, mlir::Value packed,
                                       unsigned column, llvm::ArrayRef<unsigned> outer,
                                       llvm::ArrayRef<unsigned> depth);

} // namespace onnxc

#endif
