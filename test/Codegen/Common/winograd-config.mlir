// RUN: onnx-mlir-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(onnxc-winograd))' | FileCheck %s
// RUN: onnx-mlir-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(onnxc-winograd{mode=off}))' | FileCheck %s

// The strategy goes before what the pass would choose.
// CHECK-LABEL: @f
// CHECK: cg.winograd_conv {{.*}}tile = 2 : i64
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @f(%x: tensor<1x58x58x64xf32>, %e: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<64x64x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<64x64x3x3xf32>, tensor<1x58x58x64xf32>) outs(%f : tensor<1x56x56x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<winograd = "f2">} {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x56x56x64xf32>
  return %y : tensor<1x56x56x64xf32>
}

// -----

// CHECK-LABEL: @f
// CHECK-NOT: cg.winograd_conv
// CHECK: cg.lowering_config = #cg.lowering_config<panel = 16>
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @f(%x: tensor<1x58x58x64xf32>, %e: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<64x64x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<64x64x3x3xf32>, tensor<1x58x58x64xf32>) outs(%f : tensor<1x56x56x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<winograd = "off", panel = 16>} {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x56x56x64xf32>
  return %y : tensor<1x56x56x64xf32>
}
