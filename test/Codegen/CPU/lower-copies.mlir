// RUN: onnx-mlir-opt %s --onnxc-lower-copies | FileCheck %s

// A strided copy becomes loops; a contiguous one stays, unless it is large; a copy onto itself goes.
// CHECK-LABEL: @strided
// CHECK: linalg.generic
// CHECK-NOT: memref.copy
func.func @strided(%x: memref<4x4xf32, strided<[8, 1]>>, %y: memref<4x4xf32>) {
  memref.copy %x, %y : memref<4x4xf32, strided<[8, 1]>> to memref<4x4xf32>
  return
}

// CHECK-LABEL: @contiguous
// CHECK-COUNT-1: memref.copy
// CHECK-NOT: memref.copy
// CHECK: linalg.generic
func.func @contiguous(%x: memref<4x4xf32>, %y: memref<4x4xf32>, %a: memref<512x512xf32>, %b: memref<512x512xf32>) {
  memref.copy %x, %y : memref<4x4xf32> to memref<4x4xf32>
  memref.copy %x, %x : memref<4x4xf32> to memref<4x4xf32>
  memref.copy %a, %b : memref<512x512xf32> to memref<512x512xf32>
  return
}
