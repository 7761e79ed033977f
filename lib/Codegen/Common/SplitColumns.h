// Products in pieces of their columns.
#ifndef ONNXC_LIB_CODEGEN_COMMON_SPLITCOLUMNS_H
#define ONNXC_LIB_CODEGEN_COMMON_SPLITCOLUMNS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// The vectors of each piece into which `columns` columns are best cut, for tiles of at most `most` vectors:
/// equal neighbours are one piece with several panels. Empty: one piece.
struct ColumnPiece {
  int64_t size;  ///< columns
  int64_t width; ///< of a panel; the size itself: one panel
};
llvm::SmallVector<ColumnPiece> chooseColumnPieces(int64_t columns, int64_t lanes, int64_t most);

/// Replaces a product by one for each piece of its columns (loop `column`, the last of its result), with the
/// elementwise work that follows on its result alone; the pieces' results lie side by side in one
/// tensor. Returns the products.
llvm::SmallVector<mlir::linalg::LinalgOp> splitColumns(mlir::RewriterBase &rewriter,
                                                       mlir::linalg::LinalgOp product,
                                                       unsigned column,
                                                       llvm::ArrayRef<ColumnPiece> pieces);

} // namespace onnxc

#endif
