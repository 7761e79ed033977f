// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-distribute-loops))' | FileCheck %s

// A large copy becomes a parallel loop over parts of its outermost dimension.
// CHECK-LABEL: @copy
// CHECK: scf.forall (%[[I:.*]]) = (0) to (64) step (4)
// CHECK: memref.subview %arg0[%[[I]], 0, 0] [4, 128, 16]
// CHECK: linalg.generic
func.func @copy(%x: memref<64x128x16xf32, strided<[4096, 32, 1]>>, %y: memref<64x128x16xf32>) {
  memref.copy %x, %y : memref<64x128x16xf32, strided<[4096, 32, 1]>> to memref<64x128x16xf32>
  return
}

// A small one is not worth it.
// CHECK-LABEL: @fillSmall
// CHECK-NOT: scf.forall
func.func @fillSmall(%v: f32, %y: memref<64x16xf32>) {
  linalg.fill ins(%v : f32) outs(%y : memref<64x16xf32>)
  return
}

// Few outer iterations: two loops are split, and positions count from the whole.
// CHECK-LABEL: @index
// CHECK: scf.forall (%{{.*}}, %[[J:.*]]) = (0, 0) to (4, 32768) step (1, 8192)
// CHECK: %[[I:.*]] = linalg.index 1
// CHECK: affine.apply {{.*}}(%[[J]])[%[[I]]]
func.func @index(%y: memref<4x32768xi64>) {
  linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      outs(%y : memref<4x32768xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 1 : index
    %v = arith.index_cast %i : index to i64
    linalg.yield %v : i64
  }
  return
}

// What is in a parallel loop stays.
// CHECK-LABEL: @inside
// CHECK-COUNT-1: scf.forall
// CHECK-NOT: scf.forall
func.func @inside(%v: f32, %y: memref<4x64x1024xf32>) {
  scf.forall (%i) in (4) {
    %s = memref.subview %y[%i, 0, 0] [1, 64, 1024] [1, 1, 1] : memref<4x64x1024xf32> to memref<1x64x1024xf32, strided<[65536, 1024, 1], offset: ?>>
    linalg.fill ins(%v : f32) outs(%s : memref<1x64x1024xf32, strided<[65536, 1024, 1], offset: ?>>)
  }
  return
}
