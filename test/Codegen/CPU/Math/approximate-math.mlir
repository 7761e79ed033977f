// RUN: onnx-mlir-opt %s --onnxc-approximate-math | FileCheck %s
// RUN: onnx-mlir-opt %s --onnxc-approximate-math=fused=false | FileCheck %s --check-prefix=PLAIN

// Vectors and scalars of f32 become arithmetic (test/numerics measures the errors); f64 is libm's, one
// element at a time.
// CHECK: func.func private @exp(f64) -> f64
// CHECK-LABEL: func.func @single
// CHECK-NOT: math.exp
// CHECK: math.fma {{.*}} : vector<16xf32>
// PLAIN-LABEL: func.func @single
// PLAIN-NOT: math.fma
// PLAIN: arith.mulf {{.*}} : vector<16xf32>
func.func @single(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// Arguments too large for f32 are reduced in a branch of their own.
// CHECK-LABEL: func.func @large_arguments
// CHECK: %[[LARGE:.*]] = vector.reduction <or>
// CHECK: %[[RARE:.*]] = llvm.intr.expect %[[LARGE]]
// CHECK: scf.if %[[RARE]]
// CHECK: arith.muli {{.*}} : vector<16xi64>
func.func @large_arguments(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.sin %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: func.func @scalar
// CHECK-NOT: call @powf
// CHECK: arith.truncf {{.*}} : f64 to f32
func.func @scalar(%x: f32, %y: f32) -> f32 {
  %z = math.powf %x, %y : f32
  return %z : f32
}

// CHECK-LABEL: func.func @double
// CHECK: vector.extract
// CHECK: call @exp
func.func @double(%x: vector<2xf64>) -> vector<2xf64> {
  %y = math.exp %x : vector<2xf64>
  return %y : vector<2xf64>
}

// The larger of two: one comparison, a second one only where NaN can come from both.
// CHECK-LABEL: @extremes
// CHECK-COUNT-1: arith.cmpf ogt
// CHECK: arith.cmpf uno
// CHECK: arith.cmpf ogt
// CHECK-NOT: arith.cmpf
func.func @extremes(%x: vector<16xf32>, %y: vector<16xf32>) -> vector<16xf32> {
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %m = arith.maximumf %x, %y : vector<16xf32>
  %r = arith.maximumf %m, %zero : vector<16xf32>
  return %r : vector<16xf32>
}
