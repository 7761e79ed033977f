// RUN: onnx-mlir-opt --convert-onnx-to-linalg --canonicalize %s | FileCheck %s

// One table of input positions an axis, then a gather; the batch is left alone.
// CHECK-LABEL: func.func @nearest
// CHECK: tensor.empty() : tensor<8xi64>
// CHECK: tensor.empty() : tensor<6xi64>
// CHECK: tensor.empty() : tensor<1x2x8x6xf32>
func.func @nearest(%x: tensor<1x2x4x3xf32>) -> tensor<1x2x8x6xf32> {
  %none = onnx.None
  %s = onnx.Constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  %0 = onnx.Resize(%x, %none, %s, %none) {mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"}
    : (tensor<1x2x4x3xf32>, none, tensor<4xf32>, none) -> tensor<1x2x8x6xf32>
  return %0 : tensor<1x2x8x6xf32>
}

// Separable: first the rows, then the columns; two taps each.
// CHECK-LABEL: func.func @linear
// CHECK: tensor.empty() : tensor<8x2xf64>
// CHECK: tensor.empty() : tensor<1x2x8x3xf32>
// CHECK: tensor.empty() : tensor<6x2xf64>
// CHECK: tensor.empty() : tensor<1x2x8x6xf32>
func.func @linear(%x: tensor<1x2x4x3xf32>) -> tensor<1x2x8x6xf32> {
  %none = onnx.None
  %s = onnx.Constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  %0 = onnx.Resize(%x, %none, %s, %none) {mode = "linear"}
    : (tensor<1x2x4x3xf32>, none, tensor<4xf32>, none) -> tensor<1x2x8x6xf32>
  return %0 : tensor<1x2x8x6xf32>
}
