// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @crossEntropy
// CHECK: math.log
// CHECK: tensor.extract
// CHECK: arith.divf
func.func @crossEntropy(%x: tensor<?x5x3xf32>, %t: tensor<?x3xi64>, %w: tensor<5xf32>) -> tensor<f32> {
  %0:2 = onnx.SoftmaxCrossEntropyLoss(%x, %t, %w) {ignore_index = -1 : i64}
    : (tensor<?x5x3xf32>, tensor<?x3xi64>, tensor<5xf32>) -> (tensor<f32>, none)
  return %0#0 : tensor<f32>
}

// CHECK-LABEL: func.func @adam
// CHECK-COUNT-2: linalg.generic
// CHECK: math.powf
// CHECK: linalg.generic
func.func @adam(%r: tensor<f32>, %t: tensor<i64>, %x: tensor<?xf32>, %g: tensor<?xf32>) -> tensor<?xf32> {
  %0:3 = onnx.training.Adam(%r, %t, %x, %g, %x, %x)
    : (tensor<f32>, tensor<i64>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>)
  return %0#0 : tensor<?xf32>
}

// CHECK-LABEL: func.func @window
// CHECK: math.cos
func.func @window(%n: tensor<i64>) -> tensor<?xf32> {
  %0 = onnx.HannWindow(%n) : (tensor<i64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
