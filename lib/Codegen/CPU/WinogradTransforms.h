// The one-dimensional transforms of Winograd's method on vectors: what the matrices of
// onnxc/Codegen/Common/Winograd.h do, with as few operations as possible.
#ifndef ONNXC_LIB_CODEGEN_CPU_WINOGRADTRANSFORMS_H
#define ONNXC_LIB_CODEGEN_CPU_WINOGRADTRANSFORMS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace onnxc {

/// a * c + d, which may be one fused operation.
mlir::Value multiplyAdd(mlir::ImplicitLocOpBuilder &b, mlir::Value a, mlir::Value c, mlir::Value d);

/// B^T times 4 or 6 values.
llvm::SmallVector<mlir::Value> transformInput(mlir::ImplicitLocOpBuilder &b,
                                              llvm::ArrayRef<mlir::Value> d);

/// G times 3 values: 4 or 6, as `alpha` says.
llvm::SmallVector<mlir::Value> transformFilter(mlir::ImplicitLocOpBuilder &b,
                                               llvm::ArrayRef<mlir::Value> g, int64_t alpha);

/// A^T times 4 or 6 values: 2 or 4.
llvm::SmallVector<mlir::Value> transformOutput(mlir::ImplicitLocOpBuilder &b,
                                               llvm::ArrayRef<mlir::Value> m);

} // namespace onnxc

#endif
