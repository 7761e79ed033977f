// Writes products whose weights are packed for dot product instructions (see
// onnxc-pack-integer-weights) as loops: each lane of a vector sums the products of four
// neighbouring bytes, or of two bfloat16.
#ifndef ONNXC_CODEGEN_CPU_DOTEMITTER_H
#define ONNXC_CODEGEN_CPU_DOTEMITTER_H

#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Codegen/CPU/LoopFusion.h"

namespace onnxc {

/// Consecutive elements of a sum that one lane of a packed vector holds.
constexpr int64_t kByteDepth = 4, kBfloatDepth = 2;

/// The loop of the columns if `op` (on memrefs) is a product of unsigned bytes and packed signed ones, or
/// of bfloat16 and packed ones.
std::optional<unsigned> packedDotColumns(mlir::linalg::LinalgOp op);

/// Replaces it, and what `fusion` names, by a loop nest.
void emitPackedDot(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op,
                   const VectorTarget &target, const LoopFusion &fusion);

} // namespace onnxc

#endif
