// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))' | FileCheck %s
// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops{vector-bits=256 num-registers=16}))' | FileCheck %s --check-prefix=AVX2

// A register tile of 6 rows of 4 vectors, carried by the loop over k.
// CHECK-LABEL: @matmul
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>,
// CHECK: memref.load %arg0
// CHECK: vector.broadcast
// CHECK: vector.load %arg1
// CHECK: arith.mulf {{.*}} fastmath<contract>
// AVX2-LABEL: @matmul
// AVX2: scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>,
func.func @matmul(%a: memref<50x32xf32>, %b: memref<32x64xf32>, %c: memref<50x64xf32>) {
  linalg.matmul ins(%a, %b : memref<50x32xf32>, memref<32x64xf32>) outs(%c : memref<50x64xf32>)
  return
}

// The end of a row that no whole vector fits is masked.
// CHECK-LABEL: @ragged
// CHECK: vector.load
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
func.func @ragged(%x: memref<21xf32>, %y: memref<21xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<21xf32>) outs(%y : memref<21xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  }
  return
}

// A sum along rows: vectors of partial sums, four side by side where the row is long, then one horizontal sum.
// CHECK-LABEL: @sum
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: scf.for {{.*}} -> (vector<16xf32>)
// CHECK: vector.reduction <add>
func.func @sum(%x: memref<4x?xf32>, %y: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x?xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %o : f32
    linalg.yield %s : f32
  }
  return
}

// A body that reads other memory stays scalar.
// CHECK-LABEL: @scalar
// CHECK-NOT: vector.
// CHECK: memref.load %arg1
func.func @scalar(%i: memref<8xi64>, %t: memref<?xf32>, %y: memref<8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%i : memref<8xi64>) outs(%y : memref<8xf32>) {
  ^bb0(%l: i64, %o: f32):
    %k = arith.index_cast %l : i64 to index
    %s = memref.load %t[%k] : memref<?xf32>
    linalg.yield %s : f32
  }
  return
}

// A pool: eight maxima side by side, two vectors of four rows.
// CHECK-LABEL: @pool
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c20{{.*}} step %c4
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
func.func @pool(%x: memref<24x36xf32>, %w: memref<5x5xf32>, %y: memref<20x32xf32>) {
  linalg.generic {indexing_maps = [affine_map<(h, w, i, j) -> (h + i, w + j)>, affine_map<(h, w, i, j) -> (i, j)>, affine_map<(h, w, i, j) -> (h, w)>],
                  iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : memref<24x36xf32>, memref<5x5xf32>) outs(%y : memref<20x32xf32>) {
  ^bb0(%a: f32, %unused: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  }
  return
}
