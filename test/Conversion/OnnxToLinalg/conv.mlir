// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// Channels-last: transposes at both ends, the padding on what is between.
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * 2 + d4, d2 * 2 + d5, d6)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d6, d4, d5)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[FEW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1 * 2 + d4, d2 * 6 + d5)>

// 1x1: a product for each position.
// CHECK-LABEL: func.func @pointwise
// CHECK-NOT: tensor.pad
// CHECK: linalg.transpose {{.*}} outs(%{{.*}} : tensor<?x7x7x16xf32>) permutation = [0, 2, 3, 1]
// CHECK: tensor.collapse_shape {{.*}} tensor<8x16x1x1xf32> into tensor<8x16xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @pointwise(%x: tensor<?x16x7x7xf32>, %w: tensor<8x16x1x1xf32>) -> tensor<?x8x7x7xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none)
    : (tensor<?x16x7x7xf32>, tensor<8x16x1x1xf32>, none) -> tensor<?x8x7x7xf32>
  return %0 : tensor<?x8x7x7xf32>
}

// Positions in rows of unknown length are one loop.
// CHECK-LABEL: func.func @pointwiseDynamic
// CHECK: tensor.collapse_shape {{.*}} tensor<1x?x?x16xf32> into tensor<1x?x16xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction"]
func.func @pointwiseDynamic(%x: tensor<1x16x?x?xf32>, %w: tensor<8x16x1x1xf32>) -> tensor<1x8x?x?xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none)
    : (tensor<1x16x?x?xf32>, tensor<8x16x1x1xf32>, none) -> tensor<1x8x?x?xf32>
  return %0 : tensor<1x8x?x?xf32>
}

// CHECK-LABEL: func.func @strided
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK: linalg.generic {indexing_maps = [#[[W]], #[[X]], #[[Y]]]
func.func @strided(%x: tensor<1x16x9x9xf32>, %w: tensor<8x16x3x3xf32>, %b: tensor<8xf32>) -> tensor<1x8x5x5xf32> {
  %0 = onnx.Conv(%x, %w, %b) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
    : (tensor<1x16x9x9xf32>, tensor<8x16x3x3xf32>, tensor<8xf32>) -> tensor<1x8x5x5xf32>
  return %0 : tensor<1x8x5x5xf32>
}

// Few channels: the taps of a row and their channels are one loop over neighbours in memory.
// CHECK-LABEL: func.func @fewChannels
// CHECK: tensor.collapse_shape {{.*}} into tensor<8x3x9xf32>
// CHECK: tensor.collapse_shape {{.*}} into tensor<1x11x33xf32>
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[FEW]], #{{.*}}]
func.func @fewChannels(%x: tensor<1x3x9x9xf32>, %w: tensor<8x3x3x3xf32>) -> tensor<1x8x5x5xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
    : (tensor<1x3x9x9xf32>, tensor<8x3x3x3xf32>, none) -> tensor<1x8x5x5xf32>
  return %0 : tensor<1x8x5x5xf32>
}

// The same for few filters, whose sums run along that stream.
// CHECK-LABEL: func.func @fewFilters
// CHECK: tensor.collapse_shape {{.*}} into tensor<1x9x144xf32>
func.func @fewFilters(%x: tensor<1x16x9x9xf32>, %w: tensor<2x16x3x3xf32>) -> tensor<1x2x7x7xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none)
    : (tensor<1x16x9x9xf32>, tensor<2x16x3x3xf32>, none) -> tensor<1x2x7x7xf32>
  return %0 : tensor<1x2x7x7xf32>
}

// CHECK-LABEL: func.func @grouped
// CHECK: tensor.expand_shape {{.*}} into tensor<1x9x9x2x8xf32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x7x7x2x4xf32>)
// CHECK: tensor.collapse_shape {{.*}} into tensor<1x7x7x8xf32>
func.func @grouped(%x: tensor<1x16x9x9xf32>, %w: tensor<8x8x3x3xf32>) -> tensor<1x8x7x7xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none) {group = 2 : i64}
    : (tensor<1x16x9x9xf32>, tensor<8x8x3x3xf32>, none) -> tensor<1x8x7x7xf32>
  return %0 : tensor<1x8x7x7xf32>
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

// A product for each tap: first the middle one, for all positions, then the others for those where they read the image.
// CHECK-LABEL: func.func @taps
// CHECK-NOT: tensor.pad
// CHECK: tensor.extract_slice {{.*}}[1, 1, 0, 0] [1, 1, 8, 64] {{.*}} : tensor<3x3x8x64xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<8x64xf32>, tensor<1x9x9x64xf32>) outs(%{{.*}} : tensor<1x9x9x8xf32>)
// CHECK: tensor.extract_slice {{.*}}[0, 0, 0, 0] [1, 1, 8, 64] {{.*}} : tensor<3x3x8x64xf32>
// CHECK: tensor.insert_slice {{.*}}[0, 7, 7, 0] [1, 2, 2, 8]
// CHECK-COUNT-7: tensor.insert_slice
func.func @taps(%x: tensor<1x64x9x9xf32>, %w: tensor<8x64x3x3xf32>) -> tensor<1x8x9x9xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 7, 7, 7, 7>, dilations = array<i64: 7, 7>}
    : (tensor<1x64x9x9xf32>, tensor<8x64x3x3xf32>, none) -> tensor<1x8x9x9xf32>
  return %0 : tensor<1x8x9x9xf32>
}

// Four images of every second row and column.
// CHECK-LABEL: func.func @phases
// CHECK: tensor.expand_shape {{.*}} tensor<1x16x16x32xf32> into tensor<1x8x2x8x2x32xf32>
// CHECK: tensor.pad {{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4x8x8x32xf32>)
func.func @phases(%x: tensor<1x32x16x16xf32>, %w: tensor<32x32x3x3xf32>) -> tensor<1x32x16x16xf32> {
  %none = onnx.None
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 2, 2, 2, 2>, dilations = array<i64: 2, 2>}
    : (tensor<1x32x16x16xf32>, tensor<32x32x3x3xf32>, none) -> tensor<1x32x16x16xf32>
  return %0 : tensor<1x32x16x16xf32>
}
