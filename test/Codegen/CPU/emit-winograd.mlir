// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-winograd))' | FileCheck %s

// 64 tiles in blocks of 28: three tasks with their own scratch (alpha^2 matrices of at least 28 rows).
// CHECK-LABEL: @conv
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (3, 1)
// CHECK-DAG: memref.alloc() {alignment = 64 : i64} : memref<{{.*}}xf32>
// CHECK-DAG: memref.alloc() {alignment = 64 : i64} : memref<{{.*}}xf32>
// Patches inside of the image are read whole, those at its edge with masks, in blocks of 16 channels; then
// the four channels that are left.
// CHECK: scf.if
// CHECK: vector.load
// CHECK: } else {
// CHECK: vector.maskedload
// CHECK: vector.constant_mask [4]
// Sums of 14 tiles and 32 filters in registers.
// CHECK: scf.for {{.*}} iter_args({{(%[a-z0-9_]+ = %[a-z0-9_]+,? ?){28}\)}}
// CHECK: memref.prefetch
// The region, on vectors; filters past the 24th are left out.
// CHECK: arith.addf {{.*}} : vector<16xf32>
// CHECK: math.absf {{.*}} : vector<16xf32>
// CHECK: vector.constant_mask [8]
// CHECK: vector.maskedstore
// CHECK-NOT: cg.winograd_conv
func.func @conv(%x: memref<1x32x32x20xf32>, %w: memref<23040xf32>, %b: memref<24xf32>, %y: memref<1x32x32x24xf32>) {
  cg.winograd_conv ins(%x, %w : memref<1x32x32x20xf32>, memref<23040xf32>) extras(%b : memref<24xf32>) outs(%y : memref<1x32x32x24xf32>)
      attributes {block = 28 : i64, extra_maps = [affine_map<(n, h, w, f) -> (f)>], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 14 : i64, splits = 1 : i64, tile = 4 : i64} {
  ^bb0(%v: f32, %c: f32):
    %0 = arith.addf %v, %c : f32
    %1 = math.absf %0 : f32
    cg.yield %1 : f32
  }
  return
}
