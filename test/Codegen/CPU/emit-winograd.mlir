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

// The filters themselves: 16 of 40 channels are transformed at a time, and their products are added to the sums in
// the scratch, which the first ones begin with zeros. Both halves of the two panels are tasks.
// CHECK-LABEL: @filters
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (1, 2)
// CHECK-COUNT-3: memref.alloc() {alignment = 64 : i64} : memref<{{.*}}xf32>
// CHECK: scf.for %[[C:[a-z0-9_]+]] = %{{.*}} to %c40{{[_0-9]*}} step %c16
// The last part has eight channels.
// CHECK: arith.subi %c40{{[_0-9]*}}, %[[C]] : index
// CHECK: arith.minui
// CHECK-COUNT-9: vector.load {{.*}} memref<23040xf32, {{.*}}>, vector<16xf32>
// CHECK-COUNT-36: vector.store
// CHECK: arith.cmpi eq, %[[C]], %c0
// CHECK: scf.if
// CHECK-NOT: vector.load
// CHECK: } else {
// CHECK-COUNT-16: vector.load
// CHECK: scf.for {{.*}} iter_args({{(%[a-z0-9_]+ = %[a-z0-9_#]+,? ?){16}\)}}
// CHECK: memref.prefetch
// CHECK-NOT: cg.winograd_conv
func.func @filters(%x: memref<1x16x16x40xf32>, %w: memref<23040xf32>, %y: memref<1x16x16x64xf32>) {
  cg.winograd_conv ins(%x, %w : memref<1x16x16x40xf32>, memref<23040xf32>) outs(%y : memref<1x16x16x64xf32>)
      attributes {block = 16 : i64, depth = 16 : i64, extra_maps = [], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 8 : i64, splits = 2 : i64, tile = 4 : i64} {
  ^bb0(%v: f32):
    cg.yield %v : f32
  }
  return
}
