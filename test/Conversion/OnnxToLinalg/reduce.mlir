// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @mean
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: arith.divf
// CHECK: tensor.expand_shape
func.func @mean(%x: tensor<?x16xf32>) -> tensor<?x1xf32> {
  %axes = onnx.Constant dense<-1> : tensor<1xi64>
  %0 = onnx.ReduceMean(%x, %axes) : (tensor<?x16xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  return %0 : tensor<?x1xf32>
}

// Axes known only at run time: a condition for each dimension.
// CHECK-LABEL: func.func @runTimeAxes
// CHECK: scf.if
// CHECK: scf.if
// CHECK: tensor.reshape
func.func @runTimeAxes(%x: tensor<4x5xf32>, %axes: tensor<1xi64>) -> tensor<?xf32> {
  %0 = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<4x5xf32>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// CHECK-LABEL: func.func @logSumExp
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: math.log
func.func @logSumExp(%x: tensor<4x5xbf16>) -> tensor<1x1xbf16> {
  %none = onnx.None
  %0 = onnx.ReduceLogSumExp(%x, %none) : (tensor<4x5xbf16>, none) -> tensor<1x1xbf16>
  return %0 : tensor<1x1xbf16>
}

// CHECK-LABEL: func.func @maxOfBools
// CHECK: arith.maxui {{.*}} : i8
func.func @maxOfBools(%x: tensor<?xi1>) -> tensor<1xi1> {
  %none = onnx.None
  %0 = onnx.ReduceMax(%x, %none) : (tensor<?xi1>, none) -> tensor<1xi1>
  return %0 : tensor<1xi1>
}

// CHECK-LABEL: func.func @argMax
// CHECK: arith.cmpf oge
func.func @argMax(%x: tensor<?x5xf32>) -> tensor<?xi64> {
  %0 = onnx.ArgMax(%x) {axis = 1 : i64, keepdims = 0 : i64, select_last_index = 1 : i64}
    : (tensor<?x5xf32>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}
