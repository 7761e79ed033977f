// RUN: onnx-mlir-opt %s --onnxc-convert-to-llvm | FileCheck %s

// The rt dialect becomes calls of runtime/model; a kernel gets its tensors as structs on the
// stack and its attributes as constants.
// CHECK-DAG: llvm.mlir.global external hidden constant @onnxc_weights()
// CHECK-DAG: llvm.func hidden @onnxc_kernel_TopK
// CHECK-LABEL: llvm.func hidden @onnxc_generated_main
// CHECK: llvm.call @onnxc_input_data
// CHECK: llvm.call @onnxc_arena
// CHECK: llvm.mlir.addressof @onnxc_weights
// CHECK: llvm.call @onnxc_alloc
// CHECK: llvm.call @onnxc_call_kernel
// CHECK: llvm.call @onnxc_check
// CHECK: llvm.call @onnxc_free
// CHECK: llvm.call @onnxc_output
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %t = arith.constant true
  %x = rt.input 0 : memref<?xf32>
  %n = memref.dim %x, %c0 : memref<?xf32>
  %k = rt.arena 64 : memref<1xi64>
  %w = rt.weight 128 : memref<4xf32>
  %p = rt.alloc(%n) : memref<?xf32>
  %v:2 = rt.kernel "TopK"(%x, %k : memref<?xf32>, memref<1xi64>) {attrs = {axis = 0 : i64}, elem_types = array<i64: 1, 7, 1, 7>} : memref<?xf32>, memref<?xi64>
  rt.assert %t, "never"
  rt.dealloc %p : memref<?xf32>
  %y = rt.output 0(%n) : memref<?xf32>
  return %ok : i32
}
