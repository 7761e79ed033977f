// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-expand-functions))' | FileCheck %s

// Operators with a lowering stay; HannWindow is only defined by its function.
// CHECK-LABEL: @window
// CHECK-NOT: onnx.HannWindow
// CHECK: onnx.Cos
// CHECK: onnx.Gelu
func.func @window(%n: tensor<i64>, %x: tensor<4xf32>) -> (tensor<?xf32>, tensor<4xf32>) {
  %w = onnx.HannWindow(%n) : (tensor<i64>) -> tensor<?xf32>
  %g = onnx.Gelu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %w, %g : tensor<?xf32>, tensor<4xf32>
}
