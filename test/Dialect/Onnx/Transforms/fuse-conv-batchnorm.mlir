// RUN: onnx-mlir-opt %s --onnx-fuse-conv-batchnorm --split-input-file | FileCheck %s

// scale / sqrt(var + epsilon) = 2, so weights double and the bias is (1 - 3) * 2 + 5.
// CHECK-LABEL: @batchnorm
// CHECK-DAG: dense<2.000000e+00> : tensor<1x1x1x1xf32>
// CHECK-DAG: dense<1.000000e+00> : tensor<1xf32>
// CHECK: %[[C:.*]] = onnx.Conv
// CHECK-NEXT: return %[[C]]
func.func @batchnorm(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32> {
  %none = onnx.None
  %w = onnx.Constant dense<1.0> : tensor<1x1x1x1xf32>
  %b = onnx.Constant dense<1.0> : tensor<1xf32>
  %scale = onnx.Constant dense<4.0> : tensor<1xf32>
  %shift = onnx.Constant dense<5.0> : tensor<1xf32>
  %mean = onnx.Constant dense<3.0> : tensor<1xf32>
  %var = onnx.Constant dense<4.0> : tensor<1xf32>
  %c = onnx.Conv(%x, %w, %b) : (tensor<1x1x4x4xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>) -> tensor<1x1x4x4xf32>
  %y:3 = onnx.BatchNormalization(%c, %scale, %shift, %mean, %var) {epsilon = 0.0 : f32} : (tensor<1x1x4x4xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> (tensor<1x1x4x4xf32>, none, none)
  return %y#0 : tensor<1x1x4x4xf32>
}

// -----

// Another user needs the product as it was.
// CHECK-LABEL: @shared
// CHECK: onnx.Mul
func.func @shared(%x: tensor<1x1x4x4xf32>) -> (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) {
  %none = onnx.None
  %w = onnx.Constant dense<1.0> : tensor<1x1x1x1xf32>
  %k = onnx.Constant dense<3.0> : tensor<1x1x1xf32>
  %c = onnx.Conv(%x, %w, %none) : (tensor<1x1x4x4xf32>, tensor<1x1x1x1xf32>, none) -> tensor<1x1x4x4xf32>
  %m = onnx.Mul(%c, %k) : (tensor<1x1x4x4xf32>, tensor<1x1x1xf32>) -> tensor<1x1x4x4xf32>
  return %c, %m : tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>
}
