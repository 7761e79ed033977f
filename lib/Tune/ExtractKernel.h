// A few operations of a model as a model of their own, to be compiled and timed. Private to this
// folder.
#ifndef ONNXC_LIB_TUNE_EXTRACTKERNEL_H
#define ONNXC_LIB_TUNE_EXTRACTKERNEL_H

#include "mlir/IR/BuiltinOps.h"

namespace onnxc {

/// What becomes of constant tensors that the operations read.
enum class KernelConstants {
  Inputs, ///< inputs of the kernel, as other tensors
  Copied, ///< constants with data of their own
};

struct Kernel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  llvm::SmallVector<mlir::Operation *> ops; ///< the copies, in the order of the originals
};

/// A module whose @main_graph does what `ops` (of one block, in its order) do. No module: a size is
/// unknown, or a value is none that a model can take.
Kernel extractKernel(llvm::ArrayRef<mlir::Operation *> ops, KernelConstants constants);

/// Gives back the data of all constants of a kernel, compiled or not.
void releaseData(mlir::ModuleOp module);

} // namespace onnxc

#endif
