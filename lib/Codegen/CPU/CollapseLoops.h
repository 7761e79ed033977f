// Fewer, longer loops: neighbouring loops that walk over contiguous memory become one, so that vectors
// do not end with every row of an image.
#ifndef ONNXC_LIB_CODEGEN_CPU_COLLAPSELOOPS_H
#define ONNXC_LIB_CODEGEN_CPU_COLLAPSELOOPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// Makes every run of an operation's loops (on memrefs) of one kind one loop where all operands lie so. Returns
/// what replaces the operation, or null if it stays.
mlir::linalg::LinalgOp collapseLoops(mlir::RewriterBase &rewriter, mlir::linalg::LinalgOp op,
                                     mlir::utils::IteratorType kind);

} // namespace onnxc

#endif
