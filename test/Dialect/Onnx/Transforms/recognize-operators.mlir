// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-recognize-operators))' --split-input-file | FileCheck %s

// CHECK-LABEL: @gelu
// CHECK: %[[R:.*]] = onnx.Gelu(%arg0)
// CHECK-NEXT: return %[[R]]
func.func @gelu(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %sqrt2 = onnx.Constant dense<1.41421354> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %half = onnx.Constant dense<0.5> : tensor<f32>
  %a = onnx.Div(%x, %sqrt2) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %b = onnx.Erf(%a) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = onnx.Add(%b, %one) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %d = onnx.Mul(%x, %c) : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %e = onnx.Mul(%d, %half) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  return %e : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: @layernorm
// CHECK: %[[R:.*]], %{{.*}}, %{{.*}} = onnx.LayerNormalization(%arg0, %arg1, %arg2) {axis = 1 : i64
// CHECK-NEXT: return %[[R]]
func.func @layernorm(%x: tensor<?x8xf32>, %scale: tensor<8xf32>, %bias: tensor<8xf32>) -> tensor<?x8xf32> {
  %axes = onnx.Constant dense<-1> : tensor<1xi64>
  %two = onnx.Constant dense<2.0> : tensor<f32>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %m = onnx.ReduceMean(%x, %axes) : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %d = onnx.Sub(%x, %m) : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %p = onnx.Pow(%d, %two) : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %v = onnx.ReduceMean(%p, %axes) : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %ve = onnx.Add(%v, %eps) : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %s = onnx.Sqrt(%ve) : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %n = onnx.Div(%d, %s) : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %ns = onnx.Mul(%n, %scale) : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %r = onnx.Add(%ns, %bias) : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// -----

// The attribute of LayerNormalization is a float, which 1.0e-5 in double is not.
// CHECK-LABEL: @layernormInDouble
// CHECK-NOT: onnx.LayerNormalization
// CHECK: return
func.func @layernormInDouble(%x: tensor<?x8xf64>, %scale: tensor<8xf64>) -> tensor<?x8xf64> {
  %axes = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f64>
  %m = onnx.ReduceMean(%x, %axes) : (tensor<?x8xf64>, tensor<1xi64>) -> tensor<?x1xf64>
  %d = onnx.Sub(%x, %m) : (tensor<?x8xf64>, tensor<?x1xf64>) -> tensor<?x8xf64>
  %p = onnx.Mul(%d, %d) : (tensor<?x8xf64>, tensor<?x8xf64>) -> tensor<?x8xf64>
  %v = onnx.ReduceMean(%p, %axes) : (tensor<?x8xf64>, tensor<1xi64>) -> tensor<?x1xf64>
  %ve = onnx.Add(%v, %eps) : (tensor<?x1xf64>, tensor<f64>) -> tensor<?x1xf64>
  %s = onnx.Sqrt(%ve) : (tensor<?x1xf64>) -> tensor<?x1xf64>
  %n = onnx.Div(%d, %s) : (tensor<?x8xf64>, tensor<?x1xf64>) -> tensor<?x8xf64>
  %ns = onnx.Mul(%n, %scale) : (tensor<?x8xf64>, tensor<8xf64>) -> tensor<?x8xf64>
  return %ns : tensor<?x8xf64>
}

// -----

// An eighth is one.
// CHECK-LABEL: @layernormInDoubleExactly
// CHECK: onnx.LayerNormalization(%arg0, %arg1
func.func @layernormInDoubleExactly(%x: tensor<?x8xf64>, %scale: tensor<8xf64>) -> tensor<?x8xf64> {
  %axes = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<0.125> : tensor<f64>
  %m = onnx.ReduceMean(%x, %axes) : (tensor<?x8xf64>, tensor<1xi64>) -> tensor<?x1xf64>
  %d = onnx.Sub(%x, %m) : (tensor<?x8xf64>, tensor<?x1xf64>) -> tensor<?x8xf64>
  %p = onnx.Mul(%d, %d) : (tensor<?x8xf64>, tensor<?x8xf64>) -> tensor<?x8xf64>
  %v = onnx.ReduceMean(%p, %axes) : (tensor<?x8xf64>, tensor<1xi64>) -> tensor<?x1xf64>
  %ve = onnx.Add(%v, %eps) : (tensor<?x1xf64>, tensor<f64>) -> tensor<?x1xf64>
  %s = onnx.Sqrt(%ve) : (tensor<?x1xf64>) -> tensor<?x1xf64>
  %n = onnx.Div(%d, %s) : (tensor<?x8xf64>, tensor<?x1xf64>) -> tensor<?x8xf64>
  %ns = onnx.Mul(%n, %scale) : (tensor<?x8xf64>, tensor<8xf64>) -> tensor<?x8xf64>
  return %ns : tensor<?x8xf64>
}
