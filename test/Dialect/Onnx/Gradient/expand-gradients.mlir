// RUN: onnx-mlir-opt %s -split-input-file -onnx-expand-gradients -verify-diagnostics | FileCheck %s

// Of y = x * w for its two inputs; w is broadcast.
// CHECK-LABEL: func.func @product
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>, %[[W:.*]]: tensor<3xf32>)
// CHECK: %[[G:.*]] = onnx.Expand
// CHECK: %[[DX:.*]] = onnx.Mul(%[[G]], %[[W]])
// CHECK: %[[DW:.*]] = onnx.Mul(%[[G]], %[[X]])
// CHECK: onnx.ReduceSum(%[[DW]]
// CHECK-NOT: onnx.training.Gradient
func.func @product(%x: tensor<4x3xf32>, %w: tensor<3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>) {
  %y = onnx.Mul(%x, %w) : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  %dx, %dw = onnx.training.Gradient(%x, %w, %x, %w, %y) {xs = ["x", "w"], y = "y"} : (tensor<4x3xf32>, tensor<3xf32>, tensor<4x3xf32>, tensor<3xf32>, tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>)
  return %dx, %dw : tensor<4x3xf32>, tensor<3xf32>
}

// -----

// At another value than that of the named tensor the graph is computed again.
// CHECK-LABEL: func.func @elsewhere
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[AT:.*]]: tensor<4xf32>)
// CHECK: onnx.Tanh(%[[X]])
// CHECK: onnx.Tanh(%[[AT]])
func.func @elsewhere(%x: tensor<4xf32>, %at: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %y = onnx.Tanh(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %dx = onnx.training.Gradient(%at, %x, %y) {xs = ["x"], y = "y"} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y, %dx : tensor<4xf32>, tensor<4xf32>
}

// -----

func.func @no_rule(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32> {
  // expected-error @+1 {{cannot be differentiated}}
  %y = onnx.GlobalLpPool(%x) {p = 2 : i64} : (tensor<1x1x4x4xf32>) -> tensor<1x1x1x1xf32>
  %dx = onnx.training.Gradient(%x, %x, %y) {xs = ["x"], y = "y"} : (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x4x4xf32>
  return %dx : tensor<1x1x4x4xf32>
}

// -----

func.func @operands(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{needs a value for each tensor named in xs and zs}}
  %dx = onnx.training.Gradient(%x, %x) {xs = ["x"], y = "y"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %dx : tensor<4xf32>
}
