// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))' | FileCheck %s

#a = affine_map<(m, n, k, j) -> (m, k)>
#b = affine_map<(m, n, k, j) -> (n, k, j)>
#c = affine_map<(m, n, k, j) -> (m, n, j)>

// 2048 deep panels pass in two blocks; 20 rows are four tiles of five rows; the next block is fetched.
// CHECK-LABEL: @blocks
// CHECK: scf.for %[[K0:.*]] = %{{.*}} to %{{.*}} step %c1024
// CHECK: scf.for {{.*}} step %c5
// CHECK: scf.for %{{.*}} = %[[K0]] to
// CHECK: memref.prefetch %arg1{{.*}} read, locality<2>, data
func.func @blocks(%a: memref<20x2048xf32>, %b: memref<3x2048x64xf32>, %c: memref<20x3x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<20x2048xf32>, memref<3x2048x64xf32>) outs(%c : memref<20x3x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Rows known at run time: one row reads four panels at a time; the others are tiles of six and
// five rows, and what neither fits.
// CHECK-LABEL: @anyRows
// CHECK: scf.if
// CHECK-COUNT-16: vector.load %arg1
// CHECK: } else {
// CHECK: scf.for {{.*}} step %c6
// CHECK: memref.prefetch
// CHECK: scf.for {{.*}} step %c5
// CHECK: memref.prefetch
func.func @anyRows(%a: memref<?x64xf32>, %b: memref<8x64x64xf32>, %c: memref<?x8x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<?x64xf32>, memref<8x64x64xf32>) outs(%c : memref<?x8x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// A single row: four streams.
// CHECK-LABEL: @oneRow
// CHECK-NOT: memref.prefetch
// CHECK-COUNT-16: vector.load %arg1
// CHECK-NOT: vector.load %arg1
func.func @oneRow(%a: memref<1x64xf32>, %b: memref<8x64x64xf32>, %c: memref<1x8x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<1x64xf32>, memref<8x64x64xf32>) outs(%c : memref<1x8x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Two rows are one tile, over which the panels pass once, two side by side: no blocks, and nothing is fetched.
// CHECK-LABEL: @twoRows
// CHECK-NOT: memref.prefetch
// CHECK: scf.for {{.*}} step %c2
// CHECK: scf.for {{.*}} to %c2048
// CHECK-COUNT-8: vector.load %arg1
// CHECK-NOT: vector.load %arg1
// CHECK-NOT: memref.prefetch
func.func @twoRows(%a: memref<2x2048xf32>, %b: memref<8x2048x64xf32>, %c: memref<2x8x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<2x2048xf32>, memref<8x2048x64xf32>) outs(%c : memref<2x8x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Eight rows of three vectors: a single stream, of which the next page is fetched.
// CHECK-LABEL: @eightRows
// CHECK: scf.for {{.*}} to %c2048
// CHECK-COUNT-3: memref.prefetch %arg1[%{{.*}}, %{{.*}}, %c10{{[0-9]+}}], read, locality<3>, data
// CHECK-NOT: memref.prefetch
// CHECK-COUNT-3: vector.load %arg1
// CHECK-NOT: vector.load %arg1
func.func @eightRows(%a: memref<8x2048xf32>, %b: memref<8x2048x48xf32>, %c: memref<8x8x48xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<8x2048xf32>, memref<8x2048x48xf32>) outs(%c : memref<8x8x48xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// Rows of a right side that lie so far apart that the processor does not fetch them ahead.
// CHECK-LABEL: @farRows
// CHECK: scf.for %[[K:.*]] = %{{.*}} to %c64
// CHECK: %[[AHEAD:.*]] = arith.addi %[[K]], %c16{{.*}}
// CHECK: memref.prefetch %arg1[%[[AHEAD]], %{{.*}}], read, locality<3>, data
// CHECK-COUNT-3: memref.prefetch
// CHECK-NOT: memref.prefetch
func.func @farRows(%a: memref<12x64xf32>, %b: memref<64x768xf32>, %c: memref<12x768xf32>) {
  linalg.matmul ins(%a, %b : memref<12x64xf32>, memref<64x768xf32>) outs(%c : memref<12x768xf32>)
  return
}

// It does where they lie closer.
// CHECK-LABEL: @nearRows
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func @nearRows(%a: memref<12x64xf32>, %b: memref<64x256xf32>, %c: memref<12x256xf32>) {
  linalg.matmul ins(%a, %b : memref<12x64xf32>, memref<64x256xf32>) outs(%c : memref<12x256xf32>)
  return
}
