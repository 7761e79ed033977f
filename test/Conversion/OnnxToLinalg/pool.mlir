// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @max
// CHECK: tensor.pad
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]
// CHECK: arith.cmpf ogt
func.func @max(%x: tensor<?x8x9x9xf32>) -> tensor<?x8x5x5xf32> {
  %0:2 = onnx.MaxPool(%x) {kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
    : (tensor<?x8x9x9xf32>) -> (tensor<?x8x5x5xf32>, none)
  return %0#0 : tensor<?x8x5x5xf32>
}

// CHECK-LABEL: func.func @maxUnsigned
// CHECK: arith.maxui {{.*}} : i8
func.func @maxUnsigned(%x: tensor<1x1x8xui8>) -> tensor<1x1x4xui8> {
  %0:2 = onnx.MaxPool(%x) {kernel_shape = array<i64: 2>, strides = array<i64: 2>}
    : (tensor<1x1x8xui8>) -> (tensor<1x1x4xui8>, none)
  return %0#0 : tensor<1x1x4xui8>
}

// CHECK-LABEL: func.func @indices
// CHECK: linalg.generic
// CHECK: linalg.yield %{{.*}}, %{{.*}} : f32, i64
func.func @indices(%x: tensor<1x1x8xf32>) -> (tensor<1x1x4xf32>, tensor<1x1x4xi64>) {
  %0:2 = onnx.MaxPool(%x) {kernel_shape = array<i64: 2>, strides = array<i64: 2>}
    : (tensor<1x1x8xf32>) -> (tensor<1x1x4xf32>, tensor<1x1x4xi64>)
  return %0#0, %0#1 : tensor<1x1x4xf32>, tensor<1x1x4xi64>
}

// Without padding the divisor is a constant.
// CHECK-LABEL: func.func @average
// CHECK: arith.divf %{{.*}}, %cst
func.func @average(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32> {
  %0 = onnx.AveragePool(%x) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>}
    : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}

// CHECK-LABEL: func.func @global
// CHECK: tensor.collapse_shape
// CHECK: iterator_types = ["parallel", "parallel", "reduction"]
func.func @global(%x: tensor<?x4x?x?xf32>) -> tensor<?x4x1x1xf32> {
  %0 = onnx.GlobalAveragePool(%x) : (tensor<?x4x?x?xf32>) -> tensor<?x4x1x1xf32>
  return %0 : tensor<?x4x1x1xf32>
}
