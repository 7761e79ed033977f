// RUN: onnx-mlir-opt %s --onnx-fold-constants --split-input-file | FileCheck %s

// CHECK-LABEL: @movement
// CHECK-DAG: dense<{{\[}}[0.000000e+00, 3.000000e+00], [1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00]]>
// CHECK-DAG: dense<[5, 3, 1]>
func.func @movement() -> (tensor<3x2xf32>, tensor<3xi64>) {
  %x = onnx.Constant dense<[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]> : tensor<2x3xf32>
  %t = onnx.Transpose(%x) {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %v = onnx.Constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>
  %s = onnx.Constant dense<-1> : tensor<1xi64>
  %e = onnx.Constant dense<-100> : tensor<1xi64>
  %a = onnx.Constant dense<0> : tensor<1xi64>
  %st = onnx.Constant dense<-2> : tensor<1xi64>
  %r = onnx.Slice(%v, %s, %e, %a, %st) : (tensor<6xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xi64>
  return %t, %r : tensor<3x2xf32>, tensor<3xi64>
}

// -----

// CHECK-LABEL: @arithmetic
// CHECK-DAG: dense<[1.100000e+01, 2.200000e+01]> : tensor<2xf32>
// CHECK-DAG: dense<[true, false]> : tensor<2xi1>
// CHECK-DAG: dense<[-2, 2]> : tensor<2xi32>
func.func @arithmetic() -> (tensor<2xf32>, tensor<2xi1>, tensor<2xi32>) {
  %x = onnx.Constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = onnx.Constant dense<[10.0, 20.0]> : tensor<2xf32>
  %sum = onnx.Add(%x, %y) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %k = onnx.Constant dense<11.0> : tensor<f32>
  %eq = onnx.Equal(%sum, %k) : (tensor<2xf32>, tensor<f32>) -> tensor<2xi1>
  %a = onnx.Constant dense<[-5, 5]> : tensor<2xi32>
  %b = onnx.Constant dense<2> : tensor<i32>
  %q = onnx.Div(%a, %b) : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  return %sum, %eq, %q : tensor<2xf32>, tensor<2xi1>, tensor<2xi32>
}

// -----

// Shapes need no values; a large tensor of one value is not made.
// CHECK-LABEL: @limits
// CHECK-DAG: onnx.ConstantOfShape
// CHECK-DAG: onnx.Constant dense<[3, 4]> : tensor<2xi64>
func.func @limits(%x: tensor<2x3x4xf32>) -> (tensor<1000x1000xf32>, tensor<2xi64>) {
  %shape = onnx.Constant dense<1000> : tensor<2xi64>
  %big = onnx.ConstantOfShape(%shape) : (tensor<2xi64>) -> tensor<1000x1000xf32>
  %s = onnx.Shape(%x) {start = -2 : i64} : (tensor<2x3x4xf32>) -> tensor<2xi64>
  return %big, %s : tensor<1000x1000xf32>, tensor<2xi64>
}

// -----

// CHECK-LABEL: @layers
// CHECK-NOT: onnx.BatchNormalization
// CHECK-NOT: onnx.MatMul
// CHECK-NOT: onnx.ReduceL2
// CHECK-DAG: dense<{{\[\[}}-0.99{{.*}}, 0.99{{.*}}
// CHECK-DAG: dense<5.000000e+00>
// CHECK: return
func.func @layers() -> (tensor<1x2xf32>, tensor<1xf32>) {
  %none = onnx.None
  %x = onnx.Constant dense<[[[1.0, 3.0]]]> : tensor<1x1x2xf32>
  %one = onnx.Constant dense<1.0> : tensor<1xf32>
  %zero = onnx.Constant dense<0.0> : tensor<1xf32>
  %y, %m, %v = onnx.BatchNormalization(%x, %one, %zero, %zero, %one) {training_mode = 1 : i64} : (tensor<1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> (tensor<1x1x2xf32>, tensor<1xf32>, tensor<1xf32>)
  %shape = onnx.Constant dense<[1, 2]> : tensor<2xi64>
  %rows = onnx.Reshape(%y, %shape) : (tensor<1x1x2xf32>, tensor<2xi64>) -> tensor<1x2xf32>
  %a = onnx.Constant dense<[[3.0, 4.0]]> : tensor<1x2xf32>
  %unit = onnx.Constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %p = onnx.MatMul(%a, %unit) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %axis = onnx.Constant dense<1> : tensor<1xi64>
  %norm = onnx.ReduceL2(%p, %axis) {keepdims = 0 : i64} : (tensor<1x2xf32>, tensor<1xi64>) -> tensor<1xf32>
  return %rows, %norm : tensor<1x2xf32>, tensor<1xf32>
}
