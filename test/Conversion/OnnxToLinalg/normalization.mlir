// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @softmax
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.divf
func.func @softmax(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = onnx.Softmax(%x) : (tensor<?x16xf32>) -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// Statistics of f16 are f32.
// CHECK-LABEL: func.func @layer
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?xf32>)
// CHECK: math.rsqrt {{.*}} : f32
// CHECK: arith.truncf
func.func @layer(%x: tensor<?x16xf16>, %s: tensor<16xf16>, %b: tensor<16xf16>) -> tensor<?x16xf16> {
  %0:3 = onnx.LayerNormalization(%x, %s, %b)
    : (tensor<?x16xf16>, tensor<16xf16>, tensor<16xf16>) -> (tensor<?x16xf16>, none, none)
  return %0#0 : tensor<?x16xf16>
}

// CHECK-LABEL: func.func @batch
// CHECK: math.sqrt
// CHECK: outs(%{{.*}} : tensor<?x4x?xf32>)
func.func @batch(%x: tensor<?x4x?xf32>, %s: tensor<4xf32>) -> tensor<?x4x?xf32> {
  %0:3 = onnx.BatchNormalization(%x, %s, %s, %s, %s)
    : (tensor<?x4x?xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<?x4x?xf32>, none, none)
  return %0#0 : tensor<?x4x?xf32>
}

// CHECK-LABEL: func.func @group
// CHECK: tensor.expand_shape {{.*}} into tensor<?x2x2x?xf32>
// CHECK: tensor.collapse_shape
func.func @group(%x: tensor<?x4x?xf32>, %s: tensor<4xf32>) -> tensor<?x4x?xf32> {
  %0 = onnx.GroupNormalization(%x, %s, %s) {num_groups = 2 : i64}
    : (tensor<?x4x?xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4x?xf32>
  return %0 : tensor<?x4x?xf32>
}

// CHECK-LABEL: func.func @lrn
// CHECK: math.powf
func.func @lrn(%x: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  %0 = onnx.LRN(%x) {size = 3 : i64} : (tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return %0 : tensor<1x4x8xf32>
}
