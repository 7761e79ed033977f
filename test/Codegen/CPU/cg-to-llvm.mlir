// RUN: onnx-mlir-opt %s --onnxc-convert-to-llvm | FileCheck %s

// Tile registers keep their numbers.
// CHECK-LABEL: llvm.func hidden @tiles
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"(%{{.*}}) : (!llvm.ptr) -> ()
// CHECK: %[[FOUR:.*]] = llvm.mlir.constant(4 : i8) : i8
// CHECK-NEXT: llvm.call_intrinsic "llvm.x86.tilezero"(%[[FOUR]])
// CHECK: %[[STRIDE:.*]] = llvm.mlir.constant(256 : i64) : i64
// CHECK: llvm.call_intrinsic "llvm.x86.tileloadd64"(%{{.*}}, %{{.*}}, %[[STRIDE]]) : (i8, !llvm.ptr, i64) -> ()
// CHECK: llvm.call_intrinsic "llvm.x86.tdpbusd"(%{{.*}}, %{{.*}}, %{{.*}}) : (i8, i8, i8) -> ()
// CHECK: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK: llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK: llvm.call_intrinsic "llvm.x86.tilerelease"() : () -> ()
func.func @tiles(%shapes: memref<64xi8>, %x: memref<16x256xi8>, %y: memref<16x16xi32>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  cg.tile_configure %shapes : memref<64xi8>
  cg.tile_zero 4
  cg.tile_load 5, %x[%c0, %c64] stride 256 : memref<16x256xi8>
  cg.tile_multiply 4, 5, 6
  cg.tile_multiply 4, 5, 6 bfloat
  cg.tile_store 4, %y[%c0, %c0] stride 64 : memref<16x16xi32>
  cg.tile_release
  return
}
