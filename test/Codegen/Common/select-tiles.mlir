// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-select-tiles))' | FileCheck %s

// A product with its epilogue: one group, tiled by blocks of the result.
// CHECK-LABEL: @product
// CHECK: linalg.fill {cg.lowering_config = #cg.lowering_config<group = [[G:.*]]>}
// CHECK: linalg.matmul {cg.lowering_config = #cg.lowering_config<group = [[G]]>}
// CHECK: linalg.generic {{.*}}group = [[G]], tile_sizes = [96, 256]>
func.func @product(%a: tensor<?x64xf32>, %b: tensor<64x512xf32>, %m: index) -> tensor<?x512xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x512xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x512xf32>) -> tensor<?x512xf32>
  %p = linalg.matmul ins(%a, %b : tensor<?x64xf32>, tensor<64x512xf32>) outs(%f : tensor<?x512xf32>) -> tensor<?x512xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<?x512xf32>) outs(%e : tensor<?x512xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.maximumf %l, %z : f32
    linalg.yield %s : f32
  } -> tensor<?x512xf32>
  return %y : tensor<?x512xf32>
}

// A row's maximum is found inside the tile of rows that needs it; columns are not tiled.
// CHECK-LABEL: @rows
// CHECK: tile_sizes = [{{[1-9][0-9]*}}, 0]>
func.func @rows(%x: tensor<512x1024xf32>) -> tensor<512x1024xf32> {
  %z = arith.constant 0xFF800000 : f32
  %r = tensor.empty() : tensor<512xf32>
  %f = linalg.fill ins(%z : f32) outs(%r : tensor<512xf32>) -> tensor<512xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<512x1024xf32>) outs(%f : tensor<512xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.maximumf %l, %o : f32
    linalg.yield %s : f32
  } -> tensor<512xf32>
  %e = tensor.empty() : tensor<512x1024xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : tensor<512x1024xf32>, tensor<512xf32>) outs(%e : tensor<512x1024xf32>) {
  ^bb0(%l: f32, %r0: f32, %o: f32):
    %s = arith.subf %l, %r0 : f32
    linalg.yield %s : f32
  } -> tensor<512x1024xf32>
  return %y : tensor<512x1024xf32>
}

// Too little work for a loop over tiles.
// CHECK-LABEL: @small
// CHECK-NOT: tile_sizes
func.func @small(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// Panels: all rows that the cache holds, and a number of tiles that threads share evenly.
// CHECK-LABEL: @panels
// CHECK: tile_sizes = [252, 3, 0, 0]>
func.func @panels(%a: tensor<?x768xf32>, %b: tensor<12x768x64xf32>, %m: index) -> tensor<?x12x64xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x12x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x12x64xf32>) -> tensor<?x12x64xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
      iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : tensor<?x768xf32>, tensor<12x768x64xf32>) outs(%f : tensor<?x12x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %q = arith.mulf %l, %r : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<?x12x64xf32>
  return %p : tensor<?x12x64xf32>
}

// Weights that stay in the cache: fewer rows a tile, so that two threads share some hundred rows evenly.
// CHECK-LABEL: @cachedPanels
// CHECK: tile_sizes = [84, 3, 0, 0]>
func.func @cachedPanels(%a: tensor<?x480xf32>, %b: tensor<10x480x48xf32>, %m: index) -> tensor<?x10x48xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x10x48xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x10x48xf32>) -> tensor<?x10x48xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
      iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : tensor<?x480xf32>, tensor<10x480x48xf32>) outs(%f : tensor<?x10x48xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %q = arith.mulf %l, %r : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<?x10x48xf32>
  return %p : tensor<?x10x48xf32>
}

// A single row waits for the weights: few panels are worth a thread.
// CHECK-LABEL: @singleRow
// CHECK: tile_sizes = [1, 4, 0, 0]>
func.func @singleRow(%a: tensor<1x512xf32>, %b: tensor<32x512x64xf32>) -> tensor<1x32x64xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x32x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x32x64xf32>) -> tensor<1x32x64xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
      iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : tensor<1x512xf32>, tensor<32x512x64xf32>) outs(%f : tensor<1x32x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %q = arith.mulf %l, %r : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<1x32x64xf32>
  return %p : tensor<1x32x64xf32>
}

// A convolution of few positions: a tile has them all, since fewer rows wait for their sums.
// CHECK-LABEL: @fewPositions
// CHECK: tile_sizes = [1, 0, 0, 0]>
func.func @fewPositions(%a: tensor<?x896xf32>, %b: tensor<256x48xf32>, %m: index) -> tensor<?x5x48xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x5x48xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x5x48xf32>) -> tensor<?x5x48xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(n, p, j, k) -> (k, j)>, affine_map<(n, p, j, k) -> (n, p * 128 + k)>, affine_map<(n, p, j, k) -> (n, p, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%b, %a : tensor<256x48xf32>, tensor<?x896xf32>) outs(%f : tensor<?x5x48xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %q = arith.mulf %l, %r : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<?x5x48xf32>
  return %p : tensor<?x5x48xf32>
}

// A transposed copy: tiles that have a part of the rows of both sides.
// CHECK-LABEL: @transposed
// CHECK: tile_sizes = [64, 256]>
func.func @transposed(%x: tensor<768x768xf32>) -> tensor<768x768xf32> {
  %e = tensor.empty() : tensor<768x768xf32>
  %y = linalg.transpose ins(%x : tensor<768x768xf32>) outs(%e : tensor<768x768xf32>) permutation = [1, 0]
  return %y : tensor<768x768xf32>
}

// Tables along both loops leave none to tile: the one of the columns is left out. The sum's start, which
// follows both, is not.
// CHECK-LABEL: @tables
// CHECK: linalg.fill {cg.lowering_config = #cg.lowering_config<group = [[G:.*]]>}
// CHECK: math.exp
// CHECK-NOT: group
// CHECK: math.absf
// CHECK: group = [[G]]>}
// CHECK: math.sqrt
// CHECK: group = [[G]], tile_sizes = [8, 0]>
func.func @tables(%x: tensor<64x512x8xf32>, %t: tensor<512xf32>, %r: tensor<64xf32>) -> tensor<64x512xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x512xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64x512xf32>) -> tensor<64x512xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<64x512x8xf32>) outs(%f : tensor<64x512xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    %1 = arith.addf %0, %o : f32
    linalg.yield %1 : f32
  } -> tensor<64x512xf32>
  %et = tensor.empty() : tensor<512xf32>
  %u = linalg.generic {indexing_maps = [affine_map<(j) -> (j)>, affine_map<(j) -> (j)>], iterator_types = ["parallel"]}
      ins(%t : tensor<512xf32>) outs(%et : tensor<512xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.absf %a : f32
    linalg.yield %0 : f32
  } -> tensor<512xf32>
  %er = tensor.empty() : tensor<64xf32>
  %v = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%r : tensor<64xf32>) outs(%er : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.sqrt %a : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %u, %v : tensor<64x512xf32>, tensor<512xf32>, tensor<64xf32>) outs(%e : tensor<64x512xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32, %o: f32):
    %0 = arith.divf %a, %c : f32
    %1 = arith.addf %0, %d : f32
    linalg.yield %1 : f32
  } -> tensor<64x512xf32>
  return %y : tensor<64x512xf32>
}

#q = affine_map<(h, m, n, k) -> (h, m, k)>
#k = affine_map<(h, m, n, k) -> (h, k, n)>
#s = affine_map<(h, m, n, k) -> (h, m, n)>
#e = affine_map<(h, m, n) -> (h, m, n)>
#r = affine_map<(h, m, n) -> (h, m)>

// Attention: scores, their row maxima, powers and the product with the values are one group, tiled by
// head and block of rows.
// CHECK-LABEL: @attention
// CHECK-COUNT-4: group = [[G:[0-9]+]]>
// CHECK: group = [[G]], tile_sizes = [1, 64, 0, 0]>
func.func @attention(%q: tensor<4x128x64xf32>, %k: tensor<4x64x256xf32>, %v: tensor<4x256x64xf32>) -> tensor<4x128x64xf32> {
  %z = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %se = tensor.empty() : tensor<4x128x256xf32>
  %sf = linalg.fill ins(%z : f32) outs(%se : tensor<4x128x256xf32>) -> tensor<4x128x256xf32>
  %scores = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<4x128x64xf32>, tensor<4x64x256xf32>) outs(%sf : tensor<4x128x256xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %u = arith.addf %c, %p : f32
    linalg.yield %u : f32
  } -> tensor<4x128x256xf32>
  %me = tensor.empty() : tensor<4x128xf32>
  %mf = linalg.fill ins(%low : f32) outs(%me : tensor<4x128xf32>) -> tensor<4x128xf32>
  %top = linalg.generic {indexing_maps = [#e, #r], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%scores : tensor<4x128x256xf32>) outs(%mf : tensor<4x128xf32>) {
  ^bb0(%a: f32, %c: f32):
    %u = arith.maximumf %c, %a : f32
    linalg.yield %u : f32
  } -> tensor<4x128xf32>
  %powers = linalg.generic {indexing_maps = [#e, #r, #e], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scores, %top : tensor<4x128x256xf32>, tensor<4x128xf32>) outs(%se : tensor<4x128x256xf32>) {
  ^bb0(%a: f32, %m: f32, %c: f32):
    %d = arith.subf %a, %m : f32
    %u = math.exp %d : f32
    linalg.yield %u : f32
  } -> tensor<4x128x256xf32>
  %ye = tensor.empty() : tensor<4x128x64xf32>
  %yf = linalg.fill ins(%z : f32) outs(%ye : tensor<4x128x64xf32>) -> tensor<4x128x64xf32>
  %y = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%powers, %v : tensor<4x128x256xf32>, tensor<4x256x64xf32>) outs(%yf : tensor<4x128x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %u = arith.addf %c, %p : f32
    linalg.yield %u : f32
  } -> tensor<4x128x64xf32>
  return %y : tensor<4x128x64xf32>
}

// A strategy that is there is followed; the group is chosen, and gets a number that is free.
// CHECK-LABEL: @given
// CHECK: linalg.fill {cg.lowering_config = #cg.lowering_config<group = 7>}
// CHECK: linalg.matmul {cg.lowering_config = #cg.lowering_config<group = 7, tile_sizes = [16, 32, 0], lanes = 8>}
// CHECK: linalg.fill {cg.lowering_config = #cg.lowering_config<group = 8>}
// CHECK: linalg.matmul {cg.lowering_config = #cg.lowering_config<group = 8, tile_sizes = [10, 0, 0]>}
// CHECK: linalg.matmul{{ +}}ins
func.func @given(%a: tensor<96x64xf32>, %b: tensor<64x512xf32>) -> (tensor<96x512xf32>, tensor<96x512xf32>, tensor<96x512xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<96x512xf32>
  %f = linalg.fill {cg.lowering_config = #cg.lowering_config<group = 7>} ins(%z : f32) outs(%e : tensor<96x512xf32>) -> tensor<96x512xf32>
  %p = linalg.matmul {cg.lowering_config = #cg.lowering_config<group = 7, tile_sizes = [16, 32, 0], lanes = 8>}
      ins(%a, %b : tensor<96x64xf32>, tensor<64x512xf32>) outs(%f : tensor<96x512xf32>) -> tensor<96x512xf32>
  %g = linalg.fill ins(%z : f32) outs(%e : tensor<96x512xf32>) -> tensor<96x512xf32>
  %q = linalg.matmul {cg.lowering_config = #cg.lowering_config<tile_sizes = [10, 0, 0]>}
      ins(%a, %b : tensor<96x64xf32>, tensor<64x512xf32>) outs(%g : tensor<96x512xf32>) -> tensor<96x512xf32>
  %r = linalg.matmul {cg.lowering_config = #cg.lowering_config<tile_sizes = [0, 0, 0]>}
      ins(%a, %b : tensor<96x64xf32>, tensor<64x512xf32>) outs(%e : tensor<96x512xf32>) -> tensor<96x512xf32>
  return %p, %q, %r : tensor<96x512xf32>, tensor<96x512xf32>, tensor<96x512xf32>
}

// Windows of groups with vectors along positions: a group and its whole image a tile.
// CHECK-LABEL: @groups
// CHECK: linalg.generic {{.*}}tile_sizes = [1, 1, 0, 0, 0, 0]>
func.func @groups(%x: tensor<2x32x30x30xf32>, %w: tensor<32x3x3xf32>) -> tensor<2x32x28x28xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x32x28x28xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<2x32x28x28xf32>) -> tensor<2x32x28x28xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, g, h, w, i, j) -> (g, i, j)>, affine_map<(n, g, h, w, i, j) -> (n, g, h + i, w + j)>,
                                        affine_map<(n, g, h, w, i, j) -> (n, g, h, w)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%w, %x : tensor<32x3x3xf32>, tensor<2x32x30x30xf32>) outs(%f : tensor<2x32x28x28xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %0 = arith.mulf %l, %r : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x32x28x28xf32>
  return %c : tensor<2x32x28x28xf32>
}

// Rows whose number is known and that are enough for a panel alone: fine tiles, so that no thread waits long for another.
// CHECK-LABEL: @finePanels
// CHECK: tile_sizes = [128, 1, 0, 0]>
func.func @finePanels(%a: tensor<128x768xf32>, %b: tensor<12x768x64xf32>, %init: tensor<128x12x64xf32>) -> tensor<128x12x64xf32> {
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
      iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : tensor<128x768xf32>, tensor<12x768x64xf32>) outs(%init : tensor<128x12x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %q = arith.mulf %l, %r : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<128x12x64xf32>
  return %p : tensor<128x12x64xf32>
}

// Few columns: rows are shared by threads. The second vector of columns takes as long as a whole one.
// CHECK-LABEL: @sharedRows
// CHECK: linalg.matmul {{.*}}tile_sizes = [32, 17, 0]>
func.func @sharedRows(%a: tensor<64x2048xf32>, %b: tensor<2048x17xf32>, %init: tensor<64x17xf32>) -> tensor<64x17xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<64x2048xf32>, tensor<2048x17xf32>) outs(%init : tensor<64x17xf32>) -> tensor<64x17xf32>
  return %p : tensor<64x17xf32>
}

// What nothing reads is left alone.
// CHECK-LABEL: @dead_fill
// CHECK: linalg.fill
func.func @dead_fill(%m: index) -> index {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x512xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x512xf32>) -> tensor<?x512xf32>
  return %m : index
}
