// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-stagger-rows))' | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#turn = affine_map<(i, j) -> (j, i)>

// Rows of 1 KiB become longer; the product reads a slice.
// CHECK-LABEL: @rows
// CHECK: %[[BUFFER:.*]] = bufferization.alloc_tensor() : tensor<64x272xf32>
// CHECK: %[[SLICE:.*]] = tensor.extract_slice %[[BUFFER]][0, 0] [64, 256] [1, 1]
// CHECK: linalg.generic {{.*}} outs(%[[SLICE]] : tensor<64x256xf32>)
func.func @rows(%q: tensor<20x64xf32>, %k: tensor<256x64xf32>, %i: tensor<20x256xf32>) -> tensor<20x256xf32> {
  %e = tensor.empty() : tensor<64x256xf32>
  %t = linalg.generic {indexing_maps = [#turn, #id], iterator_types = ["parallel", "parallel"]}
      ins(%k : tensor<256x64xf32>) outs(%e : tensor<64x256xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<64x256xf32>
  %r = linalg.matmul ins(%q, %t : tensor<20x64xf32>, tensor<64x256xf32>) outs(%i : tensor<20x256xf32>) -> tensor<20x256xf32>
  return %r : tensor<20x256xf32>
}

// 1000 columns do not collide.
// CHECK-LABEL: @apart
// CHECK-NOT: alloc_tensor
func.func @apart(%q: tensor<20x64xf32>, %k: tensor<1000x64xf32>, %i: tensor<20x1000xf32>) -> tensor<20x1000xf32> {
  %e = tensor.empty() : tensor<64x1000xf32>
  %t = linalg.generic {indexing_maps = [#turn, #id], iterator_types = ["parallel", "parallel"]}
      ins(%k : tensor<1000x64xf32>) outs(%e : tensor<64x1000xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<64x1000xf32>
  %r = linalg.matmul ins(%q, %t : tensor<20x64xf32>, tensor<64x1000xf32>) outs(%i : tensor<20x1000xf32>) -> tensor<20x1000xf32>
  return %r : tensor<20x1000xf32>
}
