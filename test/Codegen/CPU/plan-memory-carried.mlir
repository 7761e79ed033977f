// RUN: onnx-mlir-opt %s --onnxc-plan-memory | FileCheck %s

// A loop's carried buffer: each iteration frees what it began with, unless it is handed on or came from
// outside; what the last one made is freed after its last use. A constant that may be handed on is never freed.
// CHECK: %[[START:.*]] = rt.alloc(%{{.*}}) : memref<?xf32>
// CHECK: %[[R:.*]] = scf.for {{.*}} iter_args(%[[OLD:.*]] = %[[START]])
// CHECK: %[[NEXT:.*]] = rt.alloc
// CHECK-DAG: %[[A:.*]] = memref.extract_aligned_pointer_as_index %[[OLD]]
// CHECK-DAG: %[[B:.*]] = memref.extract_aligned_pointer_as_index %[[NEXT]]
// CHECK-DAG: %[[C:.*]] = memref.extract_aligned_pointer_as_index %[[START]]
// CHECK-DAG: arith.cmpi ne, %[[A]], %[[B]]
// CHECK-DAG: arith.cmpi ne, %[[A]], %[[C]]
// CHECK: scf.if
// CHECK-NEXT: rt.dealloc %[[OLD]]
// CHECK: scf.yield %[[NEXT]]
// CHECK: linalg.fill {{.*}} outs(%[[R]]
// CHECK: scf.if
// CHECK-NEXT: rt.dealloc %[[R]]
// CHECK: scf.for {{.*}} iter_args
// CHECK: rt.alloc
// CHECK-NOT: rt.dealloc
// CHECK: return
memref.global "private" constant @w : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 7 : index
  %v = arith.constant 1.0 : f32
  %start = memref.alloc(%n) : memref<?xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%s = %start) -> (memref<?xf32>) {
    %t = memref.alloc(%i) : memref<?xf32>
    linalg.fill ins(%v : f32) outs(%t : memref<?xf32>)
    scf.yield %t : memref<?xf32>
  }
  linalg.fill ins(%v : f32) outs(%r : memref<?xf32>)
  %w = memref.get_global @w : memref<4xf32>
  %first = memref.alloc() : memref<4xf32>
  %q = scf.for %i = %c0 to %n step %c1 iter_args(%s = %first) -> (memref<4xf32>) {
    %even = arith.cmpi eq, %i, %c1 : index
    %t = memref.alloc() : memref<4xf32>
    %h = arith.select %even, %t, %w : memref<4xf32>
    scf.yield %h : memref<4xf32>
  }
  return %ok : i32
}
