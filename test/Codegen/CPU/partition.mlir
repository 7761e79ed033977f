// RUN: onnx-mlir-opt %s --onnxc-partition=parts=2 | FileCheck %s

// A small model stays in one module; what a module calls it defines or declares.
// CHECK: module @part_0
// CHECK-DAG: func.func @onnxc_generated_main
// CHECK-DAG: func.func @onnxc_kernel_fn_0
// CHECK-NOT: module @part_1
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  call @onnxc_kernel_fn_0(%ctx) : (!llvm.ptr) -> ()
  return %ok : i32
}
func.func private @onnxc_kernel_fn_0(%ctx: !llvm.ptr) {
  return
}
