// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(onnxc-pack-weights))'

func.func @f(%x: tensor<20x8xf32>, %init: tensor<20x96xf32>) -> tensor<20x96xf32> {
  %w = arith.constant dense<0.5> : tensor<8x96xf32>
  // expected-error @+1 {{has a strategy with panels of 64 columns, which do not divide its 96 columns}}
  %y = linalg.matmul {cg.lowering_config = #cg.lowering_config<panel = 64>}
      ins(%x, %w : tensor<20x8xf32>, tensor<8x96xf32>) outs(%init : tensor<20x96xf32>) -> tensor<20x96xf32>
  return %y : tensor<20x96xf32>
}

// -----

func.func @f(%x: tensor<20x8xf32>, %init: tensor<20x96xf32>) -> tensor<20x96xf32> {
  %w = arith.constant dense<0.5> : tensor<8x96xf32>
  // expected-error @+1 {{has a strategy with tiles that are no whole panels of 32}}
  %y = linalg.matmul {cg.lowering_config = #cg.lowering_config<panel = 32, tile_sizes = [0, 48, 0]>}
      ins(%x, %w : tensor<20x8xf32>, tensor<8x96xf32>) outs(%init : tensor<20x96xf32>) -> tensor<20x96xf32>
  return %y : tensor<20x96xf32>
}

// -----

func.func @f(%x: tensor<20x8xf32>, %init: tensor<20x96xf32>, %w: tensor<8x96xf32>) -> tensor<20x96xf32> {
  // expected-error @+1 {{has a strategy with panels, but no constant weights that fit into them}}
  %y = linalg.matmul {cg.lowering_config = #cg.lowering_config<panel = 32>}
      ins(%x, %w : tensor<20x8xf32>, tensor<8x96xf32>) outs(%init : tensor<20x96xf32>) -> tensor<20x96xf32>
  return %y : tensor<20x96xf32>
}
