// RUN: onnx-mlir-opt --convert-onnx-to-linalg --canonicalize %s | FileCheck %s

// CHECK-LABEL: func.func @fillBool
// CHECK: linalg.fill ins(%{{.*}} : i8) outs(%{{.*}} : tensor<2x3xi8>)
func.func @fillBool(%x: tensor<2xi64>) -> tensor<2x3xi1> {
  %s = onnx.Constant dense<[2, 3]> : tensor<2xi64>
  %0 = onnx.ConstantOfShape(%s) {value = dense<true> : tensor<1xi1>} : (tensor<2xi64>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// CHECK-LABEL: func.func @range
// CHECK: arith.ceildivsi
// CHECK: linalg.generic
func.func @range(%n: tensor<i64>) -> tensor<?xi64> {
  %a = onnx.Constant dense<0> : tensor<i64>
  %d = onnx.Constant dense<2> : tensor<i64>
  %0 = onnx.Range(%a, %n, %d) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}

// CHECK-LABEL: func.func @oneHot
// CHECK: arith.cmpi eq
// CHECK: arith.select
func.func @oneHot(%i: tensor<3xi64>, %v: tensor<2xf32>) -> tensor<3x5xf32> {
  %d = onnx.Constant dense<5> : tensor<i64>
  %0 = onnx.OneHot(%i, %d, %v) {axis = -1 : i64} : (tensor<3xi64>, tensor<i64>, tensor<2xf32>) -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}
