// RUN: onnx-mlir-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(onnxc-winograd))' | FileCheck %s
// RUN: onnx-mlir-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(onnxc-winograd{mode=f2 vector-bits=256 num-registers=16}))' | FileCheck %s --check-prefix=F2
// RUN: onnx-mlir-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(onnxc-winograd{mode=off}))' | FileCheck %s --check-prefix=OFF
// OFF-NOT: cg.winograd_conv

// A large map: tiles of 4. The padding goes into the operation. Weights are 36 / 9 of the direct ones.
// CHECK-LABEL: @large
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<1x56x56x64xf32>
// CHECK: %[[W:[a-z0-9_]+]] = arith.constant dense_resource<winograd{{.*}}> : tensor<147456xf32>
// CHECK: cg.winograd_conv ins(%[[X]], %[[W]] : {{.*}}) attributes {{{.*}}low = array<i64: 1, 1>, panel = 32 : i64, {{.*}}tile = 4 : i64}
// CHECK-NEXT: ^bb0(%[[V:.*]]: f32):
// CHECK-NEXT: cg.yield %[[V]] : f32
// Narrower registers: the same panels, fewer rows in a register tile.
// F2-LABEL: @large
// F2: cg.winograd_conv {{.*}}lanes = 8 : i64, {{.*}}panel = 32 : i64, rows = 6 : i64, {{.*}}tile = 2 : i64}
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @large(%x: tensor<1x56x56x64xf32>, %e: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<64x64x3x3xf32>
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %z : f32
  } : tensor<1x56x56x64xf32> to tensor<1x58x58x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %p : tensor<64x64x3x3xf32>, tensor<1x58x58x64xf32>) outs(%f : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x56x56x64xf32>
  return %y : tensor<1x56x56x64xf32>
}

// -----

// One block of tiles, which would wait for transformed weights: the filters stay as they are, and are transformed
// 43 channels at a time. Both halves of the panels are tasks of their own. The padding may differ from side to side.
// CHECK-LABEL: @middle
// CHECK: arith.constant dense_resource<winograd{{.*}}> : tensor<147456xf32>
// CHECK: cg.winograd_conv {{.*}}block = 16 : i64, depth = 43 : i64, {{.*}}low = array<i64: 2, 0>{{.*}}splits = 2 : i64, tile = 4 : i64}
// Blocks of fewer tiles: made weights would be made too often.
// F2-LABEL: @middle
// F2: arith.constant dense_resource<winograd{{.*}}> : tensor<262144xf32>
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @middle(%x: tensor<1x14x14x128xf32>, %e: tensor<1x14x14x128xf32>) -> tensor<1x14x14x128xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<128x128x3x3xf32>
  %p = tensor.pad %x low[0, 2, 0, 0] high[0, 0, 2, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %z : f32
  } : tensor<1x14x14x128xf32> to tensor<1x16x16x128xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x14x14x128xf32>) -> tensor<1x14x14x128xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %p : tensor<128x128x3x3xf32>, tensor<1x16x16x128xf32>) outs(%f : tensor<1x14x14x128xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x14x14x128xf32>
  return %y : tensor<1x14x14x128xf32>
}

// -----

// A small map with large weights stays direct, but where the user asks for the method.
// CHECK-LABEL: @small
// CHECK-NOT: cg.winograd_conv
// F2-LABEL: @small
// F2: cg.winograd_conv
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @small(%x: tensor<1x5x5x512xf32>, %e: tensor<1x3x3x512xf32>) -> tensor<1x3x3x512xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<512x512x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x3x3x512xf32>) -> tensor<1x3x3x512xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<512x512x3x3xf32>, tensor<1x5x5x512xf32>) outs(%f : tensor<1x3x3x512xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x3x3x512xf32>
  return %y : tensor<1x3x3x512xf32>
}

// -----

// Nothing to measure the accuracy with: direct.
// CHECK-LABEL: @infinite
// CHECK-NOT: cg.winograd_conv
// F2-LABEL: @infinite
// F2-NOT: cg.winograd_conv
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @infinite(%x: tensor<1x58x58x64xf32>, %e: tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0x7F800000> : tensor<64x64x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x56x56x64xf32>) -> tensor<1x56x56x64xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<64x64x3x3xf32>, tensor<1x58x58x64xf32>) outs(%f : tensor<1x56x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x56x56x64xf32>
  return %y : tensor<1x56x56x64xf32>
}

// -----

// Sizes that are only known at run time.
// CHECK-LABEL: @dynamic
// F2-LABEL: @dynamic
// CHECK: cg.winograd_conv {{.*}}low = array<i64: 0, 0>, {{.*}}tile = 4 : i64}
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @dynamic(%x: tensor<1x?x?x64xf32>, %e: tensor<1x?x?x64xf32>) -> tensor<1x?x?x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<64x64x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x?x?x64xf32>) -> tensor<1x?x?x64xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<64x64x3x3xf32>, tensor<1x?x?x64xf32>) outs(%f : tensor<1x?x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x?x?x64xf32>
  return %y : tensor<1x?x?x64xf32>
}

// -----

// Two steps from tap to tap.
// CHECK-LABEL: @dilated
// CHECK-NOT: cg.winograd_conv
// F2-LABEL: @dilated
// F2-NOT: cg.winograd_conv
#w = affine_map<(n, h, w, f, i, j, c) -> (f, c, i, j)>
#x = affine_map<(n, h, w, f, i, j, c) -> (n, h + i * 2, w + j, c)>
#y = affine_map<(n, h, w, f, i, j, c) -> (n, h, w, f)>
func.func @dilated(%x: tensor<1x58x58x64xf32>, %e: tensor<1x54x56x64xf32>) -> tensor<1x54x56x64xf32> {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.1> : tensor<64x64x3x3xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x54x56x64xf32>) -> tensor<1x54x56x64xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %x : tensor<64x64x3x3xf32>, tensor<1x58x58x64xf32>) outs(%f : tensor<1x54x56x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<1x54x56x64xf32>
  return %y : tensor<1x54x56x64xf32>
}
