// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-expand-functions))' | FileCheck %s

// Operators with a lowering stay; SwiGLU is only defined by its function.
// CHECK-LABEL: @function
// CHECK-NOT: onnx.SwiGLU
// CHECK: onnx.Mul
// CHECK: onnx.Gelu
func.func @function(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %s = onnx.SwiGLU(%x, %x) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %g = onnx.Gelu(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %s, %g : tensor<4x8xf32>, tensor<4x8xf32>
}
