// What becomes a kernel: shared by the passes that look at the entry's loop nests. Private to
// this folder.
#ifndef ONNXC_LIB_CODEGEN_CPU_KERNELS_H
#define ONNXC_LIB_CODEGEN_CPU_KERNELS_H

#include "mlir/IR/Operation.h"

namespace onnxc {

/// A loop nest with only computation inside: nothing that talks to the runtime, and no buffers
/// handed on.
bool isKernel(mlir::Operation *op);

} // namespace onnxc

#endif
