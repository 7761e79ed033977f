// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// Heads are split by maps: no transposes.
// CHECK-LABEL: func.func @flat
// CHECK: tensor.expand_shape {{.*}} into tensor<?x?x2x2x8xf32>
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK: arith.select
// CHECK: math.exp
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK: tensor.collapse_shape {{.*}} {{\[}}[0], [1], [2, 3, 4]]
func.func @flat(%q: tensor<?x?x32xf32>, %k: tensor<?x?x16xf32>, %v: tensor<?x?x16xf32>) -> tensor<?x?x32xf32> {
  %none = onnx.None
  %0:4 = onnx.Attention(%q, %k, %v, %none, %none, %none, %none) {q_num_heads = 4 : i64, kv_num_heads = 2 : i64, is_causal = 1 : i64}
    : (tensor<?x?x32xf32>, tensor<?x?x16xf32>, tensor<?x?x16xf32>, none, none, none, none) -> (tensor<?x?x32xf32>, none, none, none)
  return %0#0 : tensor<?x?x32xf32>
}

// CHECK-LABEL: func.func @cached
// CHECK-COUNT-4: tensor.insert_slice
func.func @cached(%q: tensor<1x4x1x8xf32>, %p: tensor<1x4x?x8xf32>, %m: tensor<1x?xi1>) -> (tensor<1x4x1x8xf32>, tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>) {
  %none = onnx.None
  %0:4 = onnx.Attention(%q, %q, %q, %m, %p, %p, %none)
    : (tensor<1x4x1x8xf32>, tensor<1x4x1x8xf32>, tensor<1x4x1x8xf32>, tensor<1x?xi1>, tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>, none)
    -> (tensor<1x4x1x8xf32>, tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>, none)
  return %0#0, %0#1, %0#2 : tensor<1x4x1x8xf32>, tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>
}

// CHECK-LABEL: func.func @rotary
// CHECK: tensor.extract
func.func @rotary(%x: tensor<1x4x?x8xf32>, %c: tensor<50x4xf32>, %p: tensor<1x?xi64>) -> tensor<1x4x?x8xf32> {
  %0 = onnx.RotaryEmbedding(%x, %c, %c, %p)
    : (tensor<1x4x?x8xf32>, tensor<50x4xf32>, tensor<50x4xf32>, tensor<1x?xi64>) -> tensor<1x4x?x8xf32>
  return %0 : tensor<1x4x?x8xf32>
}
