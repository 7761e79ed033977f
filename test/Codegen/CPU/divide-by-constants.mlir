// RUN: onnx-mlir-opt %s --onnxc-divide-by-constants | FileCheck %s

// CHECK-LABEL: @six
// CHECK-DAG: %[[R:.*]] = arith.constant dense<0.166666672> : vector<4xf32>
// CHECK-DAG: %[[C:.*]] = arith.constant dense<-6.000000e+00> : vector<4xf32>
// CHECK: %[[Q:.*]] = arith.mulf %{{.*}}, %[[R]] : vector<4xf32>
// CHECK: %[[P:.*]] = arith.mulf %[[Q]], %[[C]] fastmath<contract>
// CHECK: %[[REST:.*]] = arith.addf %[[P]], %{{.*}} fastmath<contract>
// CHECK: arith.cmpf one, %[[REST]]
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[Q]]
// CHECK-NOT: arith.divf
func.func @six(%x: vector<4xf32>) -> vector<4xf32> {
  %c = arith.constant dense<6.0> : vector<4xf32>
  %y = arith.divf %x, %c : vector<4xf32>
  return %y : vector<4xf32>
}

// The quotient may be infinite where x is not.
// CHECK-LABEL: @tenth
// CHECK: arith.cmpf ord
func.func @tenth(%x: vector<4xf32>) -> vector<4xf32> {
  %c = arith.constant dense<0.1> : vector<4xf32>
  %y = arith.divf %x, %c : vector<4xf32>
  return %y : vector<4xf32>
}

// CHECK-LABEL: @four
// CHECK-NEXT: arith.constant dense<2.500000e-01>
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: return
func.func @four(%x: vector<4xf32>) -> vector<4xf32> {
  %c = arith.constant dense<4.0> : vector<4xf32>
  %y = arith.divf %x, %c : vector<4xf32>
  return %y : vector<4xf32>
}

// CHECK-LABEL: @zero
// CHECK: arith.divf
func.func @zero(%x: vector<4xf32>) -> vector<4xf32> {
  %c = arith.constant dense<0.0> : vector<4xf32>
  %y = arith.divf %x, %c : vector<4xf32>
  return %y : vector<4xf32>
}
