// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(onnxc-winograd))'

#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @f(%x: tensor<1x58x58x64xf32>, %e: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<64x64x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32>
  // expected-error @+1 {{has a strategy by Winograd's method, which takes nothing beside it}}
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<64x64x3x3xf32>, tensor<1x58x58x64xf32>) outs(%f : tensor<1x56x56x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<winograd = "f4", panel = 16>} {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x56x56x64xf32>
  return %y : tensor<1x56x56x64xf32>
}

// -----

func.func @product(%a: tensor<96x64xf32>, %b: tensor<64x512xf32>, %c: tensor<96x512xf32>) -> tensor<96x512xf32> {
  // expected-error @+1 {{has a strategy by Winograd's method, which takes channels-last 3x3 convolutions}}
  %p = linalg.matmul {cg.lowering_config = #cg.lowering_config<winograd = "f2">}
      ins(%a, %b : tensor<96x64xf32>, tensor<64x512xf32>) outs(%c : tensor<96x512xf32>) -> tensor<96x512xf32>
  return %p : tensor<96x512xf32>
}
