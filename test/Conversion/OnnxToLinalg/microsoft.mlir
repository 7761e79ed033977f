// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @add
// CHECK: arith.extui
// CHECK: arith.addf
// CHECK: math.roundeven
func.func @add(%a: tensor<?x4xui8>, %s: tensor<f32>, %z: tensor<ui8>) -> tensor<?x4xui8> {
  %0 = onnx.Custom "com.microsoft" : "QLinearAdd"(%a, %s, %z, %a, %s, %z, %s, %z) {}
    : (tensor<?x4xui8>, tensor<f32>, tensor<ui8>, tensor<?x4xui8>, tensor<f32>, tensor<ui8>, tensor<f32>, tensor<ui8>) -> tensor<?x4xui8>
  return %0 : tensor<?x4xui8>
}

// CHECK-LABEL: func.func @lstm
// CHECK: scf.for
// CHECK: math.roundeven
// CHECK: arith.muli {{.*}} : i32
func.func @lstm(%x: tensor<5x1x8xf32>, %w: tensor<1x8x16xi8>, %r: tensor<1x4x16xi8>, %s: tensor<1xf32>, %z: tensor<1xi8>) -> tensor<5x1x1x4xf32> {
  %none = onnx.None
  %0:3 = onnx.Custom "com.microsoft" : "DynamicQuantizeLSTM"(%x, %w, %r, %none, %none, %none, %none, %none, %s, %z, %s, %z) {hidden_size = 4 : i64}
    : (tensor<5x1x8xf32>, tensor<1x8x16xi8>, tensor<1x4x16xi8>, none, none, none, none, none, tensor<1xf32>, tensor<1xi8>, tensor<1xf32>, tensor<1xi8>)
    -> (tensor<5x1x1x4xf32>, none, none)
  return %0#0 : tensor<5x1x1x4xf32>
}
