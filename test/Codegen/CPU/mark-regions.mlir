// RUN: onnx-mlir-opt %s --onnxc-mark-regions --mlir-print-local-scope | FileCheck %s

// One mark before each kernel; its nodes come from the computation inside, in the file's
// order. The loop around a call is no kernel, what it holds is.
// CHECK: module attributes {onnxc.regions = [
// CHECK-SAME: {nodes = "Conv:c\0ARelu:r", parallel = true}
// CHECK-SAME: {nodes = "TopK:t", parallel = false}
// CHECK: rt.region 0
// CHECK-NEXT: scf.forall
// CHECK: scf.for
// CHECK: rt.region 1
// CHECK-NEXT: rt.kernel "TopK"
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index loc("Add:elsewhere")
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %a = rt.arena 0 : memref<8xf32>
  scf.forall (%i) in (8) {
    %x = memref.load %a[%i] : memref<8xf32> loc(#conv)
    %y = arith.maximumf %x, %x : f32 loc(#relu)
    memref.store %y, %a[%i] : memref<8xf32> loc(#relu)
  }
  scf.for %i = %c0 to %c8 step %c1 {
    rt.kernel "TopK"(%a : memref<8xf32>) outs(%a : memref<8xf32>) {elem_types = array<i64: 1, 1>} loc(#topk)
  }
  return %ok : i32
}
#conv = loc("Conv:c"("m.onnx":4:0))
#relu = loc("Relu:r"("m.onnx":5:0))
#topk = loc("TopK:t"("m.onnx":6:0))
