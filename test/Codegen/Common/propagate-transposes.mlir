// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-propagate-transposes),canonicalize,cse)' --split-input-file | FileCheck %s

// Between two convolutions: a bias, a residual sum and a window of maxima follow the channels-last order, and the
// transpositions are gone. The loops run as the result lies in memory.
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[LAST:.*]] = affine_map<(d0, d1, d2, d3) -> (d3)>
// CHECK-DAG: #[[WINDOW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1 * 2 + d4, d2 * 2 + d5, d3)>
// CHECK-LABEL: @between
// CHECK-SAME: (%[[A:.*]]: tensor<1x?x?x8xf32>, %[[B:.*]]: tensor<1x?x?x8xf32>, %[[BIAS:.*]]: tensor<8xf32>
// CHECK-NOT: linalg.transpose
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[ID]], #[[ID]], #[[LAST]], #[[ID]]]{{.*}} ins(%[[A]], %[[B]], %[[BIAS]] :
// CHECK: linalg.generic {indexing_maps = [#[[WINDOW]], {{.*}} ins(%[[SUM]],
// CHECK-NOT: linalg.transpose
// CHECK: return
func.func @between(%a: tensor<1x?x?x8xf32>, %b: tensor<1x?x?x8xf32>, %bias: tensor<8xf32>, %h: index, %w: index,
                   %h2: index, %w2: index) -> tensor<1x?x?x8xf32> {
  %low = arith.constant 0xFF800000 : f32
  %e = tensor.empty(%h, %w) : tensor<1x8x?x?xf32>
  %ta = linalg.transpose ins(%a : tensor<1x?x?x8xf32>) outs(%e : tensor<1x8x?x?xf32>) permutation = [0, 3, 1, 2]
  %tb = linalg.transpose ins(%b : tensor<1x?x?x8xf32>) outs(%e : tensor<1x8x?x?xf32>) permutation = [0, 3, 1, 2]
  %sum = linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (n, c, h, w)>,
                                          affine_map<(n, c, h, w) -> (c)>, affine_map<(n, c, h, w) -> (n, c, h, w)>],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%ta, %tb, %bias : tensor<1x8x?x?xf32>, tensor<1x8x?x?xf32>, tensor<8xf32>) outs(%e : tensor<1x8x?x?xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32, %o: f32):
    %0 = arith.addf %x, %y : f32
    %1 = arith.addf %0, %z : f32
    linalg.yield %1 : f32
  } -> tensor<1x8x?x?xf32>
  %taps = tensor.empty() : tensor<2x2xf32>
  %e2 = tensor.empty(%h2, %w2) : tensor<1x8x?x?xf32>
  %f = linalg.fill ins(%low : f32) outs(%e2 : tensor<1x8x?x?xf32>) -> tensor<1x8x?x?xf32>
  %max = linalg.generic {indexing_maps = [affine_map<(n, c, h, w, i, j) -> (n, c, h * 2 + i, w * 2 + j)>, affine_map<(n, c, h, w, i, j) -> (i, j)>,
                                          affine_map<(n, c, h, w, i, j) -> (n, c, h, w)>],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%sum, %taps : tensor<1x8x?x?xf32>, tensor<2x2xf32>) outs(%f : tensor<1x8x?x?xf32>) {
  ^bb0(%x: f32, %t: f32, %o: f32):
    %0 = arith.maximumf %x, %o : f32
    linalg.yield %0 : f32
  } -> tensor<1x8x?x?xf32>
  %e3 = tensor.empty(%h2, %w2) : tensor<1x?x?x8xf32>
  %r = linalg.transpose ins(%max : tensor<1x8x?x?xf32>) outs(%e3 : tensor<1x?x?x8xf32>) permutation = [0, 2, 3, 1]
  return %r : tensor<1x?x?x8xf32>
}

// -----

// Padding, slices, and a tensor put together from parts; the part that is not transposed is smaller
// than the others and is the one that moves.
// CHECK-LABEL: @parts
// CHECK-SAME: (%[[A:.*]]: tensor<1x4x4x8xf32>, %[[B:.*]]: tensor<1x2x4x4xf32>
// CHECK: %[[PAD:.*]] = tensor.pad %[[A]] low[0, 1, 2, 0] high[0, 0, 0, 0]
// CHECK: %[[SLICE:.*]] = tensor.extract_slice %[[PAD]][0, 1, 2, 0] [1, 4, 4, 6] [1, 1, 1, 1]
// CHECK: %[[ONE:.*]] = tensor.insert_slice %[[SLICE]] into %{{.*}}[0, 0, 0, 0] [1, 4, 4, 6]
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[B]] : {{.*}} permutation = [0, 2, 3, 1]
// CHECK: %[[R:.*]] = tensor.insert_slice %[[T]] into %[[ONE]][0, 0, 0, 6] [1, 4, 4, 2]
// CHECK: return %[[R]] : tensor<1x4x4x8xf32>
func.func @parts(%a: tensor<1x4x4x8xf32>, %b: tensor<1x2x4x4xf32>) -> tensor<1x4x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x4x4xf32>
  %t = linalg.transpose ins(%a : tensor<1x4x4x8xf32>) outs(%e : tensor<1x8x4x4xf32>) permutation = [0, 3, 1, 2]
  %p = tensor.pad %t low[0, 0, 1, 2] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x8x4x4xf32> to tensor<1x8x5x6xf32>
  %s = tensor.extract_slice %p[0, 0, 1, 2] [1, 6, 4, 4] [1, 1, 1, 1] : tensor<1x8x5x6xf32> to tensor<1x6x4x4xf32>
  %0 = tensor.insert_slice %s into %e[0, 0, 0, 0] [1, 6, 4, 4] [1, 1, 1, 1] : tensor<1x6x4x4xf32> into tensor<1x8x4x4xf32>
  %1 = tensor.insert_slice %b into %0[0, 6, 0, 0] [1, 2, 4, 4] [1, 1, 1, 1] : tensor<1x2x4x4xf32> into tensor<1x8x4x4xf32>
  %e2 = tensor.empty() : tensor<1x4x4x8xf32>
  %r = linalg.transpose ins(%1 : tensor<1x8x4x4xf32>) outs(%e2 : tensor<1x4x4x8xf32>) permutation = [0, 2, 3, 1]
  return %r : tensor<1x4x4x8xf32>
}

// -----

// A global mean and what is made of it: [1, C, 1, 1] is a view of [C], whatever the order.
// CHECK-DAG: #[[IN:.*]] = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
// CHECK-DAG: #[[OUT:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: @mean
// CHECK-NOT: linalg.transpose
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2], [3]] : tensor<1x4x4x8xf32> into tensor<1x16x8xf32>
// CHECK: linalg.generic {indexing_maps = [#[[IN]], #[[OUT]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[FLAT]]
// CHECK: return %{{.*}} : tensor<1x1x1x8xf32>
func.func @mean(%a: tensor<1x4x4x8xf32>) -> tensor<1x1x1x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x4x4xf32>
  %t = linalg.transpose ins(%a : tensor<1x4x4x8xf32>) outs(%e : tensor<1x8x4x4xf32>) permutation = [0, 3, 1, 2]
  %flat = tensor.collapse_shape %t [[0], [1], [2, 3]] : tensor<1x8x4x4xf32> into tensor<1x8x16xf32>
  %e2 = tensor.empty() : tensor<1x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x8xf32>) -> tensor<1x8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(n, c, p) -> (n, c, p)>, affine_map<(n, c, p) -> (n, c)>],
                         iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%flat : tensor<1x8x16xf32>) outs(%f : tensor<1x8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.addf %x, %o : f32
    linalg.yield %0 : f32
  } -> tensor<1x8xf32>
  %u = tensor.expand_shape %sum [[0], [1, 2, 3]] output_shape [1, 8, 1, 1] : tensor<1x8xf32> into tensor<1x8x1x1xf32>
  %e3 = tensor.empty() : tensor<1x1x1x8xf32>
  %r = linalg.transpose ins(%u : tensor<1x8x1x1xf32>) outs(%e3 : tensor<1x1x1x8xf32>) permutation = [0, 2, 3, 1]
  return %r : tensor<1x1x1x8xf32>
}

// -----

// A body that reads a transposition elsewhere (nearest neighbours), and a constant beside it.
// CHECK-LABEL: @gather
// CHECK-SAME: (%[[A:.*]]: tensor<1x2x2x3xf32>)
// CHECK: arith.constant dense<{{\[}}{{\[}}[1.000000e+00, 3.000000e+00], [2.000000e+00, 4.000000e+00]]]> : tensor<1x2x2xf32>
// CHECK-NOT: linalg.transpose
// CHECK: %[[C:.*]] = linalg.index 3
// CHECK: tensor.extract %[[A]][%{{.*}}, %{{.*}}, %{{.*}}, %[[C]]]
// CHECK: -> tensor<1x4x4x3xf32>
// CHECK: -> tensor<1x2x2xf32>
func.func @gather(%a: tensor<1x2x2x3xf32>) -> (tensor<1x4x4x3xf32>, tensor<1x2x2xf32>) {
  %c2 = arith.constant 2 : index
  %c0 = arith.constant 0 : index
  %e = tensor.empty() : tensor<1x3x2x2xf32>
  %t = linalg.transpose ins(%a : tensor<1x2x2x3xf32>) outs(%e : tensor<1x3x2x2xf32>) permutation = [0, 3, 1, 2]
  %e2 = tensor.empty() : tensor<1x3x4x4xf32>
  %up = linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>],
                        iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%e2 : tensor<1x3x4x4xf32>) {
  ^bb0(%o: f32):
    %c = linalg.index 1 : index
    %h = linalg.index 2 : index
    %w = linalg.index 3 : index
    %h2 = arith.divui %h, %c2 : index
    %w2 = arith.divui %w, %c2 : index
    %v = tensor.extract %t[%c0, %c, %h2, %w2] : tensor<1x3x2x2xf32>
    linalg.yield %v : f32
  } -> tensor<1x3x4x4xf32>
  %e3 = tensor.empty() : tensor<1x4x4x3xf32>
  %r = linalg.transpose ins(%up : tensor<1x3x4x4xf32>) outs(%e3 : tensor<1x4x4x3xf32>) permutation = [0, 2, 3, 1]
  %k = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  %e4 = tensor.empty() : tensor<1x2x2xf32>
  %tk = linalg.transpose ins(%k : tensor<1x2x2xf32>) outs(%e4 : tensor<1x2x2xf32>) permutation = [0, 2, 1]
  %s = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>],
                       iterator_types = ["parallel", "parallel", "parallel"]} ins(%tk : tensor<1x2x2xf32>) outs(%e4 : tensor<1x2x2xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = math.sqrt %x : f32
    linalg.yield %0 : f32
  } -> tensor<1x2x2xf32>
  return %r, %s : tensor<1x4x4x3xf32>, tensor<1x2x2xf32>
}

// -----

// A shuffle of channels moves elements whatever the order, but only among the channels.
// CHECK-LABEL: @shuffle
// CHECK: linalg.transpose ins(%{{.*}} : tensor<1x4x5x2x3xf32>) {{.*}} permutation = [0, 1, 2, 4, 3]
// CHECK: tensor.collapse_shape {{.*}} {{\[}}[0], [1], [2], [3, 4]]
// CHECK-NOT: linalg.transpose
func.func @shuffle(%a: tensor<1x4x5x6xf32>) -> tensor<1x4x5x6xf32> {
  %e = tensor.empty() : tensor<1x6x4x5xf32>
  %t = linalg.transpose ins(%a : tensor<1x4x5x6xf32>) outs(%e : tensor<1x6x4x5xf32>) permutation = [0, 3, 1, 2]
  %x = tensor.expand_shape %t [[0], [1, 2], [3], [4]] output_shape [1, 2, 3, 4, 5] : tensor<1x6x4x5xf32> into tensor<1x2x3x4x5xf32>
  %e2 = tensor.empty() : tensor<1x3x2x4x5xf32>
  %s = linalg.transpose ins(%x : tensor<1x2x3x4x5xf32>) outs(%e2 : tensor<1x3x2x4x5xf32>) permutation = [0, 2, 1, 3, 4]
  %c = tensor.collapse_shape %s [[0], [1, 2], [3], [4]] : tensor<1x3x2x4x5xf32> into tensor<1x6x4x5xf32>
  %e3 = tensor.empty() : tensor<1x4x5x6xf32>
  %r = linalg.transpose ins(%c : tensor<1x6x4x5xf32>) outs(%e3 : tensor<1x4x5x6xf32>) permutation = [0, 2, 3, 1]
  return %r : tensor<1x4x5x6xf32>
}

// -----

// A product's operand is read through its transposition only where rows stay rows: not B, whose columns
// would lie a row apart.
// CHECK-LABEL: @product
// CHECK-SAME: (%[[A:.*]]: tensor<4x8x6xf32>, %[[B:.*]]: tensor<4x16x6xf32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[B]]
// CHECK: linalg.generic {{.*}} ins(%[[A]], %[[T]] :
func.func @product(%a: tensor<4x8x6xf32>, %b: tensor<4x16x6xf32>, %o: tensor<8x4x16xf32>) -> tensor<8x4x16xf32> {
  %e = tensor.empty() : tensor<8x4x6xf32>
  %ta = linalg.transpose ins(%a : tensor<4x8x6xf32>) outs(%e : tensor<8x4x6xf32>) permutation = [1, 0, 2]
  %e2 = tensor.empty() : tensor<4x6x16xf32>
  %tb = linalg.transpose ins(%b : tensor<4x16x6xf32>) outs(%e2 : tensor<4x6x16xf32>) permutation = [0, 2, 1]
  %r = linalg.generic {indexing_maps = [affine_map<(m, h, n, k) -> (m, h, k)>, affine_map<(m, h, n, k) -> (h, k, n)>,
                                        affine_map<(m, h, n, k) -> (m, h, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%ta, %tb : tensor<8x4x6xf32>, tensor<4x6x16xf32>) outs(%o : tensor<8x4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %0 = arith.mulf %x, %y : f32
    %1 = arith.addf %z, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<8x4x16xf32>
  return %r : tensor<8x4x16xf32>
}

// -----

// A 1x1 convolution whose input and result are in NCHW: a product with the positions as its columns, those that are
// read next to each other; the addition behind it takes them as one dimension too.
// CHECK-LABEL: @outerPointwise
// CHECK-NOT: linalg.transpose
// CHECK: %[[READ:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<2x32x16x16xf32>)
// CHECK: %[[X:.*]] = tensor.collapse_shape %[[READ]] {{\[}}[0], [1], [2, 3]] {{.*}} into tensor<2x32x256xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[X]] : tensor<64x32xf32>, tensor<2x32x256xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x64x256xf32>, tensor<64xf32>)
// CHECK: tensor.expand_shape {{.*}} into tensor<2x64x16x16xf32>
// CHECK-NOT: linalg.transpose
func.func @outerPointwise(%x: tensor<2x32x32x32xf32>, %w: tensor<64x32xf32>, %b: tensor<64xf32>) -> tensor<2x64x16x16xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x32x32x32xf32>
  %t = linalg.transpose ins(%x : tensor<2x32x32x32xf32>) outs(%e : tensor<2x32x32x32xf32>) permutation = [0, 2, 3, 1]
  %o = tensor.empty() : tensor<2x16x16x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<2x16x16x64xf32>) -> tensor<2x16x16x64xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, f, c) -> (f, c)>, affine_map<(n, h, w, f, c) -> (n, h * 2, w * 2, c)>,
                                        affine_map<(n, h, w, f, c) -> (n, h, w, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%w, %t : tensor<64x32xf32>, tensor<2x32x32x32xf32>) outs(%f : tensor<2x16x16x64xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %0 = arith.mulf %l, %r : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x16x16x64xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(n, h, w, f) -> (n, h, w, f)>, affine_map<(n, h, w, f) -> (f)>, affine_map<(n, h, w, f) -> (n, h, w, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %b : tensor<2x16x16x64xf32>, tensor<64xf32>) outs(%o : tensor<2x16x16x64xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %0 = arith.addf %l, %r : f32
    linalg.yield %0 : f32
  } -> tensor<2x16x16x64xf32>
  %e2 = tensor.empty() : tensor<2x64x16x16xf32>
  %y = linalg.transpose ins(%s : tensor<2x16x16x64xf32>) outs(%e2 : tensor<2x64x16x16xf32>) permutation = [0, 3, 1, 2]
  return %y : tensor<2x64x16x16xf32>
}

// -----

// Windows of groups of channels: groups first, then filters, then positions; the padding is next to the windows.
// CHECK-LABEL: @outerGroups
// CHECK-SAME: %[[IN:.*]]: tensor<1x32x16x16xf32>
// CHECK: %[[SPLIT:.*]] = tensor.expand_shape %[[IN]]
// CHECK: %[[PAD:.*]] = tensor.pad %[[SPLIT]] low[0, 0, 0, 1, 1] high[0, 0, 0, 1, 1]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[PAD]] : {{.*}}) outs(%{{.*}} : tensor<1x8x4x16x16xf32>)
// CHECK: tensor.collapse_shape {{.*}} into tensor<1x32x16x16xf32>
// CHECK-NEXT: return
func.func @outerGroups(%x: tensor<1x32x16x16xf32>, %w: tensor<8x4x4x3x3xf32>) -> tensor<1x32x16x16xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x16x16x32xf32>
  %t = linalg.transpose ins(%x : tensor<1x32x16x16xf32>) outs(%e : tensor<1x16x16x32xf32>) permutation = [0, 2, 3, 1]
  %p = tensor.pad %t low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %z : f32
  } : tensor<1x16x16x32xf32> to tensor<1x18x18x32xf32>
  %g = tensor.expand_shape %p [[0], [1], [2], [3, 4]] output_shape [1, 18, 18, 8, 4] : tensor<1x18x18x32xf32> into tensor<1x18x18x8x4xf32>
  %o = tensor.empty() : tensor<1x16x16x8x4xf32>
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<1x16x16x8x4xf32>) -> tensor<1x16x16x8x4xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, h, w, g, f, i, j, c) -> (g, f, c, i, j)>, affine_map<(n, h, w, g, f, i, j, c) -> (n, h + i, w + j, g, c)>,
                                        affine_map<(n, h, w, g, f, i, j, c) -> (n, h, w, g, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%w, %g : tensor<8x4x4x3x3xf32>, tensor<1x18x18x8x4xf32>) outs(%f : tensor<1x16x16x8x4xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %0 = arith.mulf %l, %r : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x16x16x8x4xf32>
  %s = tensor.collapse_shape %c [[0], [1], [2], [3, 4]] : tensor<1x16x16x8x4xf32> into tensor<1x16x16x32xf32>
  %e2 = tensor.empty() : tensor<1x32x16x16xf32>
  %y = linalg.transpose ins(%s : tensor<1x16x16x32xf32>) outs(%e2 : tensor<1x32x16x16xf32>) permutation = [0, 3, 1, 2]
  return %y : tensor<1x32x16x16xf32>
}

// -----

// Few positions: filters fill vectors better. And a result that is wanted channels-last stays so.
// CHECK-LABEL: @innerPointwise
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 1]
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 1]
func.func @innerPointwise(%x: tensor<1x512x3xf32>, %w: tensor<512x512xf32>) -> tensor<1x512x3xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x3x512xf32>
  %t = linalg.transpose ins(%x : tensor<1x512x3xf32>) outs(%e : tensor<1x3x512xf32>) permutation = [0, 2, 1]
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x3x512xf32>) -> tensor<1x3x512xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(n, p, f, c) -> (f, c)>, affine_map<(n, p, f, c) -> (n, p, c)>, affine_map<(n, p, f, c) -> (n, p, f)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%w, %t : tensor<512x512xf32>, tensor<1x3x512xf32>) outs(%f : tensor<1x3x512xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %0 = arith.mulf %l, %r : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x3x512xf32>
  %e2 = tensor.empty() : tensor<1x512x3xf32>
  %y = linalg.transpose ins(%c : tensor<1x3x512xf32>) outs(%e2 : tensor<1x512x3xf32>) permutation = [0, 2, 1]
  return %y : tensor<1x512x3xf32>
}

// -----

// Slices that overlap are of a tensor that is transposed once.
// CHECK-LABEL: @overlapping
// CHECK-SAME: %[[X:.*]]: tensor<8x6x4xf32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[X]] {{.*}} permutation = [1, 2, 0]
// CHECK-NOT: linalg.transpose
// CHECK: tensor.extract_slice %[[T]][0, 0, 0] [5, 4, 8]
// CHECK: tensor.extract_slice %[[T]][1, 0, 0] [5, 4, 8]
func.func @overlapping(%x: tensor<8x6x4xf32>) -> (tensor<5x4x8xf32>, tensor<5x4x8xf32>) {
  %e = tensor.empty() : tensor<6x4x8xf32>
  %t = linalg.transpose ins(%x : tensor<8x6x4xf32>) outs(%e : tensor<6x4x8xf32>) permutation = [1, 2, 0]
  %a = tensor.extract_slice %t[0, 0, 0] [5, 4, 8] [1, 1, 1] : tensor<6x4x8xf32> to tensor<5x4x8xf32>
  %b = tensor.extract_slice %t[1, 0, 0] [5, 4, 8] [1, 1, 1] : tensor<6x4x8xf32> to tensor<5x4x8xf32>
  return %a, %b : tensor<5x4x8xf32>, tensor<5x4x8xf32>
}
