// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))' --split-input-file | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
#n = affine_map<(m, n) -> (n)>

// Fill, product, bias and activation are one nest: accumulators start from a constant, and only what the
// activation gives is stored.
// CHECK-LABEL: @epilogue
// CHECK-SAME: %[[BIAS:[a-z0-9]*]]: memref<16xf32>
// CHECK: %[[Y:.*]] = memref.alloc() : memref<4x16xf32>
// CHECK-NOT: vector.store
// CHECK: scf.for
// CHECK-NOT: vector.store
// CHECK: vector.load %[[BIAS]]
// CHECK-NOT: vector.load %[[BIAS]]
// CHECK: arith.maximumf
// CHECK-COUNT-4: vector.store %{{.*}}, %[[Y]]
// CHECK-NOT: vector.store
// CHECK: return
func.func @epilogue(%a: memref<4x8xf32>, %b: memref<8x16xf32>, %bias: memref<16xf32>) -> memref<4x16xf32> {
  %y = memref.alloc() : memref<4x16xf32>
  %z = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<4x16xf32>
  linalg.fill ins(%z : f32) outs(%t : memref<4x16xf32>)
  linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x8xf32>, memref<8x16xf32>) outs(%t : memref<4x16xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #n, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t, %bias : memref<4x16xf32>, memref<16xf32>) outs(%y : memref<4x16xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.addf %l, %r : f32
    %s = arith.maximumf %p, %z : f32
    linalg.yield %s : f32
  }
  return %y : memref<4x16xf32>
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>

// The work in place on an argument keeps the element of before; someone else reads the product, so it is stored too.
// CHECK-LABEL: @inPlaceAndShared
// CHECK-SAME: %[[T:[a-z0-9]*]]: memref<2x16xf32>)
// CHECK: %[[Y:.*]] = memref.alloc() : memref<2x16xf32>
// CHECK: scf.for
// CHECK-DAG: vector.store %{{.*}}, %[[T]]
// CHECK-DAG: vector.load %[[Y]]
// CHECK-DAG: vector.store %{{.*}}, %[[Y]]
// CHECK: return
func.func @inPlaceAndShared(%a: memref<2x8xf32>, %b: memref<8x16xf32>, %t: memref<2x16xf32>) -> memref<2x16xf32> {
  %y = memref.alloc() : memref<2x16xf32>
  linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<2x8xf32>, memref<8x16xf32>) outs(%t : memref<2x16xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<2x16xf32>) outs(%y : memref<2x16xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %o : f32
    linalg.yield %s : f32
  }
  return %y : memref<2x16xf32>
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>

// The sum is written over the product's own operand, of which other rows are still read: two nests.
// CHECK-LABEL: @overwritesOperand
// CHECK: scf.yield
// CHECK: vector.store
// CHECK: scf.for
// CHECK: vector.load
// CHECK: arith.negf
// CHECK: vector.store
func.func @overwritesOperand(%a: memref<16x16xf32>, %b: memref<16x16xf32>) {
  %z = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<16x16xf32>
  linalg.fill ins(%z : f32) outs(%t : memref<16x16xf32>)
  linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<16x16xf32>, memref<16x16xf32>) outs(%t : memref<16x16xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<16x16xf32>) outs(%a : memref<16x16xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  }
  return
}
