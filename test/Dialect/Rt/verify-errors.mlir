// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics

func.func @elemTypes(%x: tensor<4xf32>) {
  // expected-error @+1 {{'rt.kernel' op needs 2 entries in elem_types, has 1}}
  %0 = rt.kernel "Sort"(%x : tensor<4xf32>) {elem_types = array<i64: 1>} : tensor<4xf32>
  return
}

// -----

func.func @attributeKind(%x: tensor<4xf32>) {
  // expected-error @+1 {{'rt.kernel' op attribute 'axis' must be an i64}}
  %0 = rt.kernel "Sort"(%x : tensor<4xf32>) {elem_types = array<i64: 1, 1>, attrs = {axis = 0 : i32}} : tensor<4xf32>
  return
}

// -----

func.func @initType(%x: tensor<4xf32>, %i: tensor<2xf32>) {
  // expected-error @+1 {{'rt.kernel' op result 0 must have the type of its init}}
  %0 = rt.kernel "Sort"(%x : tensor<4xf32>) outs(%i : tensor<2xf32>) {elem_types = array<i64: 1, 1>} : tensor<4xf32>
  return
}

// -----

func.func @strings() {
  // expected-error @+1 {{'rt.string_constant' op has 1 strings for a tensor of 2}}
  %0 = rt.string_constant ["a"] : tensor<2xi64>
  return
}
