// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-sink-buffers))' | FileCheck %s

// The padding's zeros are written when the padded values come; the buffer does not exist before.
// CHECK-LABEL: @padding
// CHECK: linalg.exp
// CHECK-NEXT: memref.alloc() : memref<6xf32>
// CHECK-NEXT: memref.subview %{{.*}}[0]
// CHECK-NEXT: linalg.fill
// CHECK-NEXT: memref.subview %{{.*}}[1]
// CHECK-NEXT: linalg.log
func.func @padding(%x: memref<4xf32>, %y: memref<4xf32>, %z: memref<6xf32>) {
  %zero = arith.constant 0.0 : f32
  %whole = memref.alloc() : memref<6xf32>
  %border = memref.subview %whole[0] [1] [1] : memref<6xf32> to memref<1xf32, strided<[1]>>
  linalg.fill ins(%zero : f32) outs(%border : memref<1xf32, strided<[1]>>)
  %inner = memref.subview %whole[1] [4] [1] : memref<6xf32> to memref<4xf32, strided<[1], offset: 1>>
  linalg.exp ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  linalg.log ins(%y : memref<4xf32>) outs(%inner : memref<4xf32, strided<[1], offset: 1>>)
  memref.copy %whole, %z : memref<6xf32> to memref<6xf32>
  return
}

// A fill after the first use stays behind it.
// CHECK-LABEL: @filledLater
// CHECK: linalg.exp
// CHECK: linalg.fill
// CHECK: memref.copy
func.func @filledLater(%x: memref<4xf32>, %z: memref<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<4xf32>
  linalg.exp ins(%x : memref<4xf32>) outs(%a : memref<4xf32>)
  linalg.fill ins(%zero : f32) outs(%a : memref<4xf32>)
  memref.copy %a, %z : memref<4xf32> to memref<4xf32>
  return
}
