// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --verify-diagnostics

func.func @unknown(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{com.microsoft operator BeamSearch is not supported}}
  %0 = onnx.Custom "com.microsoft" : "BeamSearch"(%a) {} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
