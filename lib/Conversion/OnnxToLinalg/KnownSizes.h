// Types that have the sizes which only folding knows.
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_KNOWNSIZES_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_KNOWNSIZES_H

#include "mlir/IR/Builders.h"

namespace onnxc {

/// The tensor with a type that has those of its sizes that are constant, as operations want that
/// compare the types of two operands.
mlir::Value withSizes(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                      llvm::ArrayRef<mlir::OpFoldResult> sizes);

} // namespace onnxc

#endif
