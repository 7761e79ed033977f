// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-recognize-quantized))' --split-input-file | FileCheck %s

// Relu does what saturation does; the signed activation in between becomes unsigned.
// CHECK-LABEL: @conv
// CHECK: %[[A:.*]] = onnx.QLinearConv(%arg0, {{.*}}group = 1 {{.*}}tensor<1x4x6x6xui8>
// CHECK-NOT: onnx.Relu
// CHECK: %[[B:.*]], %{{.*}} = onnx.MaxPool(%[[A]]) {{.*}}tensor<1x4x3x3xui8>
// CHECK: onnx.DequantizeLinear(%[[B]]
func.func @conv(%x: tensor<1x3x8x8xui8>) -> tensor<1x4x3x3xf32> {
  %none = onnx.None
  %xs = onnx.Constant dense<0.5> : tensor<f32>
  %xz = onnx.Constant dense<3> : tensor<ui8>
  %w = onnx.Constant dense<1> : tensor<4x3x3x3xi8>
  %ws = onnx.Constant dense<[0.1, 0.2, 0.3, 0.4]> : tensor<4xf32>
  %wz = onnx.Constant dense<0> : tensor<4xi8>
  %b = onnx.Constant dense<7> : tensor<4xi32>
  %bs = onnx.Constant dense<[0.05, 0.1, 0.15, 0.2]> : tensor<4xf32>
  %bz = onnx.Constant dense<0> : tensor<4xi32>
  %ys = onnx.Constant dense<0.25> : tensor<f32>
  %yz = onnx.Constant dense<-128> : tensor<i8>
  %0 = onnx.DequantizeLinear(%x, %xs, %xz) : (tensor<1x3x8x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x3x8x8xf32>
  %1 = onnx.DequantizeLinear(%w, %ws, %wz) {axis = 0 : i64} : (tensor<4x3x3x3xi8>, tensor<4xf32>, tensor<4xi8>) -> tensor<4x3x3x3xf32>
  %2 = onnx.DequantizeLinear(%b, %bs, %bz) {axis = 0 : i64} : (tensor<4xi32>, tensor<4xf32>, tensor<4xi32>) -> tensor<4xf32>
  %3 = onnx.Conv(%0, %1, %2) : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x6x6xf32>
  %4 = onnx.Relu(%3) : (tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %5 = onnx.QuantizeLinear(%4, %ys, %yz) : (tensor<1x4x6x6xf32>, tensor<f32>, tensor<i8>) -> tensor<1x4x6x6xi8>
  %6 = onnx.DequantizeLinear(%5, %ys, %yz) : (tensor<1x4x6x6xi8>, tensor<f32>, tensor<i8>) -> tensor<1x4x6x6xf32>
  %7, %i = onnx.MaxPool(%6) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x6x6xf32>) -> (tensor<1x4x3x3xf32>, none)
  %8 = onnx.QuantizeLinear(%7, %ys, %yz) : (tensor<1x4x3x3xf32>, tensor<f32>, tensor<i8>) -> tensor<1x4x3x3xi8>
  %9 = onnx.DequantizeLinear(%8, %ys, %yz) : (tensor<1x4x3x3xi8>, tensor<f32>, tensor<i8>) -> tensor<1x4x3x3xf32>
  return %9 : tensor<1x4x3x3xf32>
}

// -----

// CHECK-LABEL: @products
// CHECK: onnx.QLinearMatMul(%arg0
// CHECK: %[[S:.*]] = onnx.MatMulInteger(%arg0
// CHECK: %[[F:.*]] = onnx.Cast(%[[S]])
// CHECK: onnx.Mul(%[[F]]
// CHECK: onnx.Custom "com.microsoft" : "QGemm"(%arg0
func.func @products(%x: tensor<?x4xui8>) -> (tensor<?x2xui8>, tensor<?x2xf32>, tensor<?x2xui8>) {
  %none = onnx.None
  %s = onnx.Constant dense<0.5> : tensor<f32>
  %z = onnx.Constant dense<3> : tensor<ui8>
  %w = onnx.Constant dense<[[1, 2], [3, 4], [5, 6], [7, 8]]> : tensor<4x2xi8>
  %ws = onnx.Constant dense<[0.1, 0.2]> : tensor<2xf32>
  %wz = onnx.Constant dense<0> : tensor<2xi8>
  %0 = onnx.DequantizeLinear(%x, %s, %z) : (tensor<?x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x4xf32>
  %1 = onnx.DequantizeLinear(%w, %ws, %wz) {axis = 1 : i64} : (tensor<4x2xi8>, tensor<2xf32>, tensor<2xi8>) -> tensor<4x2xf32>
  %2 = onnx.MatMul(%0, %1) : (tensor<?x4xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>
  %3 = onnx.QuantizeLinear(%2, %s, %z) : (tensor<?x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x2xui8>
  %4 = onnx.MatMul(%0, %1) : (tensor<?x4xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>
  %5 = onnx.Gemm(%0, %1, %none) : (tensor<?x4xf32>, tensor<4x2xf32>, none) -> tensor<?x2xf32>
  %6 = onnx.QuantizeLinear(%5, %s, %z) : (tensor<?x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x2xui8>
  return %3, %4, %6 : tensor<?x2xui8>, tensor<?x2xf32>, tensor<?x2xui8>
}

// -----

// A bias of another scale is added in floats; a clip at 6 cuts off what could be stored.
// CHECK-LABEL: @floats
// CHECK: %[[P:.*]] = onnx.Custom "com.microsoft" : "QGemm"(%arg0, {{.*}}, tensor<i8>, none, none, none)
// CHECK: %[[B:.*]] = onnx.Add(%[[P]], %arg1)
// CHECK: onnx.QuantizeLinear(%[[B]]
// CHECK: onnx.Clip
func.func @floats(%x: tensor<?x4xui8>, %b: tensor<2xf32>, %v: tensor<8xf32>) -> (tensor<?x2xui8>, tensor<8xui8>) {
  %s = onnx.Constant dense<0.5> : tensor<f32>
  %z = onnx.Constant dense<0> : tensor<ui8>
  %w = onnx.Constant dense<[[1, 2], [3, 4], [5, 6], [7, 8]]> : tensor<4x2xi8>
  %wz = onnx.Constant dense<0> : tensor<i8>
  %low = onnx.Constant dense<0.0> : tensor<f32>
  %high = onnx.Constant dense<6.0> : tensor<f32>
  %0 = onnx.DequantizeLinear(%x, %s, %z) : (tensor<?x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<?x4xf32>
  %1 = onnx.DequantizeLinear(%w, %s, %wz) : (tensor<4x2xi8>, tensor<f32>, tensor<i8>) -> tensor<4x2xf32>
  %2 = onnx.Gemm(%0, %1, %b) : (tensor<?x4xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %3 = onnx.QuantizeLinear(%2, %s, %z) : (tensor<?x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<?x2xui8>
  %4 = onnx.Clip(%v, %low, %high) : (tensor<8xf32>, tensor<f32>, tensor<f32>) -> tensor<8xf32>
  %5 = onnx.QuantizeLinear(%4, %s, %z) : (tensor<8xf32>, tensor<f32>, tensor<ui8>) -> tensor<8xui8>
  return %3, %5 : tensor<?x2xui8>, tensor<8xui8>
}

// -----

// Convolutions whose bias does not have the scale of the products, and whose result stays a float.
// CHECK-LABEL: @scaled
// CHECK-DAG: %[[QF:.*]] = onnx.Constant dense<{{\[\[\[}}2.000000e-01{{\]\], \[\[}}8.000000e-01]]]> : tensor<2x1x1xf32>
// CHECK-DAG: %[[F:.*]] = onnx.Constant dense<{{\[\[\[}}5.000000e-02{{\]\], \[\[}}2.000000e-01]]]> : tensor<2x1x1xf32>
// CHECK-DAG: %[[QB:.*]] = onnx.Constant dense<{{\[\[\[}}1.400000e+00{{\]\], \[\[}}2.800000e+00]]]> : tensor<2x1x1xf32>
// CHECK-DAG: %[[ONE:.*]] = onnx.Constant dense<1.0{{.*}}> : tensor<f32>
// CHECK: onnx.ConvInteger(%arg0
// CHECK: onnx.Cast
// CHECK: %[[M:.*]] = onnx.Mul(%{{.*}}, %[[QF]])
// CHECK: %[[A:.*]] = onnx.Add(%[[M]], %[[QB]])
// CHECK: onnx.QuantizeLinear(%[[A]], %[[ONE]],
// CHECK: onnx.ConvInteger(%arg0
// CHECK: onnx.Cast
// CHECK: %[[R:.*]] = onnx.Mul(%{{.*}}, %[[F]])
// CHECK: return %{{.*}}, %[[R]]
func.func @scaled(%x: tensor<1x3x8x8xui8>) -> (tensor<1x2x6x6xui8>, tensor<1x2x6x6xf32>) {
  %none = onnx.None
  %xs = onnx.Constant dense<0.5> : tensor<f32>
  %xz = onnx.Constant dense<3> : tensor<ui8>
  %w = onnx.Constant dense<1> : tensor<2x3x3x3xi8>
  %ws = onnx.Constant dense<[0.1, 0.4]> : tensor<2xf32>
  %wz = onnx.Constant dense<0> : tensor<2xi8>
  %b = onnx.Constant dense<7> : tensor<2xi32>
  %bs = onnx.Constant dense<[0.05, 0.1]> : tensor<2xf32>
  %bz = onnx.Constant dense<0> : tensor<2xi32>
  %ys = onnx.Constant dense<0.25> : tensor<f32>
  %yz = onnx.Constant dense<128> : tensor<ui8>
  %0 = onnx.DequantizeLinear(%x, %xs, %xz) : (tensor<1x3x8x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x3x8x8xf32>
  %1 = onnx.DequantizeLinear(%w, %ws, %wz) {axis = 0 : i64} : (tensor<2x3x3x3xi8>, tensor<2xf32>, tensor<2xi8>) -> tensor<2x3x3x3xf32>
  %2 = onnx.DequantizeLinear(%b, %bs, %bz) {axis = 0 : i64} : (tensor<2xi32>, tensor<2xf32>, tensor<2xi32>) -> tensor<2xf32>
  %3 = onnx.Conv(%0, %1, %2) : (tensor<1x3x8x8xf32>, tensor<2x3x3x3xf32>, tensor<2xf32>) -> tensor<1x2x6x6xf32>
  %4 = onnx.QuantizeLinear(%3, %ys, %yz) : (tensor<1x2x6x6xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x2x6x6xui8>
  %5 = onnx.Conv(%0, %1, %none) : (tensor<1x3x8x8xf32>, tensor<2x3x3x3xf32>, none) -> tensor<1x2x6x6xf32>
  return %4, %5 : tensor<1x2x6x6xui8>, tensor<1x2x6x6xf32>
}

// -----

// The part with the same scale stays as it is, the other is quantized again; both outputs of one Split are of integers.
// CHECK-LABEL: @concat
// CHECK: %[[D:.*]] = onnx.DequantizeLinear(%arg1
// CHECK: %[[Q:.*]] = onnx.QuantizeLinear(%[[D]]
// CHECK: %[[C:.*]] = onnx.Concat(%arg0, %[[Q]]) {{.*}}tensor<1x6x2x2xui8>
// CHECK: %[[R:.*]] = onnx.Resize(%[[C]], {{.*}}tensor<1x6x4x4xui8>
// CHECK: onnx.Split(%[[R]]{{.*}}tensor<1x3x4x4xui8>, tensor<1x3x4x4xui8>
// CHECK: onnx.Split(%[[R]]{{.*}}tensor<1x3x4x4xui8>, tensor<1x3x4x4xui8>
func.func @concat(%a: tensor<1x2x2x2xui8>, %b: tensor<1x4x2x2xui8>) -> (tensor<1x3x4x4xui8>, tensor<1x3x4x4xui8>) {
  %none = onnx.None
  %s = onnx.Constant dense<0.5> : tensor<f32>
  %t = onnx.Constant dense<0.25> : tensor<f32>
  %z = onnx.Constant dense<3> : tensor<ui8>
  %scales = onnx.Constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  %0 = onnx.DequantizeLinear(%a, %s, %z) : (tensor<1x2x2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x2x2x2xf32>
  %1 = onnx.DequantizeLinear(%b, %t, %z) : (tensor<1x4x2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x4x2x2xf32>
  %2 = onnx.Concat(%0, %1) {axis = 1 : i64} : (tensor<1x2x2x2xf32>, tensor<1x4x2x2xf32>) -> tensor<1x6x2x2xf32>
  %3 = onnx.QuantizeLinear(%2, %s, %z) : (tensor<1x6x2x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x6x2x2xui8>
  %4 = onnx.DequantizeLinear(%3, %s, %z) : (tensor<1x6x2x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x6x2x2xf32>
  %5 = onnx.Resize(%4, %none, %scales, %none) {mode = "nearest"} : (tensor<1x6x2x2xf32>, none, tensor<4xf32>, none) -> tensor<1x6x4x4xf32>
  %6 = onnx.QuantizeLinear(%5, %s, %z) : (tensor<1x6x4x4xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x6x4x4xui8>
  %7 = onnx.DequantizeLinear(%6, %s, %z) : (tensor<1x6x4x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x6x4x4xf32>
  %8, %9 = onnx.Split(%7, %none) {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<1x6x4x4xf32>, none) -> (tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>)
  %10 = onnx.QuantizeLinear(%8, %s, %z) : (tensor<1x3x4x4xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x3x4x4xui8>
  %11 = onnx.QuantizeLinear(%9, %s, %z) : (tensor<1x3x4x4xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x3x4x4xui8>
  return %10, %11 : tensor<1x3x4x4xui8>, tensor<1x3x4x4xui8>
}
