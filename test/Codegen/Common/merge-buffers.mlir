// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-merge-buffers),canonicalize,cse)' --split-input-file | FileCheck %s

// What is padded is made within the padded buffer, through the view between them; only the border is filled.
// CHECK-LABEL: @padded
// CHECK: %[[PADDED:.*]] = memref.alloc() : memref<4x10x8xf32>
// CHECK: %[[INNER:.*]] = memref.subview %[[PADDED]][1, 1, 0] [2, 8, 8]
// CHECK: %[[VIEW:.*]] = memref.expand_shape %[[INNER]] {{\[}}[0], [1], [2, 3]]
// CHECK: linalg.exp ins({{.*}}) outs(%[[VIEW]]
// CHECK: memref.subview %[[PADDED]][0, 0, 0] [1, 10, 8]
// CHECK: memref.subview %[[PADDED]][3, 0, 0] [1, 10, 8]
// CHECK: memref.subview %[[PADDED]][1, 0, 0] [2, 1, 8]
// CHECK: memref.subview %[[PADDED]][1, 9, 0] [2, 1, 8]
// CHECK-NOT: memref.copy
func.func @padded(%x: memref<2x8x2x4xf32>) -> memref<4x10x8xf32> {
  %zero = arith.constant 0.0 : f32
  %part = memref.alloc() : memref<2x8x2x4xf32>
  linalg.exp ins(%x : memref<2x8x2x4xf32>) outs(%part : memref<2x8x2x4xf32>)
  %view = memref.collapse_shape %part [[0], [1], [2, 3]] : memref<2x8x2x4xf32> into memref<2x8x8xf32>
  %padded = memref.alloc() : memref<4x10x8xf32>
  linalg.fill ins(%zero : f32) outs(%padded : memref<4x10x8xf32>)
  %inner = memref.subview %padded[1, 1, 0] [2, 8, 8] [1, 1, 1] : memref<4x10x8xf32> to memref<2x8x8xf32, strided<[80, 8, 1], offset: 88>>
  memref.copy %view, %inner : memref<2x8x8xf32> to memref<2x8x8xf32, strided<[80, 8, 1], offset: 88>>
  return %padded : memref<4x10x8xf32>
}

// -----

// Parts of a whole whose sizes are known at run time only: they differ along the last dimension.
// CHECK-LABEL: @joined
// CHECK: %[[WHOLE:.*]] = memref.alloc(%{{.*}}) : memref<?x5xf32>
// CHECK-DAG: %[[A:.*]] = memref.subview %[[WHOLE]][0, 0]
// CHECK-DAG: linalg.exp ins({{.*}}) outs(%[[A]]
// CHECK-DAG: %[[B:.*]] = memref.subview %[[WHOLE]][0, 2]
// CHECK-DAG: linalg.log ins({{.*}}) outs(%[[B]]
// CHECK-NOT: memref.copy
func.func @joined(%x: memref<?x2xf32>, %y: memref<?x3xf32>) -> memref<?x5xf32> {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x2xf32>
  %a = memref.alloc(%n) : memref<?x2xf32>
  linalg.exp ins(%x : memref<?x2xf32>) outs(%a : memref<?x2xf32>)
  %b = memref.alloc(%n) : memref<?x3xf32>
  linalg.log ins(%y : memref<?x3xf32>) outs(%b : memref<?x3xf32>)
  %whole = memref.alloc(%n) : memref<?x5xf32>
  %left = memref.subview %whole[0, 0] [%n, 2] [1, 1] : memref<?x5xf32> to memref<?x2xf32, strided<[5, 1]>>
  memref.copy %a, %left : memref<?x2xf32> to memref<?x2xf32, strided<[5, 1]>>
  %right = memref.subview %whole[0, 2] [%n, 3] [1, 1] : memref<?x5xf32> to memref<?x3xf32, strided<[5, 1], offset: 2>>
  memref.copy %b, %right : memref<?x3xf32> to memref<?x3xf32, strided<[5, 1], offset: 2>>
  return %whole : memref<?x5xf32>
}

// -----

// The part is written again while the whole is still read: two buffers.
// CHECK-LABEL: @overwritten
// CHECK: memref.alloc() : memref<4xf32>
// CHECK: memref.alloc() : memref<6xf32>
// CHECK: memref.copy
func.func @overwritten(%x: memref<4xf32>, %y: memref<4xf32>, %z: memref<6xf32>) {
  %zero = arith.constant 0.0 : f32
  %part = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%part : memref<4xf32>)
  %whole = memref.alloc() : memref<6xf32>
  linalg.fill ins(%zero : f32) outs(%whole : memref<6xf32>)
  %inner = memref.subview %whole[1] [4] [1] : memref<6xf32> to memref<4xf32, strided<[1], offset: 1>>
  memref.copy %part, %inner : memref<4xf32> to memref<4xf32, strided<[1], offset: 1>>
  linalg.log ins(%x : memref<4xf32>) outs(%part : memref<4xf32>)
  linalg.exp ins(%whole : memref<6xf32>) outs(%z : memref<6xf32>)
  linalg.exp ins(%part : memref<4xf32>) outs(%y : memref<4xf32>)
  return
}

// -----

// A large copy that has to stay is spread over the threads.
// CHECK-LABEL: @distributed
// CHECK: scf.forall (%[[I:.*]]) = (0) to (64) step (2)
// CHECK: memref.subview %{{.*}}[%[[I]], 0, 0] [2, 64, 128]
// CHECK: memref.copy
func.func @distributed(%x: memref<64x64x128xf32>, %y: memref<66x66x128xf32>) {
  %inner = memref.subview %y[1, 1, 0] [64, 64, 128] [1, 1, 1] : memref<66x66x128xf32> to memref<64x64x128xf32, strided<[8448, 128, 1], offset: 8576>>
  memref.copy %x, %inner : memref<64x64x128xf32> to memref<64x64x128xf32, strided<[8448, 128, 1], offset: 8576>>
  return
}

// -----

// A product's columns would be every second element: it keeps its own buffer.
// CHECK-LABEL: @torn
// CHECK: %[[PART:.*]] = memref.alloc() : memref<4x8xf32>
// CHECK: linalg.matmul {{.*}} outs(%[[PART]] : memref<4x8xf32>)
// CHECK: memref.copy
func.func @torn(%x: memref<4x3xf32>, %w: memref<3x8xf32>) -> memref<4x8x2xf32> {
  %part = memref.alloc() : memref<4x8xf32>
  linalg.matmul ins(%x, %w : memref<4x3xf32>, memref<3x8xf32>) outs(%part : memref<4x8xf32>)
  %whole = memref.alloc() : memref<4x8x2xf32>
  %view = memref.expand_shape %part [[0], [1, 2]] output_shape [4, 8, 1] : memref<4x8xf32> into memref<4x8x1xf32>
  %inner = memref.subview %whole[0, 0, 1] [4, 8, 1] [1, 1, 1] : memref<4x8x2xf32> to memref<4x8x1xf32, strided<[16, 2, 1], offset: 1>>
  memref.copy %view, %inner : memref<4x8x1xf32> to memref<4x8x1xf32, strided<[16, 2, 1], offset: 1>>
  return %whole : memref<4x8x2xf32>
}
