// RUN: onnx-mlir-opt --convert-onnx-to-linalg --canonicalize %s | FileCheck %s

// The symbol survives: only the last dimension is split.
// CHECK-LABEL: func.func @splitHeads
// CHECK-NOT: rt.assert
// CHECK: tensor.expand_shape %{{.*}} {{\[\[}}0], [1], [2, 3]]
func.func @splitHeads(%x: tensor<?x?x768xf32> {onnx.dim_params = ["b", "s", ""]}) -> tensor<?x?x12x64xf32> {
  %s = onnx.Shape(%x) {start = 0 : i64, end = 2 : i64} : (tensor<?x?x768xf32>) -> tensor<2xi64>
  %h = onnx.Constant dense<[12, 64]> : tensor<2xi64>
  %t = onnx.Concat(%s, %h) {axis = 0 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<4xi64>
  %0 = onnx.Reshape(%x, %t) : (tensor<?x?x768xf32>, tensor<4xi64>) -> tensor<?x?x12x64xf32>
  return %0 : tensor<?x?x12x64xf32>
}

// CHECK-LABEL: func.func @mergeThenSplit
// CHECK: tensor.collapse_shape
// CHECK: tensor.expand_shape
func.func @mergeThenSplit(%x: tensor<4x6xf32>) -> tensor<3x8xf32> {
  %t = onnx.Constant dense<[3, -1]> : tensor<2xi64>
  %0 = onnx.Reshape(%x, %t) : (tensor<4x6xf32>, tensor<2xi64>) -> tensor<3x8xf32>
  return %0 : tensor<3x8xf32>
}

// CHECK-LABEL: func.func @sliceForward
// CHECK: tensor.extract_slice %{{.*}}[1, 0] [2, 3] [2, 1]
func.func @sliceForward(%x: tensor<5x3xf32>) -> tensor<2x3xf32> {
  %none = onnx.None
  %s = onnx.Constant dense<1> : tensor<1xi64>
  %e = onnx.Constant dense<-1> : tensor<1xi64>
  %a = onnx.Constant dense<0> : tensor<1xi64>
  %t = onnx.Constant dense<2> : tensor<1xi64>
  %0 = onnx.Slice(%x, %s, %e, %a, %t) : (tensor<5x3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// A negative step is a gather.
// CHECK-LABEL: func.func @sliceBackward
// CHECK: linalg.generic
// CHECK: tensor.extract
func.func @sliceBackward(%x: tensor<5xf32>) -> tensor<5xf32> {
  %s = onnx.Constant dense<-1> : tensor<1xi64>
  %e = onnx.Constant dense<-9223372036854775808> : tensor<1xi64>
  %a = onnx.Constant dense<0> : tensor<1xi64>
  %t = onnx.Constant dense<-1> : tensor<1xi64>
  %0 = onnx.Slice(%x, %s, %e, %a, %t) : (tensor<5xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// CHECK-LABEL: func.func @concat
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0] [2, 3] [1, 1]
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[2, 0] [1, 3] [1, 1]
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<1x3xf32>) -> tensor<3x3xf32> {
  %0 = onnx.Concat(%a, %b) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// CHECK-LABEL: func.func @pad
// CHECK: tensor.pad %{{.*}} low[1] high[2]
func.func @pad(%x: tensor<4xf32>) -> tensor<7xf32> {
  %none = onnx.None
  %p = onnx.Constant dense<[1, 2]> : tensor<2xi64>
  %0 = onnx.Pad(%x, %p, %none, %none) {mode = "constant"} : (tensor<4xf32>, tensor<2xi64>, none, none) -> tensor<7xf32>
  return %0 : tensor<7xf32>
}

// Positions are clamped: nothing outside of the data is read.
// CHECK-LABEL: func.func @gather
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: tensor.extract
func.func @gather(%x: tensor<9x4xf32>, %i: tensor<2x3xi64>) -> tensor<2x3x4xf32> {
  %0 = onnx.Gather(%x, %i) {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @scatter
// CHECK: scf.for
// CHECK: rt.assert {{.*}}, "Scatter: an index is out of range"
// CHECK: arith.addf
// CHECK: tensor.insert
func.func @scatter(%x: tensor<4xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) -> tensor<4xf32> {
  %0 = onnx.ScatterElements(%x, %i, %u) {axis = 0 : i64, reduction = "add"} : (tensor<4xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @cumsum
// CHECK: scf.for
// CHECK: arith.addf
func.func @cumsum(%x: tensor<4x3xf32>, %axis: tensor<i64>) -> tensor<4x3xf32> {
  %0 = onnx.CumSum(%x, %axis) {exclusive = 0 : i64, reverse = 0 : i64} : (tensor<4x3xf32>, tensor<i64>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}
