// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --split-input-file --verify-diagnostics

func.func @pads(%x: tensor<1x16x9x9xf32>, %w: tensor<8x16x3x3xf32>) -> tensor<?x?x?x?xf32> {
  %none = onnx.None
  // expected-error @+1 {{attribute pads has 2 values, expected 4}}
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 1, 1>}
    : (tensor<1x16x9x9xf32>, tensor<8x16x3x3xf32>, none) -> tensor<?x?x?x?xf32>
  return %0 : tensor<?x?x?x?xf32>
}

// -----

func.func @stride(%x: tensor<1x16x9xf32>) -> tensor<?x?x?xf32> {
  // expected-error @+1 {{attribute strides has the value 0, the least allowed is 1}}
  %0 = onnx.AveragePool(%x) {kernel_shape = array<i64: 3>, strides = array<i64: 0>}
    : (tensor<1x16x9xf32>) -> tensor<?x?x?xf32>
  return %0 : tensor<?x?x?xf32>
}
