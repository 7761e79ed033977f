// Writes a linalg operation on memrefs as a loop nest with register tiles: the
// innermost tile is unrolled into vectors that the reduction loops carry as
// iter_args. One emitter serves contractions, convolutions, pooling, reductions and
// elementwise operations; what differs is the schedule.
#ifndef ONNXC_CODEGEN_CPU_LOOPEMITTER_H
#define ONNXC_CODEGEN_CPU_LOOPEMITTER_H

#include "onnxc/Codegen/CPU/LoopFusion.h"
#include "onnxc/Codegen/CPU/WeightStream.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// How a machine multiplies vectors of bytes.
enum class ByteProducts {
  Portable, ///< by 32-bit lanes
  Pairs,    ///< x86: sums of two 16-bit products (vpmaddwd)
  Quads,    ///< x86: sums of four products of bytes (vpdpbusd)
  SignedDots, ///< AArch64: sums of four products of signed bytes (sdot)
  MixedDots,  ///< AArch64: of unsigned with signed bytes (usdot)
};

/// What the emitter needs to know of the machine.
struct VectorTarget {
  unsigned vectorBits = 512;  ///< width of the registers to use
  unsigned numRegisters = 32; ///< vector registers
  ByteProducts byteProducts = ByteProducts::Portable;
  bool fusedMultiplyAdd = true; ///< has an instruction for x * y + z
  bool bfloatDots = false; ///< x86: sums of two products of bfloat16 (vdpbf16ps)
  bool byteTiles = false;  ///< x86: products of tiles of bytes (AMX's tdpbusd)
  bool bfloatTiles = false; ///< x86: of bfloat16 (AMX's tdpbf16ps)
};

/// A matrix product whose right side lies in panels [panel][depth][column].
struct PanelProduct {
  unsigned operand;             ///< the panels
  unsigned panels, depth;       ///< loop dimensions
  std::optional<unsigned> rows; ///< loop dimension of the register tile's rows
  /// Steps along the depth for which a panel stays in the cache while the rows pass; 0: all.
  int64_t depthBlock = 0;
  bool oneTile = false;  ///< one tile holds all rows: the panels pass once
  /// Fetch the next block while the rows pass over this one; with one tile, a little ahead of it.
  bool prefetch = false;
  unsigned streams = 1; ///< panels side by side in such a tile: several streams from memory
};

/// A right side whose rows lie so far apart in memory that the processor does not fetch them ahead by itself.
struct RowStream {
  unsigned operand;
  unsigned depth; ///< the loop along which it goes from row to row
};

/// How one operation becomes loops.
struct LoopSchedule {
  /// The loop dimension that runs along vector lanes; none: scalar code.
  std::optional<unsigned> vectorDim;
  unsigned lanes = 1; ///< elements of a vector
  /// Unroll factors of the register tile by loop dimension, in iterations
  /// (in vectors for the vector dimension when that is parallel).
  llvm::SmallVector<unsigned> unroll;
  /// The loops outside the tile, outermost first; empty: in the operation's order.
  llvm::SmallVector<unsigned> order;
  std::optional<PanelProduct> product;
  /// A convolution's weights that are fetched ahead.
  std::optional<WeightStream> stream;
  std::optional<RowStream> rowStream;
  /// A second dimension of the tile, as many iterations as a vector has lanes: operands that are
  /// contiguous along it and not along the vector dimension are transposed in registers.
  std::optional<unsigned> turnDim;
};

/// How an operand moves along one loop dimension.
enum class Access { Invariant, Contiguous, Other };

/// `map` and `type` are the operand's; contiguous: one element further per iteration.
Access classifyAccess(mlir::AffineMap map, mlir::MemRefType type, unsigned dim);

/// Elements from one iteration of `dim` to the next, where that is a known constant.
std::optional<int64_t> constantStep(mlir::AffineMap map, mlir::MemRefType type, unsigned dim);

/// Chooses the schedule of an operation on memrefs from its indexing maps, sizes and body.
LoopSchedule chooseLoopSchedule(mlir::linalg::LinalgOp op, const VectorTarget &target);

/// Completes the schedule of a product with panels; leaves others as they are.
void refineProductSchedule(mlir::linalg::LinalgOp op, const VectorTarget &target,
                           LoopSchedule &schedule);

/// Whether vectors can run along a loop of an operation on memrefs: its body works on vectors, and its
/// results are stored as such, or reduced.
bool fitsVectors(mlir::linalg::LinalgOp op, unsigned dim);

/// Elements of a vector register for the widest type in the operation's body; 1 where that does not
/// work on vectors.
unsigned countLanes(mlir::linalg::LinalgOp op, const VectorTarget &target);

/// The schedule of an operation on memrefs: what its strategy (#cg.lowering_config) says, and for the rest what
/// is best. Refuses, with a diagnostic, a strategy that cannot be followed.
mlir::FailureOr<LoopSchedule> decideLoopSchedule(mlir::linalg::LinalgOp op,
                                                 const VectorTarget &target);

/// Replaces the operation (on memrefs), and what is fused with it, by one loop nest.
mlir::LogicalResult emitLoops(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op,
                              const LoopSchedule &schedule, const LoopFusion &fusion = {});

} // namespace onnxc

#endif
