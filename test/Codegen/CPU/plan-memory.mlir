// RUN: onnx-mlir-opt %s --onnxc-plan-memory | FileCheck %s

memref.global "private" constant @w : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>

// %a is dead when %c is made: both have offset 0. %b lives with each of them. A loop's carried buffer
// has no fixed place. A dynamic buffer goes back to the pool after its last use.
// CHECK: module attributes {{.*}}onnxc.arena_bytes = 2048 : i64, onnxc.dynamic_memory = true, onnxc.weights = {{.*}}onnxc.weights_bytes = 16 : i64
// CHECK: rt.weight 0 : memref<4xf32>
// CHECK: %[[A:.*]] = rt.arena 0 : memref<256xf32>
// CHECK: %[[B:.*]] = rt.arena 1024 : memref<256xf32>
// CHECK: memref.copy %[[A]], %[[B]]
// CHECK: %[[C:.*]] = rt.arena 0 : memref<256xf32>
// CHECK: memref.copy %[[B]], %[[C]]
// CHECK: %[[D:.*]] = rt.alloc(%{{.*}}) : memref<?xf32>
// CHECK: scf.for
// CHECK: rt.alloc() : memref<4xf32>
// CHECK: linalg.fill {{.*}} outs(%[[D]]
// CHECK-NEXT: rt.dealloc %[[D]]
// Scratch of a parallel body: a little on the stack, much from the pool.
// CHECK: scf.forall
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<4xf32>
// CHECK-DAG: %[[S:.*]] = rt.alloc() : memref<65536xf32>
// CHECK: rt.dealloc %[[S]]
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 7 : index
  %v = arith.constant 1.0 : f32
  %w = memref.get_global @w : memref<4xf32>
  %a = memref.alloc() : memref<256xf32>
  linalg.fill ins(%v : f32) outs(%a : memref<256xf32>)
  %b = memref.alloc() : memref<256xf32>
  memref.copy %a, %b : memref<256xf32> to memref<256xf32>
  %c = memref.alloc() : memref<256xf32>
  memref.copy %b, %c : memref<256xf32> to memref<256xf32>
  %d = memref.alloc(%n) : memref<?xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%s = %w) -> (memref<4xf32>) {
    %t = memref.alloc() : memref<4xf32>
    memref.copy %s, %t : memref<4xf32> to memref<4xf32>
    scf.yield %t : memref<4xf32>
  }
  memref.copy %r, %w : memref<4xf32> to memref<4xf32>
  linalg.fill ins(%v : f32) outs(%d : memref<?xf32>)
  linalg.fill ins(%v : f32) outs(%c : memref<256xf32>)
  scf.forall (%i) in (4) {
    %little = memref.alloc() : memref<4xf32>
    %much = memref.alloc() : memref<65536xf32>
    memref.store %v, %little[%c0] : memref<4xf32>
    memref.store %v, %much[%i] : memref<65536xf32>
    memref.store %v, %c[%i] : memref<256xf32>
  }
  return %ok : i32
}
