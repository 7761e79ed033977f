// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-shape-inference))' --split-input-file | FileCheck %s

// The flatten idiom: Shape, Gather, Concat, Reshape. The batch stays a symbol, so the -1 is known.
// CHECK-LABEL: @flatten
// CHECK-SAME: onnx.dim_params = ["batch", ""]
// CHECK: onnx.Reshape{{.*}} -> tensor<?x48xf32>
func.func @flatten(%x: tensor<?x3x4x4xf32> {onnx.dim_params = ["batch", "", "", ""]}) -> tensor<*xf32> {
  %i = onnx.Constant dense<0> : tensor<i64>
  %axes = onnx.Constant dense<0> : tensor<1xi64>
  %minus = onnx.Constant dense<-1> : tensor<1xi64>
  %s = onnx.Shape(%x) : (tensor<?x3x4x4xf32>) -> tensor<4xi64>
  %g = onnx.Gather(%s, %i) : (tensor<4xi64>, tensor<i64>) -> tensor<*xi64>
  %u = onnx.Unsqueeze(%g, %axes) : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  %c = onnx.Concat(%u, %minus) {axis = 0 : i64} : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  %r = onnx.Reshape(%x, %c) : (tensor<?x3x4x4xf32>, tensor<*xi64>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}

// -----

// Where all is known, a constant takes the place of the computation.
// CHECK-LABEL: @constant
// CHECK: onnx.Constant dense<[2, 12]> : tensor<2xi64>
// CHECK: -> tensor<2x12xf32>
func.func @constant(%x: tensor<2x3x4xf32>) -> tensor<*xf32> {
  %k = onnx.Constant dense<6> : tensor<1xi64>
  %two = onnx.Constant dense<2> : tensor<1xi64>
  %s = onnx.Shape(%x) {start = 0 : i64, end = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<*xi64>
  %m = onnx.Mul(%k, %two) : (tensor<1xi64>, tensor<1xi64>) -> tensor<*xi64>
  %c = onnx.Concat(%s, %m) {axis = 0 : i64} : (tensor<*xi64>, tensor<*xi64>) -> tensor<*xi64>
  %r = onnx.Reshape(%x, %c) : (tensor<2x3x4xf32>, tensor<*xi64>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}

// -----

// A branch each of another size: the dimension is dynamic.
// CHECK-LABEL: @branches
// CHECK-SAME: -> (tensor<?x4xf32>
func.func @branches(%c: tensor<i1>, %a: tensor<2x4xf32>, %b: tensor<3x4xf32>) -> tensor<*xf32> {
  %r = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> ({
    onnx.Yield %a : tensor<2x4xf32>
  }, {
    onnx.Yield %b : tensor<3x4xf32>
  })
  return %r : tensor<*xf32>
}

// -----

// A loop that grows what it carries; its scan output has a known length.
// CHECK-LABEL: @loop
// CHECK-SAME: -> (tensor<?x2xf32> {{.*}}, tensor<5x2xf32>
func.func @loop(%init: tensor<1x2xf32>, %row: tensor<1x2xf32>, %item: tensor<2xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %m = onnx.Constant dense<5> : tensor<i64>
  %none = onnx.None
  %r:2 = onnx.Loop(%m, %none, %init) : (tensor<i64>, none, tensor<1x2xf32>) -> (tensor<*xf32>, tensor<*xf32>) ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %v: tensor<*xf32>):
    %next = onnx.Concat(%v, %row) {axis = 0 : i64} : (tensor<*xf32>, tensor<1x2xf32>) -> tensor<*xf32>
    %out = onnx.Identity(%item) : (tensor<2xf32>) -> tensor<*xf32>
    onnx.Yield %c, %next, %out : tensor<i1>, tensor<*xf32>, tensor<*xf32>
  })
  return %r#0, %r#1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// A shape tensor of unknown length has the length that its operator asks for.
// CHECK-LABEL: @lengths
// CHECK: %[[P:.*]] = onnx.Identity(%arg1) : (tensor<?xi64>) -> tensor<4xi64>
// CHECK: onnx.Pad(%arg0, %[[P]]
func.func @lengths(%x: tensor<2x3xf32>, %pads: tensor<?xi64>) -> tensor<*xf32> {
  %none = onnx.None
  %r = onnx.Pad(%x, %pads, %none, %none) : (tensor<2x3xf32>, tensor<?xi64>, none, none) -> tensor<*xf32>
  return %r : tensor<*xf32>
}
