// RUN: onnx-mlir-opt %s --onnxc-round-to-integer | FileCheck %s

// CHECK-LABEL: func.func @vector
// CHECK-NOT: math.roundeven
// CHECK: llvm.call_intrinsic "llvm.lrint"({{.*}}) : (vector<16xf32>) -> vector<16xi32>
func.func @vector(%x: vector<16xf32>) -> vector<16xi32> {
  %r = math.roundeven %x : vector<16xf32>
  %i = arith.fptosi %r : vector<16xf32> to vector<16xi32>
  return %i : vector<16xi32>
}

// Other widths keep both; conversions alone cut off.
// CHECK-LABEL: func.func @others
// CHECK: math.roundeven
// CHECK: arith.fptosi
// CHECK: arith.fptosi
func.func @others(%x: f64, %y: f32) -> (i32, i32) {
  %r = math.roundeven %x : f64
  %i = arith.fptosi %r : f64 to i32
  %j = arith.fptosi %y : f32 to i32
  return %i, %j : i32, i32
}
