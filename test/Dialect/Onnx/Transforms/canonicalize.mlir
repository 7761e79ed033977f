// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-canonicalize))' --split-input-file | FileCheck %s

// CHECK-LABEL: @nothing
// CHECK-NEXT: return %arg0
func.func @nothing(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %none = onnx.None
  %pads = onnx.Constant dense<0> : tensor<4xi64>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %a = onnx.Identity(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %b = onnx.Cast(%a) {to = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %c = onnx.Pad(%b, %pads, %none, %none) : (tensor<2x3xf32>, tensor<4xi64>, none, none) -> tensor<2x3xf32>
  %d = onnx.Mul(%c, %one) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %e = onnx.Concat(%d) {axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %e : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: @transposes
// CHECK: onnx.Transpose(%arg0) {perm = array<i64: 2, 1, 0>}
// CHECK-NOT: onnx.Transpose
func.func @transposes(%x: tensor<2x3x4xf32>) -> tensor<4x3x2xf32> {
  %a = onnx.Transpose(%x) {perm = array<i64: 0, 2, 1>} : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
  %b = onnx.Transpose(%a) {perm = array<i64: 1, 2, 0>} : (tensor<2x4x3xf32>) -> tensor<4x3x2xf32>
  return %b : tensor<4x3x2xf32>
}

// -----

// CHECK-LABEL: @constant_if
// CHECK-NOT: onnx.If
// CHECK: onnx.Relu
func.func @constant_if(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c = onnx.Constant dense<true> : tensor<i1>
  %r = onnx.If(%c) : (tensor<i1>) -> tensor<2xf32> ({
    %a = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>
    onnx.Yield %a : tensor<2xf32>
  }, {
    onnx.Yield %x : tensor<2xf32>
  })
  return %r : tensor<2xf32>
}

// -----

// int8 -> int32 -> float is int8 -> float; float -> int8 -> float is not the identity.
// CHECK-LABEL: @casts
// CHECK: onnx.Cast(%arg0) {{.*}} : (tensor<2xi8>) -> tensor<2xf32>
// CHECK: onnx.Cast(%arg1)
// CHECK: onnx.Cast
func.func @casts(%x: tensor<2xi8>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %a = onnx.Cast(%x) {to = 6 : i64} : (tensor<2xi8>) -> tensor<2xi32>
  %b = onnx.Cast(%a) {to = 1 : i64} : (tensor<2xi32>) -> tensor<2xf32>
  %c = onnx.Cast(%y) {to = 3 : i64} : (tensor<2xf32>) -> tensor<2xi8>
  %d = onnx.Cast(%c) {to = 1 : i64} : (tensor<2xi8>) -> tensor<2xf32>
  return %b, %d : tensor<2xf32>, tensor<2xf32>
}
