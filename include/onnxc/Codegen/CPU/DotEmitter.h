// Writes products of bytes whose weights are packed for dot product instructions (see
// onnxc-pack-integer-weights) as loops: each lane of a vector sums the products of four
// neighbouring bytes, so a register tile is rows of the result times vectors of columns.
#ifndef ONNXC_CODEGEN_CPU_DOTEMITTER_H
#define ONNXC_CODEGEN_CPU_DOTEMITTER_H

#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Codegen/CPU/LoopFusion.h"

namespace onnxc {

/// Consecutive bytes of a sum that one lane of a packed vector holds.
constexpr int64_t kDotDepth = 4;

/// The loop of the columns if `op` (on memrefs) is a product of unsigned bytes and packed signed ones.
std::optional<unsigned> packedDotColumns(mlir::linalg::LinalgOp op);

/// Replaces it, and what `fusion` names, by a loop nest.
void emitPackedDot(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op,
                   const VectorTarget &target, const LoopFusion &fusion);

} // namespace onnxc

#endif
