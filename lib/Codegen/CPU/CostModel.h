// What a parallel loop's iteration costs, for the thread pool's decisions. Private to this folder.
#ifndef ONNXC_LIB_CODEGEN_CPU_COSTMODEL_H
#define ONNXC_LIB_CODEGEN_CPU_COSTMODEL_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace onnxc {

/// Estimated nanoseconds (f64) of one iteration, as code before the loop: trip counts that depend on the model's
/// dynamic sizes are computed; those that depend on the iteration are taken at their bound.
mlir::Value emitIterationCost(mlir::OpBuilder &b, mlir::scf::ForallOp loop);

} // namespace onnxc

#endif
