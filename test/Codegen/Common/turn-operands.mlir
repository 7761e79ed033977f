// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-turn-operands))' | FileCheck %s

#q = affine_map<(h, m, n, k) -> (h, m, k)>
#k = affine_map<(h, m, n, k) -> (h, n, k)>
#s = affine_map<(h, m, n, k) -> (h, m, n)>
#t = affine_map<(h, m, n, k) -> (h, k, n)>

// Keys are read through a copy with the depth outside.
// CHECK-LABEL: @keys
// CHECK: linalg.transpose ins(%arg1 : tensor<2x40x16xf32>) outs({{.*}} : tensor<2x16x40xf32>) permutation = [0, 2, 1]
// CHECK: linalg.generic
func.func @keys(%q: tensor<2x?x16xf32>, %k: tensor<2x40x16xf32>, %i: tensor<2x?x40xf32>) -> tensor<2x?x40xf32> {
  %r = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x?x16xf32>, tensor<2x40x16xf32>) outs(%i : tensor<2x?x40xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %u = arith.addf %c, %p : f32
    linalg.yield %u : f32
  } -> tensor<2x?x40xf32>
  return %r : tensor<2x?x40xf32>
}

// One row: sums along the depth cost less than the copy.
// CHECK-LABEL: @oneRow
// CHECK-NOT: linalg.transpose
func.func @oneRow(%q: tensor<2x1x16xf32>, %k: tensor<2x40x16xf32>, %i: tensor<2x1x40xf32>) -> tensor<2x1x40xf32> {
  %r = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x1x16xf32>, tensor<2x40x16xf32>) outs(%i : tensor<2x1x40xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %u = arith.addf %c, %p : f32
    linalg.yield %u : f32
  } -> tensor<2x1x40xf32>
  return %r : tensor<2x1x40xf32>
}

#v = affine_map<(h, m, n, k) -> (k, h, n)>

// Values whose rows are 1 KiB apart are copied; at another distance they are read where they are.
// CHECK-LABEL: @values
// CHECK: linalg.transpose ins(%arg1 : tensor<40x4x64xf32>) outs({{.*}} : tensor<4x40x64xf32>) permutation = [1, 0, 2]
// CHECK-NOT: linalg.transpose
func.func @values(%p: tensor<4x9x40xf32>, %v: tensor<40x4x64xf32>, %i: tensor<4x9x64xf32>,
                  %w: tensor<40x4x72xf32>, %j: tensor<4x9x72xf32>) -> (tensor<4x9x64xf32>, tensor<4x9x72xf32>) {
  %r = linalg.generic {indexing_maps = [#q, #v, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %v : tensor<4x9x40xf32>, tensor<40x4x64xf32>) outs(%i : tensor<4x9x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %x = arith.mulf %a, %b : f32
    %u = arith.addf %c, %x : f32
    linalg.yield %u : f32
  } -> tensor<4x9x64xf32>
  %t = linalg.generic {indexing_maps = [#q, #v, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%p, %w : tensor<4x9x40xf32>, tensor<40x4x72xf32>) outs(%j : tensor<4x9x72xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %x = arith.mulf %a, %b : f32
    %u = arith.addf %c, %x : f32
    linalg.yield %u : f32
  } -> tensor<4x9x72xf32>
  return %r, %t : tensor<4x9x64xf32>, tensor<4x9x72xf32>
}
