// RUN: onnx-mlir-opt %s --onnxc-outline-kernels | FileCheck %s
// RUN: onnx-mlir-opt %s --onnxc-outline-kernels --onnxc-partition=parts=2 | FileCheck %s --check-prefix=PART

// The two sequential loops are equal but for the buffers: one function. Their buffers
// are disjoint, hence noalias. The parallel loop takes a range; its scratch, on the
// stack or from the pool, is the same for all iterations.
// CHECK-LABEL: func.func @onnxc_generated_main
// CHECK: call @[[K:onnxc_kernel_fn_[0-9]+]](%arg0,
// CHECK: call @[[K]](%arg0,
// CHECK: rt.parallel_for @[[P:onnxc_kernel_fn_[0-9]+]][%{{.*}}, {{.*}}]
// CHECK: func.func private @[[K]](%arg0: !llvm.ptr, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias})
// CHECK: func.func private @[[P]](%arg0: !llvm.ptr, %arg1: index, %arg2: index, %arg3: !llvm.ptr {llvm.noalias})
// CHECK: memref.alloca() : memref<4xf32>
// CHECK: %[[S:.*]] = rt.alloc() : memref<65536xf32>
// CHECK: scf.for %{{.*}} = %arg1 to %arg2
// CHECK-NOT: memref.alloca
// CHECK-NOT: rt.alloc
// CHECK: }
// CHECK: rt.dealloc %[[S]]

// PART: module @part_0
// PART: func.func @onnxc_generated_main
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %v = arith.constant 1.0 : f32
  %a = rt.arena 0 : memref<8xf32>
  %b = rt.arena 64 : memref<8xf32>
  %c = rt.arena 128 : memref<8xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %x = memref.load %a[%i] : memref<8xf32>
    memref.store %x, %b[%i] : memref<8xf32>
  }
  scf.for %i = %c0 to %c8 step %c1 {
    %x = memref.load %b[%i] : memref<8xf32>
    memref.store %x, %c[%i] : memref<8xf32>
  }
  scf.forall (%i) in (8) {
    %t = memref.alloca() : memref<4xf32>
    %s = rt.alloc() : memref<65536xf32>
    memref.store %v, %t[%c0] : memref<4xf32>
    %x = memref.load %t[%c0] : memref<4xf32>
    memref.store %x, %s[%i] : memref<65536xf32>
    memref.store %x, %a[%i] : memref<8xf32>
    rt.dealloc %s : memref<65536xf32>
  }
  return %ok : i32
}
