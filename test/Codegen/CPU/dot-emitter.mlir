// RUN: onnx-mlir-opt --onnxc-emit-loops="vector-bits=512 num-registers=32 byte-products=quads" %s | FileCheck %s --check-prefixes=CHECK,QUADS
// RUN: onnx-mlir-opt --onnxc-emit-loops="vector-bits=256 num-registers=16 byte-products=pairs" %s | FileCheck %s --check-prefixes=CHECK,PAIRS
// RUN: onnx-mlir-opt --onnxc-emit-loops="vector-bits=128 num-registers=32 byte-products=portable" %s | FileCheck %s --check-prefixes=CHECK,PORTABLE
// RUN: onnx-mlir-opt --onnxc-emit-loops="vector-bits=128 num-registers=32 byte-products=signed-dots" %s | FileCheck %s --check-prefixes=CHECK,SIGNED
// RUN: onnx-mlir-opt --onnxc-emit-loops="vector-bits=128 num-registers=32 byte-products=mixed-dots" %s | FileCheck %s --check-prefixes=CHECK,MIXED

// Rows share the weights of a step; the fill became the accumulators' start.
// CHECK-LABEL: func.func @product
// CHECK-NOT: linalg.fill
// QUADS: scf.for {{.*}} -> (vector<16xi32>
// QUADS: vector.load {{.*}} vector<64xi8>
// QUADS: vector.load {{.*}} vector<4xi8>
// QUADS: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// PAIRS: scf.for {{.*}} -> (vector<8xi32>
// PAIRS: arith.shrsi {{.*}} : vector<16xi16>
// PAIRS: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// PORTABLE: scf.for {{.*}} -> (vector<4xi32>
// PORTABLE: arith.muli {{.*}} : vector<4xi32>
// PORTABLE-NOT: llvm.call_intrinsic
// The sums of the weights, 128 times, are where the sums of all rows start.
// SIGNED: scf.for {{.*}} -> (vector<4xi32>
// SIGNED: %[[ONES:.*]] = arith.constant dense<1> : vector<16xi8>
// SIGNED-NEXT: {{.*}}llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"({{.*}}, %[[ONES]])
// SIGNED: arith.shli
// SIGNED: scf.for {{.*}} -> (vector<4xi32>
// SIGNED: arith.xori {{.*}} : vector<16xi8>
// SIGNED: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
// MIXED: scf.for {{.*}} -> (vector<4xi32>
// MIXED: llvm.call_intrinsic "llvm.aarch64.neon.usdot.v4i32.v16i8"
func.func @product(%x: memref<?x64xi8>, %w: memref<3x16x64x4xi8>, %y: memref<?x3x64xi32>) {
  %zero = arith.constant 0 : i32
  linalg.fill ins(%zero : i32) outs(%y : memref<?x3x64xi32>)
  linalg.generic {indexing_maps = [affine_map<(m, p, k, j, q) -> (m, k * 4 + q)>, affine_map<(m, p, k, j, q) -> (p, k, j, q)>, affine_map<(m, p, k, j, q) -> (m, p, j)>], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]} ins(%x, %w : memref<?x64xi8>, memref<3x16x64x4xi8>) outs(%y : memref<?x3x64xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  }
  return
}
