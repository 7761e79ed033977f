// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))' | FileCheck %s

#a = affine_map<(m, n, k, j) -> (m, k)>
#b = affine_map<(m, n, k, j) -> (n, k, j)>
#c = affine_map<(m, n, k, j) -> (m, n, j)>

// The strategy's register tile (2 rows by 8 vectors of 8), depth and prefetch.
// CHECK-LABEL: @product
// CHECK: scf.for {{.*}} step %c512
// CHECK-NOT: memref.prefetch
// CHECK: scf.for {{.*}} step %c2{{[ _]}}
// CHECK-COUNT-8: vector.load %arg1{{.*}} vector<8xf32>
// CHECK-NOT: vector.load %arg1
func.func @product(%a: memref<20x2048xf32>, %b: memref<3x2048x64xf32>, %c: memref<20x3x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<20x2048xf32>, memref<3x2048x64xf32>) outs(%c : memref<20x3x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<lanes = 8, unroll = [2, 1, 1, 8], depth_block = 512, prefetch = 0>} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Panels inside rows: the order is the strategy's.
// CHECK-LABEL: @order
// CHECK: scf.for %[[M:.*]] = %c0{{.*}} to %c20
// CHECK: scf.for %[[N:.*]] = %c0{{.*}} to %c3
// CHECK: memref.load %arg0[%[[M]],
func.func @order(%a: memref<20x32xf32>, %b: memref<3x32x64xf32>, %c: memref<20x3x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<20x32xf32>, memref<3x32x64xf32>) outs(%c : memref<20x3x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<unroll = [1, 1, 1, 4], order = [0, 1, 2, 3]>} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Vectors along the reduction instead of the columns.
// CHECK-LABEL: @vector
// CHECK: vector.load %arg0{{.*}} vector<16xf32>
// CHECK: vector.reduction <add>
func.func @vector(%x: memref<32x64xf32>, %y: memref<32xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<32x64xf32>) outs(%y : memref<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<vector = 1>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}
