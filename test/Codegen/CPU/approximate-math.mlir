// RUN: onnx-mlir-opt %s --onnxc-approximate-math | FileCheck %s

// Vectors of f32 become arithmetic; f64 is libm's, one element at a time.
// CHECK: func.func private @exp(f64) -> f64
// CHECK-LABEL: func.func @single
// CHECK-NOT: math.exp
// CHECK: arith.mulf {{.*}} : vector<16xf32>
func.func @single(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: func.func @double
// CHECK: vector.extract
// CHECK: call @exp
func.func @double(%x: vector<2xf64>) -> vector<2xf64> {
  %y = math.exp %x : vector<2xf64>
  return %y : vector<2xf64>
}
