// RUN: onnx-mlir-opt --convert-onnx-to-linalg --split-input-file --verify-diagnostics %s

// All operators that cannot be converted are listed at once.
func.func @two(%x: tensor<2x3xf32>) -> tensor<?x?x?xf32> {
  // expected-error @+1 {{'onnx.Custom' op operator Magic of domain acme is not supported}}
  %0 = onnx.Custom "acme" : "Magic"(%x) {} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %axis = onnx.Constant dense<7> : tensor<1xi64>
  // expected-error @+1 {{'onnx.Unsqueeze' op has an axis outside of the result's rank}}
  %1 = onnx.Unsqueeze(%0, %axis) : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<?x?x?xf32>
  return %1 : tensor<?x?x?xf32>
}

// -----

func.func @unranked(%x: tensor<2xi64>, %y: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{'onnx.Relu' op has a result whose rank is not known}}
  %0 = onnx.Relu(%y) : (tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
