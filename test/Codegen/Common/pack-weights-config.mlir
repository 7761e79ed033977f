// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-pack-weights))' | FileCheck %s

// The strategy's width; its loops become those of the panels: 64 columns are two panels, and vectors run
// inside of them.
// CHECK-LABEL: @panels
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<20x8xf32>, tensor<4x8x32xf32>)
// CHECK-SAME: #cg.lowering_config<tile_sizes = [4, 2, 0, 0], vector = 3, unroll = [4, 1, 1, 2], order = [1, 0, 2, 3]>
func.func @panels(%x: tensor<20x8xf32>, %init: tensor<20x128xf32>) -> tensor<20x128xf32> {
  %w = arith.constant dense<0.5> : tensor<8x128xf32>
  %y = linalg.matmul {cg.lowering_config = #cg.lowering_config<panel = 32, tile_sizes = [4, 64, 0], vector = 1, unroll = [4, 2, 1], order = [1, 0, 2]>}
      ins(%x, %w : tensor<20x8xf32>, tensor<8x128xf32>) outs(%init : tensor<20x128xf32>) -> tensor<20x128xf32>
  return %y : tensor<20x128xf32>
}

// Tiles of 48 columns: panels that divide them. None: columns stay as they are.
// CHECK-LABEL: @fitting
// CHECK: tensor<6x8x16xf32>
// CHECK-SAME: #cg.lowering_config<tile_sizes = [0, 1, 0, 0]>
// CHECK: tensor<8x96xf32>
func.func @fitting(%x: tensor<20x8xf32>, %init: tensor<20x96xf32>) -> (tensor<20x96xf32>, tensor<20x96xf32>) {
  %w = arith.constant dense<0.5> : tensor<8x96xf32>
  %y = linalg.matmul {cg.lowering_config = #cg.lowering_config<tile_sizes = [0, 16, 0]>}
      ins(%x, %w : tensor<20x8xf32>, tensor<8x96xf32>) outs(%init : tensor<20x96xf32>) -> tensor<20x96xf32>
  %z = linalg.matmul {cg.lowering_config = #cg.lowering_config<panel = 0>}
      ins(%x, %w : tensor<20x8xf32>, tensor<8x96xf32>) outs(%init : tensor<20x96xf32>) -> tensor<20x96xf32>
  return %y, %z : tensor<20x96xf32>, tensor<20x96xf32>
}
