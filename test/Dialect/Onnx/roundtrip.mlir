// RUN: onnx-mlir-opt %s --allow-unregistered-dialect | onnx-mlir-opt --allow-unregistered-dialect | FileCheck %s
// RUN: onnx-mlir-opt %s --allow-unregistered-dialect --mlir-print-op-generic | onnx-mlir-opt --allow-unregistered-dialect | FileCheck %s

// CHECK-LABEL: func.func @operators
func.func @operators(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<?x4x?x?xf32> {
  // CHECK: %[[NONE:.*]] = onnx.None
  %none = onnx.None
  // CHECK: onnx.Conv(%{{.*}}, %{{.*}}, %[[NONE]]) {auto_pad = "NOTSET", group = 1 : i64, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<?x4x?x?xf32>
  %0 = onnx.Conv(%x, %w, %none) {group = 1 : i64, pads = array<i64: 1, 1, 1, 1>}
    : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<?x4x?x?xf32>
  // CHECK: onnx.BatchNormalization({{.*}}) {{.*}} -> (tensor<?x4x?x?xf32>, none, none)
  %s = onnx.Constant dense<1.0> : tensor<4xf32>
  %1:3 = onnx.BatchNormalization(%0, %s, %s, %s, %s)
    : (tensor<?x4x?x?xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
    -> (tensor<?x4x?x?xf32>, none, none)
  return %1#0 : tensor<?x4x?x?xf32>
}

// CHECK-LABEL: func.func @subgraphs
func.func @subgraphs(%c: tensor<i1>, %x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: onnx.If(%{{.*}}) : (tensor<i1>) -> tensor<2xf32> ({
  // CHECK:   onnx.Yield %{{.*}} : tensor<2xf32>
  // CHECK: }, {
  // CHECK:   onnx.Neg
  %0 = onnx.If(%c) : (tensor<i1>) -> tensor<2xf32> ({
    onnx.Yield %x : tensor<2xf32>
  }, {
    %1 = onnx.Neg(%x) : (tensor<2xf32>) -> tensor<2xf32>
    onnx.Yield %1 : tensor<2xf32>
  })
  %none = onnx.None
  // CHECK: onnx.Loop
  // CHECK: ^bb0(%{{.*}}: tensor<i64>, %{{.*}}: tensor<i1>, %{{.*}}: tensor<2xf32>):
  %2 = onnx.Loop(%none, %c, %0) : (none, tensor<i1>, tensor<2xf32>) -> tensor<2xf32> ({
  ^bb0(%i: tensor<i64>, %cond: tensor<i1>, %v: tensor<2xf32>):
    onnx.Yield %cond, %v : tensor<i1>, tensor<2xf32>
  })
  return %2 : tensor<2xf32>
}

// CHECK-LABEL: func.func @types
func.func @types(%s: tensor<?x!onnx.string>, %u: tensor<2xui4>) {
  // CHECK: onnx.Constant dense<["a", "b"]> : tensor<2x!onnx.string>
  %0 = onnx.Constant dense<["a", "b"]> : tensor<2x!onnx.string>
  // CHECK: !onnx.seq<tensor<?x!onnx.string>>
  %1 = onnx.SequenceConstruct(%s, %0)
    : (tensor<?x!onnx.string>, tensor<2x!onnx.string>) -> !onnx.seq<tensor<?x!onnx.string>>
  // CHECK: !onnx.opt<!onnx.seq<tensor<?x!onnx.string>>>
  %2 = onnx.Optional(%1) : (!onnx.seq<tensor<?x!onnx.string>>) -> !onnx.opt<!onnx.seq<tensor<?x!onnx.string>>>
  // CHECK: onnx.ml.CastMap({{.*}}) {{.*}} : (!onnx.map<i64, tensor<f32>>) -> tensor<?xf32>
  %3 = "test.map"() : () -> !onnx.map<i64, tensor<f32>>
  %4 = onnx.ml.CastMap(%3) : (!onnx.map<i64, tensor<f32>>) -> tensor<?xf32>
  return
}

// CHECK-LABEL: func.func @custom
func.func @custom(%x: tensor<2xf32>) {
  // CHECK: onnx.Custom "com.example" : "Frobnicate"(%{{.*}}) {axis = 1 : i64} : (tensor<2xf32>) -> (tensor<*xf32>, none)
  %0:2 = onnx.Custom "com.example" : "Frobnicate"(%x) {axis = 1 : i64} : (tensor<2xf32>) -> (tensor<*xf32>, none)
  return
}
