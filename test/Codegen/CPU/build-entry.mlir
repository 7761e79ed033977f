// RUN: onnx-mlir-opt %s --onnxc-build-entry | FileCheck %s

// The allocation behind the first result is the output's memory; the second is an
// argument and is copied; the third holds strings.
// CHECK: module attributes {{.*}}onnxc.inputs = [{onnx.name = "x"}]
// CHECK: func.func @onnxc_generated_main(%[[CTX:.*]]: !llvm.ptr) -> i32
// CHECK: %[[X:.*]] = rt.input 0 : memref<?xf32>
// CHECK: %[[Y:.*]] = rt.output 0(%{{.*}}) : memref<?xf32>
// CHECK: linalg.fill {{.*}} outs(%[[Y]]
// CHECK: %[[Z:.*]] = rt.output 1(
// CHECK: memref.copy %[[X]], %[[Z]]
// CHECK: rt.set_output 2, %{{.*}} : memref<1xi64>
func.func @main_graph(%x: memref<?xf32> {onnx.name = "x"})
    -> (memref<?xf32> {onnx.name = "y"}, memref<?xf32> {onnx.name = "z"}, memref<1xi64> {onnx.name = "s", onnx.type = tensor<1x!onnx.string>}) {
  %c0 = arith.constant 0 : index
  %v = arith.constant 1.0 : f32
  %n = memref.dim %x, %c0 : memref<?xf32>
  %y = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%v : f32) outs(%y : memref<?xf32>)
  %s = rt.string_constant ["a"] : memref<1xi64>
  return %y, %x, %s : memref<?xf32>, memref<?xf32>, memref<1xi64>
}
