// RUN: onnx-mlir-opt %s | onnx-mlir-opt | FileCheck %s

#map = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: @all
// CHECK: cg.lowering_config = #cg.lowering_config<group = 3, tile_sizes = [8, 0], panel = 32, vector = 1, lanes = 16, unroll = [4, 2], order = [1, 0], depth_block = 64, streams = 2, prefetch = 0>
// CHECK: cg.lowering_config = #cg.lowering_config<winograd = "f2">
func.func @all(%x: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<32x64xf32>) outs(%x : tensor<32x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<prefetch = 0, group = 3, tile_sizes = [8, 0], panel = 32, vector = 1, lanes = 16, unroll = [4, 2], order = [1, 0], depth_block = 64, streams = 2>} {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<32x64xf32>
  %z = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<winograd = "f2">} {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<32x64xf32>
  return %z : tensor<32x64xf32>
}
