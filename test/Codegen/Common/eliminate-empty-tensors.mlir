// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-eliminate-empty-tensors))' | FileCheck %s

// Each loop gets a filled tensor of its own.
// CHECK-LABEL: @fills
// CHECK: %[[E:.*]] = tensor.empty()
// CHECK: %[[F:.*]] = tensor.empty()
// CHECK-DAG: linalg.fill {{.*}} outs(%[[E]]
// CHECK-DAG: linalg.fill {{.*}} outs(%[[F]]
// CHECK: linalg.add
// CHECK: linalg.sub
func.func @fills(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %0 = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.sub ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// An insertion within a loop is made in its place; one outside is left to onnxc-merge-buffers.
// CHECK-LABEL: @insertions
// CHECK: scf.for
// CHECK: %[[SLICE:.*]] = tensor.extract_slice
// CHECK: linalg.exp ins({{.*}}) outs(%[[SLICE]]
// CHECK: %[[EMPTY:.*]] = tensor.empty
// CHECK: linalg.log ins({{.*}}) outs(%[[EMPTY]]
func.func @insertions(%x: tensor<2xf32>, %y: tensor<8xf32>, %n: index) -> tensor<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%to = %y) -> tensor<8xf32> {
    %e = tensor.empty() : tensor<2xf32>
    %v = linalg.exp ins(%x : tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
    %r = tensor.insert_slice %v into %to[%i] [2] [1] : tensor<2xf32> into tensor<8xf32>
    scf.yield %r : tensor<8xf32>
  }
  %e = tensor.empty() : tensor<2xf32>
  %v = linalg.log ins(%x : tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %r = tensor.insert_slice %v into %0[3] [2] [1] : tensor<2xf32> into tensor<8xf32>
  return %r : tensor<8xf32>
}
