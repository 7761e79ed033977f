// RUN: onnx-mlir-opt %s --onnxc-expand-reshapes | FileCheck %s

// CHECK-LABEL: @two
// CHECK-NOT: memref.expand_shape
// CHECK: memref.reinterpret_cast
func.func @two(%x: memref<?x32xf32>, %d: index, %e: index) -> memref<?x?x32xf32> {
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%d, %e, 32] : memref<?x32xf32> into memref<?x?x32xf32>
  return %y : memref<?x?x32xf32>
}

// CHECK-LABEL: @one
// CHECK: memref.expand_shape
func.func @one(%x: memref<?x32xf32>, %d: index) -> memref<?x4x32xf32> {
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%d, 4, 32] : memref<?x32xf32> into memref<?x4x32xf32>
  return %y : memref<?x4x32xf32>
}
