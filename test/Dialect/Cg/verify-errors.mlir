// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics

func.func @tile(%x: tensor<1x4x4x16xf32>, %w: tensor<4096xf32>, %y: tensor<1x4x4x16xf32>) -> tensor<1x4x4x16xf32> {
  // expected-error @+1 {{has tiles of 3, expected 2 or 4}}
  %r = cg.winograd_conv ins(%x, %w : tensor<1x4x4x16xf32>, tensor<4096xf32>) outs(%y : tensor<1x4x4x16xf32>)
      attributes {block = 14 : i64, extra_maps = [], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 14 : i64, splits = 1 : i64, tile = 3 : i64} {
  ^bb0(%v: f32):
    cg.yield %v : f32
  } -> tensor<1x4x4x16xf32>
  return %r : tensor<1x4x4x16xf32>
}

// -----

func.func @weights(%x: tensor<1x4x4x16xf32>, %w: tensor<7xf32>, %y: tensor<1x4x4x16xf32>) -> tensor<1x4x4x16xf32> {
  // expected-error @+1 {{needs 4096 weights}}
  %r = cg.winograd_conv ins(%x, %w : tensor<1x4x4x16xf32>, tensor<7xf32>) outs(%y : tensor<1x4x4x16xf32>)
      attributes {block = 14 : i64, extra_maps = [], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 14 : i64, splits = 1 : i64, tile = 2 : i64} {
  ^bb0(%v: f32):
    cg.yield %v : f32
  } -> tensor<1x4x4x16xf32>
  return %r : tensor<1x4x4x16xf32>
}

// -----

func.func @extras(%x: tensor<1x4x4x16xf32>, %w: tensor<4096xf32>, %b: tensor<16xf32>, %y: tensor<1x4x4x16xf32>) -> tensor<1x4x4x16xf32> {
  // expected-error @+1 {{needs a map and an argument of the region for each extra}}
  %r = cg.winograd_conv ins(%x, %w : tensor<1x4x4x16xf32>, tensor<4096xf32>) extras(%b : tensor<16xf32>) outs(%y : tensor<1x4x4x16xf32>)
      attributes {block = 14 : i64, extra_maps = [], low = array<i64: 1, 1>, lanes = 16 : i64, panel = 32 : i64, rows = 14 : i64, splits = 1 : i64, tile = 2 : i64} {
  ^bb0(%v: f32):
    cg.yield %v : f32
  } -> tensor<1x4x4x16xf32>
  return %r : tensor<1x4x4x16xf32>
}

// -----

func.func @shapes(%m: memref<32xi8>) {
  // expected-error @+1 {{needs 64 bytes of shapes}}
  cg.tile_configure %m : memref<32xi8>
  return
}

// -----

func.func @number() {
  // expected-error @+1 {{failed to satisfy constraint}}
  cg.tile_zero 8
  return
}

// -----

func.func @indices(%m: memref<32x64xi8>, %i: index) {
  // expected-error @+1 {{needs an index for each dimension}}
  cg.tile_load 0, %m[%i] stride 64 : memref<32x64xi8>
  return
}

// -----

func.func @layout(%m: memref<32x64xi8, strided<[1, 32]>>, %i: index) {
  // expected-error @+1 {{contiguous along its last dimension}}
  cg.tile_store 0, %m[%i, %i] stride 64 : memref<32x64xi8, strided<[1, 32]>>
  return
}
