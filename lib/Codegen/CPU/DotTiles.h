// Products of packed bytes and bfloat16 with the tile registers of x86 (AMX).
#ifndef ONNXC_LIB_CODEGEN_CPU_DOTTILES_H
#define ONNXC_LIB_CODEGEN_CPU_DOTTILES_H

#include "PackedDot.h"
#include "onnxc/Codegen/CPU/LoopEmitter.h"

namespace onnxc {

/// Writes the product, and what `fusion` names, where the machine has tiles and they pay; false: nothing is
/// written. Where it depends on a number of rows that is known only when the model runs, `emitVectors`
/// writes the other case.
bool emitDotTiles(mlir::RewriterBase &b, mlir::linalg::LinalgOp op, const PackedDot &dot,
                  const VectorTarget &target, const LoopFusion &fusion,
                  llvm::function_ref<void()> emitVectors);

} // namespace onnxc

#endif
