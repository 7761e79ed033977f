// Finds what can be written into one loop nest with a reduction on memrefs: the fill that starts its
// accumulators before it, elementwise work on its result after it.
#ifndef ONNXC_CODEGEN_CPU_LOOPFUSION_H
#define ONNXC_CODEGEN_CPU_LOOPFUSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// An elementwise operation on the result of a reduction.
struct Epilogue {
  mlir::linalg::GenericOp op;
  /// Where its operands lie for a point of the reduction's parallel loops.
  llvm::SmallVector<mlir::AffineMap> maps;
};

/// What joins the loop nest of a reduction with one result.
struct LoopFusion {
  mlir::linalg::FillOp fill; ///< starts the accumulators, or null: they are loaded
  llvm::SmallVector<Epilogue> epilogues;
  bool storesResult = true; ///< someone else reads the reduction's own result

  /// The operation before which the nest of `op` belongs: the last epilogue, or `op` itself.
  mlir::Operation *place(mlir::linalg::LinalgOp op) const;
  /// Erases `op` and all that joined its nest.
  void erase(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op) const;
};

/// The largest fusion around `op` that keeps every read and write in order and leaves out what is
/// `isTaken` by another nest. With an epilogue the nest belongs at the place of the last one.
/// `vectorDim`: the loop of `op` that runs along vectors, if any.
LoopFusion findLoopFusion(mlir::linalg::LinalgOp op, std::optional<unsigned> vectorDim,
                          llvm::function_ref<bool(mlir::Operation *)> isTaken);

/// What an epilogue's operand holds at the emitter's place, through a map of the reduction's loops.
using LoadEpilogueOperand = llvm::function_ref<mlir::Value(mlir::OpOperand &, mlir::AffineMap)>;
/// Clones one operation of an epilogue's body.
using CloneEpilogueBody = llvm::function_ref<void(mlir::Operation &, mlir::IRMapping &)>;
/// Stores a result; returns it as later epilogues find it.
using StoreEpilogueResult =
    llvm::function_ref<mlir::Value(mlir::OpOperand &, mlir::AffineMap, mlir::Value)>;

/// Writes the epilogues of a nest for one place of its tile, where `result` is what the reduction
/// has for its own result in `memory`. Emitters differ only in how they load and store.
void emitEpilogues(const LoopFusion &fusion, mlir::Value memory, mlir::Value result,
                   LoadEpilogueOperand load, CloneEpilogueBody clone, StoreEpilogueResult store);

} // namespace onnxc

#endif
