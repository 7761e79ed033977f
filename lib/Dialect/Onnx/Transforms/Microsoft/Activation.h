// The activation that an operator of com.microsoft has fused to it.
#ifndef ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_ACTIVATION_H
#define ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_ACTIVATION_H

#include "Expansion.h"

namespace onnxc::onnx {

/// `name` is that of the ONNX operator, empty for none; `parameters` are its attributes or bounds in ONNX's order.
mlir::FailureOr<mlir::Value> activate(Expansion &e, mlir::Value x, llvm::StringRef name,
                                      llvm::ArrayRef<double> parameters);

} // namespace onnxc::onnx

#endif
