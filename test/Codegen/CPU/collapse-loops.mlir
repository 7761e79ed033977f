// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))' | FileCheck %s

// Rows of an image follow each other: one loop over 3136 elements, where rows of 56 would each end with a
// partial vector. What the channels are multiplied with does not move inside.
// CHECK-LABEL: @channels
// CHECK: memref.collapse_shape %arg0 {{\[}}[0], [1], [2, 3]]
// CHECK: memref.load {{.*}} : memref<64xf32
// CHECK-NOT: vector.maskedload
func.func @channels(%x: memref<1x64x56x56xf32>, %c: memref<64x1x1xf32>, %y: memref<1x64x56x56xf32>) {
  linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (c, 0, 0)>, affine_map<(n, c, h, w) -> (n, c, h, w)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %c : memref<1x64x56x56xf32>, memref<64x1x1xf32>) outs(%y : memref<1x64x56x56xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.mulf %l, %r : f32
    linalg.yield %s : f32
  }
  return
}

// Loops of a sum join, too; rows with gaps between them do not.
// CHECK-LABEL: @sums
// CHECK: memref.collapse_shape %arg0 {{\[}}[0], [1, 2]]
// CHECK-NOT: vector.create_mask
// CHECK: vector.reduction <add>
// CHECK-NOT: memref.collapse_shape
// CHECK: vector.create_mask
func.func @sums(%x: memref<4x24x24xf32>, %gaps: memref<4x24x24xf32, strided<[768, 32, 1]>>, %y: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(c, h, w) -> (c, h, w)>, affine_map<(c, h, w) -> (c)>], iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : memref<4x24x24xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %o, %l : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(c, h, w) -> (c, h, w)>, affine_map<(c, h, w) -> (c)>], iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%gaps : memref<4x24x24xf32, strided<[768, 32, 1]>>) outs(%y : memref<4xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %o, %l : f32
    linalg.yield %s : f32
  }
  return
}
