// Buffers that loops and conditions hand on. Private to this folder.
#ifndef ONNXC_LIB_CODEGEN_CPU_CARRIEDBUFFERS_H
#define ONNXC_LIB_CODEGEN_CPU_CARRIEDBUFFERS_H

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace onnxc {

/// Gives buffers of the run's pool (rt.alloc) back that a loop carries, when an iteration has replaced them, and
/// those that loops and conditions end with after their last use. Without this they would stay until the run ends.
/// `aliases`: of the function, before its allocations became rt.alloc.
void freeCarriedBuffers(mlir::func::FuncOp main, const mlir::BufferViewFlowAnalysis &aliases);

} // namespace onnxc

#endif
