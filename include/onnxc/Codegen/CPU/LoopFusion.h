// Finds what can be written into one loop nest with a reduction on memrefs: the fill that starts its
// accumulators before it, elementwise work on its result after it.
#ifndef ONNXC_CODEGEN_CPU_LOOPFUSION_H
#define ONNXC_CODEGEN_CPU_LOOPFUSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

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
};

/// The largest fusion around `op` that keeps every read and write in order and leaves out what is
/// `isTaken` by another nest. With an epilogue the nest belongs at the place of the last one.
/// `vectorDim`: the loop of `op` that runs along vectors, if any.
LoopFusion findLoopFusion(mlir::linalg::LinalgOp op, std::optional<unsigned> vectorDim,
                          llvm::function_ref<bool(mlir::Operation *)> isTaken);

} // namespace onnxc

#endif
