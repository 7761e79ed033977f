// RUN: onnx-mlir-opt %s --verify-diagnostics --pass-pipeline='builtin.module(func.func(onnxc-select-tiles))'

func.func @noRoot(%a: tensor<96x64xf32>, %b: tensor<64x512xf32>, %c: tensor<96x512xf32>) -> tensor<96x512xf32> {
  // expected-error @+1 {{is in group 3, in which nothing has tile_sizes}}
  %p = linalg.matmul {cg.lowering_config = #cg.lowering_config<group = 3>}
      ins(%a, %b : tensor<96x64xf32>, tensor<64x512xf32>) outs(%c : tensor<96x512xf32>) -> tensor<96x512xf32>
  return %p : tensor<96x512xf32>
}
