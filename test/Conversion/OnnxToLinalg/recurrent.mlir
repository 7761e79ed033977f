// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// The input's product is outside of the loop, the state's inside.
// CHECK-LABEL: func.func @lstm
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK: scf.for
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK: math.tanh
// CHECK: tensor.insert_slice
// CHECK: scf.yield
func.func @lstm(%x: tensor<?x2x8xf32>, %w: tensor<1x16x8xf32>, %r: tensor<1x16x4xf32>, %b: tensor<1x32xf32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>) {
  %none = onnx.None
  %0:3 = onnx.LSTM(%x, %w, %r, %b, %none, %none, %none, %none) {hidden_size = 4 : i64}
    : (tensor<?x2x8xf32>, tensor<1x16x8xf32>, tensor<1x16x4xf32>, tensor<1x32xf32>, none, none, none, none)
    -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>, none)
  return %0#0, %0#1 : tensor<?x1x2x4xf32>, tensor<1x2x4xf32>
}

// CHECK-LABEL: func.func @gruBothWays
// CHECK-COUNT-2: scf.for
func.func @gruBothWays(%x: tensor<5x2x8xf16>, %w: tensor<2x12x8xf16>, %r: tensor<2x12x4xf16>, %l: tensor<2xi32>) -> tensor<2x2x4xf16> {
  %none = onnx.None
  %0:2 = onnx.GRU(%x, %w, %r, %none, %l, %none) {hidden_size = 4 : i64, direction = "bidirectional"}
    : (tensor<5x2x8xf16>, tensor<2x12x8xf16>, tensor<2x12x4xf16>, none, tensor<2xi32>, none) -> (none, tensor<2x2x4xf16>)
  return %0#1 : tensor<2x2x4xf16>
}
