// RUN: onnx-mlir-opt --convert-onnx-to-linalg %s | FileCheck %s

// Out-of-range floats are guarded: fptosi would give poison.
// CHECK-LABEL: func.func @floatToInt
// CHECK: arith.cmpf oge
// CHECK: arith.select
// CHECK: arith.fptosi {{.*}} : f32 to i32
func.func @floatToInt(%a: tensor<4xf32>) -> tensor<4xi32> {
  %0 = onnx.Cast(%a) {to = 6 : i64} : (tensor<4xf32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// NaN is true.
// CHECK-LABEL: func.func @floatToBool
// CHECK: arith.cmpf une
func.func @floatToBool(%a: tensor<4xf32>) -> tensor<4xi1> {
  %0 = onnx.Cast(%a) {to = 9 : i64} : (tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// float8 is stored as its bits.
// CHECK-LABEL: func.func @toFloat8
// CHECK-SAME: -> (tensor<4xi8> {onnx.type = tensor<4xf8E4M3FN>})
// CHECK: arith.bitcast {{.*}} : f32 to i32
// CHECK: arith.trunci {{.*}} : i32 to i8
func.func @toFloat8(%a: tensor<4xf32>) -> tensor<4xf8E4M3FN> {
  %0 = onnx.Cast(%a) {to = 17 : i64} : (tensor<4xf32>) -> tensor<4xf8E4M3FN>
  return %0 : tensor<4xf8E4M3FN>
}

// CHECK-LABEL: func.func @fromString
// CHECK: rt.kernel "CastFromString"(%{{.*}} : tensor<2xi64>) {{.*}}elem_types = array<i64: 8, 1>
func.func @fromString(%a: tensor<2x!onnx.string>) -> tensor<2xf32> {
  %0 = onnx.Cast(%a) {to = 1 : i64} : (tensor<2x!onnx.string>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: func.func @constants
// CHECK-DAG: arith.constant dense<[-1, 7]> : tensor<2xi8>
// CHECK-DAG: arith.constant dense<[1, 0]> : tensor<2xi8>
// CHECK-DAG: rt.string_constant ["a", "b"] : tensor<2xi64>
func.func @constants() -> (tensor<2xi4>, tensor<2xi1>, tensor<2x!onnx.string>) {
  %0 = onnx.Constant dense<[-1, 7]> : tensor<2xi4>
  %1 = onnx.Constant dense<[true, false]> : tensor<2xi1>
  %2 = onnx.Constant dense<["a", "b"]> : tensor<2x!onnx.string>
  return %0, %1, %2 : tensor<2xi4>, tensor<2xi1>, tensor<2x!onnx.string>
}
