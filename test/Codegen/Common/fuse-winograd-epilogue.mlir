// RUN: onnx-mlir-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(onnxc-fuse-winograd-epilogue))' | FileCheck %s

// A bias, a residual and an activation.
// CHECK: #[[F:.*]] = affine_map<(d0, d1, d2, d3) -> (d3)>
// CHECK: #[[ALL:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-LABEL: @joined
// CHECK: cg.winograd_conv {{.*}} extras(%{{.*}}, %{{.*}} : tensor<16xf32>, tensor<1x8x8x16xf32>) {{.*}}extra_maps = [#[[F]], #[[ALL]]]
// CHECK-NEXT: ^bb0(%[[V:.*]]: f32, %[[B:.*]]: f32, %[[R:.*]]: f32):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[V]], %[[B]]
// CHECK-NEXT: %[[T:.*]] = arith.addf %[[S]], %[[R]]
// CHECK-NEXT: %[[U:.*]] = math.absf %[[T]]
// CHECK-NEXT: cg.yield %[[U]]
// CHECK-NOT: linalg.generic
#all = affine_map<(n, h, w, f) -> (n, h, w, f)>
#f = affine_map<(n, h, w, f) -> (f)>
func.func @joined(%x: tensor<1x8x8x16xf32>, %w: tensor<9216xf32>, %b: tensor<16xf32>, %r: tensor<1x8x8x16xf32>, %e: tensor<1x8x8x16xf32>) -> tensor<1x8x8x16xf32> {
  %y = cg.winograd_conv ins(%x, %w : tensor<1x8x8x16xf32>, tensor<9216xf32>) outs(%e : tensor<1x8x8x16xf32>)
      attributes {block = 14 : i64, extra_maps = [], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 14 : i64, splits = 1 : i64, tile = 4 : i64} {
  ^bb0(%v: f32):
    cg.yield %v : f32
  } -> tensor<1x8x8x16xf32>
  %s = linalg.generic {indexing_maps = [#all, #f, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y, %b : tensor<1x8x8x16xf32>, tensor<16xf32>) outs(%e : tensor<1x8x8x16xf32>) {
  ^bb0(%v: f32, %c: f32, %o: f32):
    %0 = arith.addf %v, %c : f32
    linalg.yield %0 : f32
  } -> tensor<1x8x8x16xf32>
  %t = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %r : tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>) outs(%e : tensor<1x8x8x16xf32>) {
  ^bb0(%v: f32, %c: f32, %o: f32):
    %0 = arith.addf %v, %c : f32
    %1 = math.absf %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x8x8x16xf32>
  return %t : tensor<1x8x8x16xf32>
}

// -----

// Another layout than the convolution's, and a result that others read too, stay outside.
// CHECK-LABEL: @apart
// CHECK: cg.winograd_conv
// CHECK: linalg.generic
#all = affine_map<(n, h, w, f) -> (n, h, w, f)>
#turned = affine_map<(n, h, w, f) -> (n, f, h, w)>
func.func @apart(%x: tensor<1x8x8x16xf32>, %w: tensor<9216xf32>, %e: tensor<1x8x8x16xf32>, %t: tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32> {
  %y = cg.winograd_conv ins(%x, %w : tensor<1x8x8x16xf32>, tensor<9216xf32>) outs(%e : tensor<1x8x8x16xf32>)
      attributes {block = 14 : i64, extra_maps = [], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 14 : i64, splits = 1 : i64, tile = 4 : i64} {
  ^bb0(%v: f32):
    cg.yield %v : f32
  } -> tensor<1x8x8x16xf32>
  %s = linalg.generic {indexing_maps = [#all, #turned], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y : tensor<1x8x8x16xf32>) outs(%t : tensor<1x16x8x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %0 = math.absf %v : f32
    linalg.yield %0 : f32
  } -> tensor<1x16x8x8xf32>
  return %s : tensor<1x16x8x8xf32>
}
