// RUN: onnx-mlir-opt --onnxc-emit-loops="byte-products=quads byte-tiles" %s | FileCheck %s
// RUN: onnx-mlir-opt --onnxc-emit-loops="byte-products=quads" %s | FileCheck %s --check-prefix=NONE

// NONE-NOT: cg.tile

#x = affine_map<(m, p, k, j, q) -> (m, k * 4 + q)>
#w = affine_map<(m, p, k, j, q) -> (p, k, j, q)>
#y = affine_map<(m, p, k, j, q) -> (m, p, j)>

// 56 rows are four tiles of 14; 24 words are two steps of 12: one set of shapes, once. Four sums stay in tiles 0 to 3, and each
// operand's tile is loaded once a step. Nothing follows, so the sums go straight to the result.
// CHECK-LABEL: func.func @whole
// CHECK-NOT: linalg.fill
// CHECK: cg.tile_configure
// CHECK: scf.for
// CHECK: scf.for
// CHECK: cg.tile_zero 0
// CHECK-NEXT: cg.tile_zero 1
// CHECK: cg.tile_zero 2
// CHECK-NEXT: cg.tile_zero 3
// CHECK: scf.for {{.*}} {
// CHECK-NOT: iter_args
// CHECK: cg.tile_load 6, {{.*}} stride 128
// CHECK: cg.tile_load 4, {{.*}} stride 96
// CHECK: cg.tile_multiply 0, 4, 6
// CHECK: cg.tile_load 7, {{.*}} stride 128
// CHECK: cg.tile_multiply 1, 4, 7
// CHECK: cg.tile_load 5, {{.*}} stride 96
// CHECK: cg.tile_multiply 3, 5, 7
// CHECK: cg.tile_multiply 2, 5, 6
// CHECK: }
// CHECK: cg.tile_store 0, {{.*}} stride 384
// CHECK: cg.tile_store 3, {{.*}} stride 384
// CHECK-NOT: cg.tile_configure
// CHECK: cg.tile_release
func.func @whole(%x: memref<56x96xi8>, %w: memref<3x24x32x4xi8>, %y: memref<56x3x32xi32>) {
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%y : memref<56x3x32xi32>)
  linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]} ins(%x, %w : memref<56x96xi8>, memref<3x24x32x4xi8>) outs(%y : memref<56x3x32xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  }
  return
}

// A number of rows that is not known: vectors for few; blocks of 32 rows, then tiles of what there is. 17 words are a whole tile of 16
// and one of 1, which have tiles of their own; both columns share one tile of the right side, and rows one of the left.
// Elementwise work is done in vectors, with what the rows share loaded before them.
// CHECK-LABEL: func.func @parts
// CHECK: %[[ENOUGH:.*]] = arith.cmpi sge
// CHECK: scf.if %[[ENOUGH]] {
// CHECK: scf.for
// CHECK: cg.tile_configure
// CHECK: scf.for {{.*}} step %c32
// CHECK: cg.tile_load 5
// CHECK: cg.tile_load 4
// CHECK: cg.tile_multiply 0, 4, 5
// CHECK: cg.tile_load 5
// CHECK: cg.tile_multiply 1, 4, 5
// CHECK: cg.tile_load 4
// CHECK: cg.tile_multiply 3, 4, 5
// CHECK: cg.tile_load 5
// CHECK: cg.tile_multiply 2, 4, 5
// CHECK: cg.tile_load 7
// CHECK: cg.tile_load 6
// CHECK: cg.tile_multiply 0, 6, 7
// CHECK: cg.tile_store 0, %[[STAGE:.*]][{{.*}}] stride 128
// CHECK: vector.load {{.*}} memref<32xf32>, vector<16xf32>
// CHECK: vector.load {{.*}} memref<32xf32>, vector<16xf32>
// CHECK: scf.for
// CHECK: vector.load %[[STAGE]]
// CHECK: arith.sitofp
// CHECK: vector.store
// CHECK: scf.for {{.*}} step %c16
// CHECK: affine.min
// CHECK: memref.store {{.*}} memref<64xi8>
// CHECK: cg.tile_configure
// CHECK: cg.tile_release
// CHECK: } else {
// CHECK: llvm.x86.avx512.vpdpbusd.512
func.func @parts(%x: memref<?x68xi8>, %w: memref<1x17x32x4xi8>, %scales: memref<32xf32>) -> memref<?x1x32xf32> {
  %c0 = arith.constant 0 : index
  %rows = memref.dim %x, %c0 : memref<?x68xi8>
  %zero = arith.constant 0 : i32
  %y = memref.alloc(%rows) : memref<?x1x32xi32>
  %z = memref.alloc(%rows) : memref<?x1x32xf32>
  linalg.fill ins(%zero : i32) outs(%y : memref<?x1x32xi32>)
  linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]} ins(%x, %w : memref<?x68xi8>, memref<1x17x32x4xi8>) outs(%y : memref<?x1x32xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  }
  linalg.generic {indexing_maps = [affine_map<(m, p, j) -> (m, p, j)>, affine_map<(m, p, j) -> (j)>, affine_map<(m, p, j) -> (m, p, j)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%y, %scales : memref<?x1x32xi32>, memref<32xf32>) outs(%z : memref<?x1x32xf32>) {
  ^bb0(%a: i32, %b: f32, %s: f32):
    %0 = arith.sitofp %a : i32 to f32
    %1 = arith.mulf %0, %b : f32
    linalg.yield %1 : f32
  }
  return %z : memref<?x1x32xf32>
}

// The columns of a window and its channels follow each other: rows of 3 * 2 words. Lines of 8 pixels, two of them to a block.
// CHECK-LABEL: func.func @window
// CHECK: cg.tile_configure
// CHECK: scf.for {{.*}} step %c2
// CHECK: cg.tile_zero 3
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: cg.tile_load 6, {{.*}} stride 128
// CHECK: cg.tile_load 4, {{.*}} stride 16
// CHECK: cg.tile_multiply 2, 5, 6
func.func @window(%x: memref<1x17x17x8xi8>, %w: memref<1x3x3x2x32x4xi8>, %y: memref<1x7x8x1x32xi32>) {
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%y : memref<1x7x8x1x32xi32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, v, p, r, s, k, j, q) -> (n, h * 2 + r, v * 2 + s, k * 4 + q)>,
                                   affine_map<(n, h, v, p, r, s, k, j, q) -> (p, r, s, k, j, q)>,
                                   affine_map<(n, h, v, p, r, s, k, j, q) -> (n, h, v, p, j)>],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction", "parallel", "reduction"]}
      ins(%x, %w : memref<1x17x17x8xi8>, memref<1x3x3x2x32x4xi8>) outs(%y : memref<1x7x8x1x32xi32>) {
  ^bb0(%a: i8, %b: i8, %t: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %t, %2 : i32
    linalg.yield %3 : i32
  }
  return
}

// Few rows, as a decoder has them: vectors.
// CHECK-LABEL: func.func @few
// CHECK-NOT: cg.tile
// CHECK: llvm.x86.avx512.vpdpbusd.512
func.func @few(%x: memref<7x96xi8>, %w: memref<3x24x32x4xi8>, %y: memref<7x3x32xi32>) {
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%y : memref<7x3x32xi32>)
  linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]} ins(%x, %w : memref<7x96xi8>, memref<3x24x32x4xi8>) outs(%y : memref<7x3x32xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  }
  return
}
