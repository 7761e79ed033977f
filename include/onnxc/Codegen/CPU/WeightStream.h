// Fetching weights ahead: in a network every layer's weights come from memory, and where few
// positions use them that takes as long as the arithmetic.
#ifndef ONNXC_CODEGEN_CPU_WEIGHTSTREAM_H
#define ONNXC_CODEGEN_CPU_WEIGHTSTREAM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace onnxc {

/// Weights in panels [panel][depth...][step] without gaps, of which the next is fetched while all
/// rows pass over this one.
struct WeightStream {
  unsigned operand;
  unsigned panels;                    ///< loop over the panels
  llvm::SmallVector<unsigned> depths; ///< loops inside a panel, in its order
  llvm::SmallVector<unsigned> rows;   ///< loops that use the same panel again
  int64_t width;                      ///< elements of a step
};

/// The stream of a convolution on memrefs whose positions are too few to hide it.
/// `column`: the loop along vectors; `inside`: the weights' last dimensions, from it on, that a step reads.
std::optional<WeightStream> findWeightStream(mlir::linalg::LinalgOp op, unsigned column,
                                             unsigned inside = 1);

/// Fetches this tile's share of the next panel at one step of the depth. `base`: where each loop
/// stands; `factor`: iterations of the register tile.
void emitWeightFetch(mlir::OpBuilder &b, mlir::linalg::LinalgOp op, const WeightStream &stream,
                     llvm::ArrayRef<mlir::Value> base, llvm::ArrayRef<unsigned> factor);

} // namespace onnxc

#endif
