// Passes that leave the onnx dialect.
#ifndef ONNXC_CONVERSION_PASSES_TD
#define ONNXC_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertOnnxToLinalg : Pass<"convert-onnx-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower the onnx dialect to linalg on tensors and rt calls";
  let description = [{
    Converts every function's signature and body to the storage types of
    docs/architecture.md. The ONNX type of each argument and result is kept
    as `onnx.type`, because the model's metadata is written from it. Operators
    that no pattern converts are all reported, each as one error.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::complex::ComplexDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::onnxc::rt::RtDialect"
  ];
}

#endif
