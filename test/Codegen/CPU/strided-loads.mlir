// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-emit-loops{vector-bits=128}),canonicalize)' | FileCheck %s

// What is contiguous along another dimension than the result is loaded along that one and transposed in registers.
// CHECK-LABEL: @turn
// CHECK-COUNT-4: vector.load %arg0
// CHECK-COUNT-8: vector.shuffle
// CHECK-COUNT-4: vector.store
// CHECK-NOT: memref.load
func.func @turn(%x: memref<32x64xf32>, %y: memref<64x32xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, b) -> (b, a)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<32x64xf32>) outs(%y : memref<64x32xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// Elements that are two apart come from two whole vectors, the second of which ends at the last element.
// CHECK-LABEL: @everySecond
// CHECK: vector.load %arg0
// CHECK: arith.addi %{{.*}}, %c3
// CHECK: vector.load %arg0
// CHECK: vector.shuffle {{.*}} [0, 1, 5, 7]
func.func @everySecond(%x: memref<63xf32>, %y: memref<32xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a) -> (2 * a)>, affine_map<(a) -> (a)>], iterator_types = ["parallel"]}
      ins(%x : memref<63xf32>) outs(%y : memref<32xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// Six elements in vectors of four: of the last two, only what is there is read.
// CHECK-LABEL: @everySecondRagged
// CHECK: vector.constant_mask [3]
// CHECK: vector.maskedload %arg0
func.func @everySecondRagged(%x: memref<11xf32>, %y: memref<6xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a) -> (2 * a)>, affine_map<(a) -> (a)>], iterator_types = ["parallel"]}
      ins(%x : memref<11xf32>) outs(%y : memref<6xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// A window with a stride runs along the result's row, not along the window.
// CHECK-LABEL: @pool
// CHECK: vector.shuffle
// CHECK: arith.maximumf {{.*}} : vector<4xf32>
func.func @pool(%x: memref<16xf32>, %w: memref<2xf32>, %y: memref<8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(a, k) -> (2 * a + k)>, affine_map<(a, k) -> (k)>, affine_map<(a, k) -> (a)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<16xf32>, memref<2xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%in: f32, %tap: f32, %out: f32):
    %0 = arith.maximumf %in, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// Several accumulators of one reduction, each with its own combination of lanes.
// CHECK-LABEL: @minMax
// CHECK: vector.reduction <minimumf>
// CHECK: vector.reduction <maximumf>
func.func @minMax(%x: memref<64xf32>, %lo: memref<f32>, %hi: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> ()>, affine_map<(a) -> ()>], iterator_types = ["reduction"]}
      ins(%x : memref<64xf32>) outs(%lo, %hi : memref<f32>, memref<f32>) {
  ^bb0(%in: f32, %l: f32, %h: f32):
    %0 = arith.minimumf %in, %l : f32
    %1 = arith.maximumf %in, %h : f32
    linalg.yield %0, %1 : f32, f32
  }
  return
}

// A tile that was computed in place is not copied to itself.
// CHECK-LABEL: @selfCopy
// CHECK-NEXT: return
func.func @selfCopy(%y: memref<64x32xf32, strided<[64, 1]>>) {
  memref.copy %y, %y : memref<64x32xf32, strided<[64, 1]>> to memref<64x32xf32, strided<[64, 1]>>
  return
}
