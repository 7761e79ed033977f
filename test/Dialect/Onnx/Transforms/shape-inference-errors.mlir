// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-shape-inference))' --split-input-file --verify-diagnostics

func.func @mismatch(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) -> tensor<*xf32> {
  // expected-error @below {{invalid operator}}
  %r = onnx.MatMul(%a, %b) : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}

// -----

func.func @declared(%a: tensor<2x3xf32>) -> tensor<3x2xf32> {
  // expected-warning @below {{is declared as 'tensor<3x2xf32>' but inferred as 'tensor<2x3xf32>'}}
  %r = onnx.Relu(%a) : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

func.func @branches(%c: tensor<i1>, %a: tensor<2xf32>, %b: tensor<2xi64>) -> tensor<*xf32> {
  // expected-error @below {{in one branch and}}
  %r = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> ({
    onnx.Yield %a : tensor<2xf32>
  }, {
    onnx.Yield %b : tensor<2xi64>
  })
  return %r : tensor<*xf32>
}

// -----

func.func @condition(%m: tensor<i64>, %x: tensor<2xf32>) -> tensor<*xf32> {
  %none = onnx.None
  // expected-error @below {{the body's condition is not a bool tensor}}
  %r = onnx.Loop(%m, %none, %x) : (tensor<i64>, none, tensor<2xf32>) -> tensor<*xf32> ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %v: tensor<2xf32>):
    onnx.Yield %v, %v : tensor<2xf32>, tensor<2xf32>
  })
  return %r : tensor<*xf32>
}

// -----

func.func @carried(%m: tensor<i64>, %x: tensor<2xf32>) -> tensor<*xf32> {
  %none = onnx.None
  // expected-error @below {{carried value 0 is}}
  %r = onnx.Loop(%m, %none, %x) : (tensor<i64>, none, tensor<2xf32>) -> tensor<*xf32> ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %v: tensor<2xf32>):
    %n = onnx.Cast(%v) {to = 7 : i64} : (tensor<2xf32>) -> tensor<2xi64>
    onnx.Yield %c, %n : tensor<i1>, tensor<2xi64>
  })
  return %r : tensor<*xf32>
}
