// RUN: onnx-mlir-opt %s --onnx-shape-inference --onnx-sink-into-branches | FileCheck %s

// What depends on the result is in each branch, with its rank; what does not stays.
// CHECK-LABEL: @ranks(
// CHECK: onnx.Neg
// CHECK: %[[R:.*]]:2 = onnx.If(%arg0) : (tensor<i1>) -> (tensor<i64>, tensor<?xf32>)
// CHECK: onnx.Relu(%arg1) : (tensor<4xf32>) -> tensor<4xf32>
// CHECK: onnx.Constant dense<4>
// CHECK: onnx.Reshape
// CHECK: onnx.Relu(%arg2) : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK: onnx.Constant dense<6>
// CHECK: onnx.Reshape
// CHECK-NOT: onnx.Relu
// CHECK: return %[[R]]#1, %[[R]]#0
func.func @ranks(%c: tensor<i1>, %a: tensor<4xf32>, %b: tensor<2x3xf32>) -> (tensor<*xf32>, tensor<i64>) {
  %flat = onnx.Constant dense<-1> : tensor<1xi64>
  %r = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> ({
    onnx.Yield %a : tensor<4xf32>
  }, {
    onnx.Yield %b : tensor<2x3xf32>
  })
  %s = onnx.Relu(%r) : (tensor<*xf32>) -> tensor<*xf32>
  %o = onnx.Neg(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %n = onnx.Size(%s) : (tensor<*xf32>) -> tensor<i64>
  %v = onnx.Reshape(%s, %flat) {allowzero = 0 : i64} : (tensor<*xf32>, tensor<1xi64>) -> tensor<*xf32>
  return %v, %n : tensor<*xf32>, tensor<i64>
}

// -----

// Nothing to be done for a result that is only given out.
// CHECK-LABEL: @given_out
// CHECK: onnx.If{{.*}} -> tensor<*xf32>
func.func @given_out(%c: tensor<i1>, %a: tensor<4xf32>, %b: tensor<2x3xf32>) -> tensor<*xf32> {
  %r = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> ({
    onnx.Yield %a : tensor<4xf32>
  }, {
    onnx.Yield %b : tensor<2x3xf32>
  })
  return %r : tensor<*xf32>
}
