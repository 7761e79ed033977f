// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnx-expand-microsoft))' --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: @skip
// CHECK: %[[SUM:.*]] = onnx.Add(%arg0, %arg1)
// CHECK: %[[Y:[^,]*]], {{.*}} = onnx.LayerNormalization(%[[SUM]], %arg2, %arg3)
// CHECK-SAME: epsilon = 9.99999974E-6 : f32
// CHECK: return %[[Y]], %[[SUM]]
func.func @skip(%x: tensor<?x4x8xf32>, %s: tensor<?x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<?x4x8xf32>, tensor<?x4x8xf32>) {
  %none = onnx.None
  %0:4 = onnx.Custom "com.microsoft" : "SkipLayerNormalization"(%x, %s, %g, %b) {epsilon = 1.0e-5 : f32} : (tensor<?x4x8xf32>, tensor<?x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<?x4x8xf32>, none, none, tensor<?x4x8xf32>)
  return %0#0, %0#3 : tensor<?x4x8xf32>, tensor<?x4x8xf32>
}

// -----

// The type is found on the way, and the function's with it.
// CHECK-LABEL: @types
// CHECK-SAME: tensor<4x5xf32> {
// CHECK: %[[P:.*]] = onnx.MatMul(%arg0, %arg1) : (tensor<4x6xf32>, tensor<6x5xf32>) -> tensor<4x5xf32>
// CHECK: onnx.Gelu(%[[P]]) {approximate = "tanh"}
func.func @types(%a: tensor<4x6xf32>, %b: tensor<6x5xf32>) -> tensor<*xf32> {
  %0 = onnx.Custom "com.microsoft" : "FusedMatMul"(%a, %b) {alpha = 1.0 : f32} : (tensor<4x6xf32>, tensor<6x5xf32>) -> tensor<*xf32>
  %1 = onnx.Custom "com.microsoft" : "FastGelu"(%0) {} : (tensor<*xf32>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

// No integer without sign is below 0; positions are computed with in floats.
// CHECK-LABEL: @integers
// CHECK: %[[P:.*]] = onnx.Gemm(%arg0, %arg1
// CHECK: %[[G:.*]] = onnx.Cast(%arg3)
// CHECK: %[[Y:.*]] = onnx.GridSample(%arg2, %[[G]])
// CHECK: return %[[P]], %[[Y]]
func.func @integers(%a: tensor<4x6xui32>, %b: tensor<6x5xui32>, %x: tensor<1x1x4x4xi32>, %g: tensor<1x2x2x2xi32>) -> (tensor<4x5xui32>, tensor<1x1x2x2xi32>) {
  %0 = onnx.Custom "com.microsoft" : "FusedGemm"(%a, %b) {activation = "Relu"} : (tensor<4x6xui32>, tensor<6x5xui32>) -> tensor<4x5xui32>
  %1 = onnx.Custom "com.microsoft" : "GridSample"(%x, %g) {} : (tensor<1x1x4x4xi32>, tensor<1x2x2x2xi32>) -> tensor<1x1x2x2xi32>
  return %0, %1 : tensor<4x5xui32>, tensor<1x1x2x2xi32>
}

// -----

func.func @noPositions(%x: tensor<1x1x4x4x!onnx.string>, %g: tensor<1x2x2x2x!onnx.string>) -> tensor<1x1x2x2x!onnx.string> {
  // expected-error @+1 {{com.microsoft operator GridSample has a grid of positions that are no numbers}}
  %0 = onnx.Custom "com.microsoft" : "GridSample"(%x, %g) {} : (tensor<1x1x4x4x!onnx.string>, tensor<1x2x2x2x!onnx.string>) -> tensor<1x1x2x2x!onnx.string>
  return %0 : tensor<1x1x2x2x!onnx.string>
}

// -----

// A cache of unknown length is padded to what is needed and gets the new keys.
// CHECK-LABEL: @groupQuery
// CHECK-DAG: onnx.TensorScatter
// CHECK-DAG: onnx.RotaryEmbedding
// CHECK: onnx.Attention
// CHECK-NOT: onnx.Custom
func.func @groupQuery(%q: tensor<2x1x64xf32>, %k: tensor<2x1x32xf32>, %p: tensor<2x2x?x16xf32>, %l: tensor<2xi32>, %t: tensor<i32>, %c: tensor<20x8xf32>) -> tensor<2x1x64xf32> {
  %0:3 = onnx.Custom "com.microsoft" : "GroupQueryAttention"(%q, %k, %k, %p, %p, %l, %t, %c, %c) {num_heads = 4 : i64, kv_num_heads = 2 : i64, do_rotary = 1 : i64} : (tensor<2x1x64xf32>, tensor<2x1x32xf32>, tensor<2x1x32xf32>, tensor<2x2x?x16xf32>, tensor<2x2x?x16xf32>, tensor<2xi32>, tensor<i32>, tensor<20x8xf32>, tensor<20x8xf32>) -> (tensor<2x1x64xf32>, tensor<2x2x?x16xf32>, tensor<2x2x?x16xf32>)
  return %0#0 : tensor<2x1x64xf32>
}

// -----

// What has a lowering of its own, or is not known, stays.
// CHECK-LABEL: @kept
// CHECK: onnx.Custom "com.microsoft" : "QLinearSigmoid"
// CHECK: onnx.Custom "com.example" : "Gelu"
func.func @kept(%a: tensor<4xui8>, %s: tensor<f32>, %z: tensor<ui8>, %x: tensor<4xf32>) -> (tensor<4xui8>, tensor<4xf32>) {
  %0 = onnx.Custom "com.microsoft" : "QLinearSigmoid"(%a, %s, %z, %s, %z) {} : (tensor<4xui8>, tensor<f32>, tensor<ui8>, tensor<f32>, tensor<ui8>) -> tensor<4xui8>
  %1 = onnx.Custom "com.example" : "Gelu"(%x) {} : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xui8>, tensor<4xf32>
}

// -----

func.func @rank(%a: tensor<*xf32>, %p: tensor<1xi64>, %c: tensor<4x4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{com.microsoft operator RotaryEmbedding has an input 0 whose rank is not known}}
  %0 = onnx.Custom "com.microsoft" : "RotaryEmbedding"(%a, %p, %c, %c) {} : (tensor<*xf32>, tensor<1xi64>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// A mask for all positions: the rows of the queries, the columns of the keys.
// CHECK-LABEL: @square
// CHECK: %[[ROWS:.*]] = onnx.Slice(%arg3
// CHECK-SAME: tensor<2x1x9x9xi32>{{.*}} -> tensor<2x1x3x9xi32>
// CHECK: %[[MASK:.*]] = onnx.Slice(%[[ROWS]]
// CHECK-SAME: -> tensor<2x1x3x7xi32>
// CHECK: onnx.Greater(%[[MASK]]
func.func @square(%x: tensor<2x3x8xf32>, %w: tensor<8x24xf32>, %p: tensor<2x2x2x4x4xf32>, %m: tensor<2x1x9x9xi32>) -> (tensor<2x3x8xf32>, tensor<2x2x2x7x4xf32>) {
  %none = onnx.None
  %0:2 = onnx.Custom "com.microsoft" : "Attention"(%x, %w, %none, %m, %p) {num_heads = 2 : i64} : (tensor<2x3x8xf32>, tensor<8x24xf32>, none, tensor<2x1x9x9xi32>, tensor<2x2x2x4x4xf32>) -> (tensor<2x3x8xf32>, tensor<2x2x2x7x4xf32>)
  return %0#0, %0#1 : tensor<2x3x8xf32>, tensor<2x2x2x7x4xf32>
}

// -----

// Keys and values in one, which ONNX Runtime's CPU provider does not take.
// CHECK-LABEL: @packed
// CHECK: %[[KV:.*]]:2 = onnx.Split(%arg1
// CHECK-SAME: axis = 3
// CHECK: %[[K:.*]] = onnx.Reshape(%[[KV]]#0
// CHECK: %[[V:.*]] = onnx.Reshape(%[[KV]]#1
// CHECK: onnx.Attention(%arg0, %[[K]], %[[V]]
func.func @packed(%q: tensor<2x3x8xf32>, %kv: tensor<2x5x2x2x4xf32>) -> tensor<2x3x8xf32> {
  %0 = onnx.Custom "com.microsoft" : "MultiHeadAttention"(%q, %kv) {num_heads = 2 : i64} : (tensor<2x3x8xf32>, tensor<2x5x2x2x4xf32>) -> tensor<2x3x8xf32>
  return %0 : tensor<2x3x8xf32>
}

// -----

// CHECK-LABEL: @allPacked
// CHECK: %[[QKV:.*]]:3 = onnx.Split(%arg0
// CHECK-SAME: axis = 3
// CHECK: %[[Q:.*]] = onnx.Reshape(%[[QKV]]#0
// CHECK: %[[K:.*]] = onnx.Reshape(%[[QKV]]#1
// CHECK: %[[V:.*]] = onnx.Reshape(%[[QKV]]#2
// CHECK: onnx.Attention(%[[Q]], %[[K]], %[[V]]
func.func @allPacked(%qkv: tensor<2x3x2x3x4xf32>) -> tensor<2x3x8xf32> {
  %0 = onnx.Custom "com.microsoft" : "MultiHeadAttention"(%qkv) {num_heads = 2 : i64} : (tensor<2x3x2x3x4xf32>) -> tensor<2x3x8xf32>
  return %0 : tensor<2x3x8xf32>
}

// -----

func.func @tooFew(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %none = onnx.None
  // expected-error @+1 {{com.microsoft operator RotaryEmbedding lacks its input number 1}}
  %0 = onnx.Custom "com.microsoft" : "RotaryEmbedding"(%x, %none, %x, %x) {} : (tensor<2x3x4xf32>, none, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// -----

func.func @tooMany(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  // expected-error @+1 {{com.microsoft operator Gelu has 2 inputs, it takes 1}}
  %0 = onnx.Custom "com.microsoft" : "Gelu"(%x, %x) {} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// -----

func.func @noTensor(%x: !onnx.seq<tensor<4xf32>>) -> tensor<4xf32> {
  // expected-error @+1 {{com.microsoft operator Gelu has an input (number 0) that is no tensor}}
  %0 = onnx.Custom "com.microsoft" : "Gelu"(%x) {} : (!onnx.seq<tensor<4xf32>>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @moreOutputs(%x: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>) {
  // expected-error @+1 {{com.microsoft operator Gelu has no output number 1}}
  %0:2 = onnx.Custom "com.microsoft" : "Gelu"(%x) {} : (tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>)
  return %0#0, %0#1 : tensor<2x3x4xf32>, tensor<2x3x4xf32>
}
