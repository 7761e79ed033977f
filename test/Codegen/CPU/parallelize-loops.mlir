// RUN: onnx-mlir-opt %s --onnxc-parallelize-loops --split-input-file | FileCheck %s

// Rows of at least 8 KB: 4 of 2 KB, as the filled buffer has nothing to read.
// CHECK-LABEL: @fill
// CHECK: scf.forall (%{{.*}}) = (0) to (256) step (4)
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : memref<4x512xf32
func.func @fill(%x: memref<256x512xf32>, %v: f32) {
  linalg.fill ins(%v : f32) outs(%x : memref<256x512xf32>)
  return
}

// -----

// Small, or in a parallel loop already: as it is.
// CHECK-LABEL: @small
// CHECK-NOT: scf.forall (%{{.*}}, %
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : memref<16x64xf32>)
// CHECK: scf.forall (%{{.*}}) in (4)
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : memref<256x512xf32>)
func.func @small(%x: memref<16x64xf32>, %y: memref<256x512xf32>, %v: f32) {
  linalg.fill ins(%v : f32) outs(%x : memref<16x64xf32>)
  scf.forall (%i) in (4) {
    linalg.fill ins(%v : f32) outs(%y : memref<256x512xf32>)
  }
  return
}

// -----

// Of unknown size: parallel, the run decides. A reduction's loop is never split.
// CHECK-LABEL: @dynamic
// CHECK: scf.forall (%{{.*}}) in (%{{.*}})
// CHECK: linalg.generic
// CHECK-SAME: memref<1x?x16xf32
func.func @dynamic(%x: memref<?x?x16xf32>, %y: memref<?x16xf32>) {
  linalg.generic {indexing_maps = [affine_map<(n, k, c) -> (n, k, c)>, affine_map<(n, k, c) -> (n, c)>],
                  iterator_types = ["parallel", "reduction", "parallel"]}
    ins(%x : memref<?x?x16xf32>) outs(%y : memref<?x16xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  }
  return
}

// -----

// A product's loops take up the fill before it and the elementwise work after it.
// CHECK-LABEL: @product
// CHECK-NOT: scf.forall
// CHECK: return
func.func @product(%x: memref<64x512xf32>, %w: memref<512x512xf32>) -> memref<64x512xf32> {
  %zero = arith.constant 0.0 : f32
  %y = memref.alloc() : memref<64x512xf32>
  linalg.fill ins(%zero : f32) outs(%y : memref<64x512xf32>)
  linalg.matmul ins(%x, %w : memref<64x512xf32>, memref<512x512xf32>) outs(%y : memref<64x512xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
    outs(%y : memref<64x512xf32>) {
  ^bb0(%a: f32):
    %m = arith.maximumf %a, %zero : f32
    linalg.yield %m : f32
  }
  return %y : memref<64x512xf32>
}
