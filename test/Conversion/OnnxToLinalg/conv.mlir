// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// 1x1: a plain product, no copy of the input.
// CHECK-LABEL: func.func @pointwise
// CHECK-NOT: tensor.pad
// CHECK: tensor.collapse_shape {{.*}} tensor<?x16x7x7xf32> into tensor<?x16x49xf32>
// CHECK-COUNT-1: linalg.generic
// CHECK: tensor.expand_shape
func.func @pointwise(%x: tensor<?x16x7x7xf32>, %w: tensor<8x16x1x1xf32>) -> tensor<?x8x7x7xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none)
    : (tensor<?x16x7x7xf32>, tensor<8x16x1x1xf32>, none) -> tensor<?x8x7x7xf32>
  return %0 : tensor<?x8x7x7xf32>
}

// CHECK-LABEL: func.func @im2col
// CHECK: tensor.pad %{{.*}} low[0, 0, 1, 1] high[0, 0, 1, 1]
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<1x16x11x11xf32>) outs(%{{.*}} : tensor<1x16x3x3x5x5xf32>)
// CHECK: tensor<1x144x25xf32>
// CHECK: "reduction"
func.func @im2col(%x: tensor<1x16x9x9xf32>, %w: tensor<8x16x3x3xf32>, %b: tensor<8xf32>) -> tensor<1x8x5x5xf32> {
  %0 = onnx.Conv(%x, %w, %b) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
    : (tensor<1x16x9x9xf32>, tensor<8x16x3x3xf32>, tensor<8xf32>) -> tensor<1x8x5x5xf32>
  return %0 : tensor<1x8x5x5xf32>
}

// Long rows at stride one are read in place.
// CHECK-LABEL: func.func @direct
// CHECK-NOT: tensor.collapse_shape
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
func.func @direct(%x: tensor<?x16x?x?xf32>, %w: tensor<8x16x3x3xf32>) -> tensor<?x8x?x?xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 1, 1, 1, 1>}
    : (tensor<?x16x?x?xf32>, tensor<8x16x3x3xf32>, none) -> tensor<?x8x?x?xf32>
  return %0 : tensor<?x8x?x?xf32>
}

// CHECK-LABEL: func.func @depthwise
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction"]
func.func @depthwise(%x: tensor<?x16x?xf32>, %w: tensor<16x1x5xf32>) -> tensor<?x16x?xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none) {auto_pad = "SAME_UPPER", group = 16 : i64}
    : (tensor<?x16x?xf32>, tensor<16x1x5xf32>, none) -> tensor<?x16x?xf32>
  return %0 : tensor<?x16x?xf32>
}

// Taps that do not overlap are permuted, others gathered.
// A transposed convolution is one with stride 1 over constant, arranged weights, with 2 * 2 as many channels.
// CHECK-LABEL: func.func @transposed
// CHECK: arith.constant dense_resource<{{.*}}> : tensor<16x8x2x2xf32>
// CHECK-NOT: tensor.extract %
// CHECK: return
func.func @transposed(%x: tensor<1x8x4x4xf32>) -> tensor<1x4x8x8xf32> {
  %none = onnx.None
  %w = onnx.Constant dense<1.0> : tensor<8x4x4x4xf32>
  %0 = onnx.ConvTranspose(%x, %w, %none) {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>}
    : (tensor<1x8x4x4xf32>, tensor<8x4x4x4xf32>, none) -> tensor<1x4x8x8xf32>
  return %0 : tensor<1x4x8x8xf32>
}

// CHECK-LABEL: func.func @quantized
// CHECK: math.roundeven
func.func @quantized(%x: tensor<1x3x5x5xui8>, %s: tensor<f32>, %z: tensor<ui8>, %w: tensor<2x3x3x3xi8>, %ws: tensor<2xf32>, %wz: tensor<2xi8>, %b: tensor<2xi32>) -> tensor<1x2x3x3xui8> {
  %0 = onnx.QLinearConv(%x, %s, %z, %w, %ws, %wz, %s, %z, %b)
    : (tensor<1x3x5x5xui8>, tensor<f32>, tensor<ui8>, tensor<2x3x3x3xi8>, tensor<2xf32>, tensor<2xi8>, tensor<f32>, tensor<ui8>, tensor<2xi32>) -> tensor<1x2x3x3xui8>
  return %0 : tensor<1x2x3x3xui8>
}
