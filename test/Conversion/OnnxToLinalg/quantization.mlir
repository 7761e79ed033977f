// RUN: onnx-mlir-opt --convert-onnx-to-linalg %s | FileCheck %s

// Saturation to the type's range less the zero point, half to even, zero point.
// CHECK-DAG: #[[AXIS:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @quantizePerAxis
// CHECK: indexing_maps = [#{{.*}}, #[[AXIS]], #[[AXIS]], #{{.*}}]
// CHECK: arith.cmpf ogt
// CHECK: arith.select
// CHECK: arith.cmpf olt
// CHECK: arith.select
// CHECK: math.roundeven
// CHECK: arith.fptosi
// CHECK: arith.addi
func.func @quantizePerAxis(%x: tensor<2x3xf32>, %s: tensor<3xf32>, %z: tensor<3xui8>) -> tensor<2x3xui8> {
  %0 = onnx.QuantizeLinear(%x, %s, %z) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: func.func @dequantizeBlocked
// CHECK: arith.divui
// CHECK: tensor.extract
// CHECK: arith.mulf
func.func @dequantizeBlocked(%x: tensor<2x4xi4>, %s: tensor<2x2xf32>) -> tensor<2x4xf32> {
  %none = onnx.None
  %0 = onnx.DequantizeLinear(%x, %s, %none) {axis = 1 : i64, block_size = 2 : i64} : (tensor<2x4xi4>, tensor<2x2xf32>, none) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @dynamic
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction"]
// CHECK: arith.minimumf
// CHECK: arith.maximumf
func.func @dynamic(%x: tensor<?xf32>) -> (tensor<?xui8>, tensor<f32>, tensor<ui8>) {
  %0:3 = onnx.DynamicQuantizeLinear(%x) : (tensor<?xf32>) -> (tensor<?xui8>, tensor<f32>, tensor<ui8>)
  return %0#0, %0#1, %0#2 : tensor<?xui8>, tensor<f32>, tensor<ui8>
}
