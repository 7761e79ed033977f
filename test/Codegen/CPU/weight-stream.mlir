// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))' --split-input-file | FileCheck %s

#x = affine_map<(y, x, f, p, q, c, j) -> (y + p, x + q, c)>
#w = affine_map<(y, x, f, p, q, c, j) -> (f, p, q, c, j)>
#r = affine_map<(y, x, f, p, q, c, j) -> (y, x, f, j)>

// Few positions: each step fetches its share of the next panel. 49 rows in tiles of 14 have to bring
// 3 * 3 * 8 steps of 32 columns: at most 10 elements a step, one line.
// CHECK-DAG: #[[NEXT:.*]] = affine_map<(d0) -> (d0 + 1)>
// CHECK-DAG: #[[SHARE:.*]] = affine_map<(d0, d1, d2, d3) -> (d0 * 336 + d1 * 240 + d2 * 80 + d3 * 10)>
// CHECK-LABEL: @fewPositions
// CHECK: scf.for %[[F:.*]] = %{{.*}} to %c4{{.*}} step
// CHECK: %[[N:.*]] = affine.apply #[[NEXT]](%[[F]])
// CHECK: %[[E:.*]] = affine.apply #[[SHARE]]
// CHECK: memref.prefetch %arg1[%[[N]], %c0{{.*}}, %c0{{.*}}, %c0{{.*}}, %[[E]]], read, locality<2>, data
func.func @fewPositions(%x: memref<9x9x8xf32>, %w: memref<4x3x3x8x32xf32>, %r: memref<7x7x4x32xf32>) {
  linalg.generic {indexing_maps = [#x, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction", "parallel"]}
      ins(%x, %w : memref<9x9x8xf32>, memref<4x3x3x8x32xf32>) outs(%r : memref<7x7x4x32xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#x = affine_map<(y, x, f, p, q, c, j) -> (y + p, x + q, c)>
#w = affine_map<(y, x, f, p, q, c, j) -> (f, p, q, c, j)>
#r = affine_map<(y, x, f, p, q, c, j) -> (y, x, f, j)>

// Many positions hide the way from memory by themselves.
// CHECK-LABEL: @manyPositions
// CHECK-NOT: memref.prefetch
func.func @manyPositions(%x: memref<58x58x8xf32>, %w: memref<4x3x3x8x32xf32>, %r: memref<56x56x4x32xf32>) {
  linalg.generic {indexing_maps = [#x, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction", "parallel"]}
      ins(%x, %w : memref<58x58x8xf32>, memref<4x3x3x8x32xf32>) outs(%r : memref<56x56x4x32xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}
