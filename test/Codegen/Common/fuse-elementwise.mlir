// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-fuse-elementwise))' --split-input-file | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// A bias and an activation become one operation.
// CHECK-LABEL: @chain
// CHECK: linalg.generic
// CHECK: arith.addf
// CHECK: math.exp
// CHECK-NOT: linalg.generic
func.func @chain(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = math.exp %l : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// What two operations need is computed once.
// CHECK-LABEL: @shared
// CHECK-COUNT-1: math.exp
// CHECK-NOT: math.exp
func.func @shared(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = math.exp %l : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %l : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %y, %z : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// Padding is a fill and an insertion.
// CHECK-LABEL: @pad
// CHECK: linalg.fill
// CHECK: tensor.insert_slice
func.func @pad(%x: tensor<3xf32>) -> tensor<5xf32> {
  %z = arith.constant 0.0 : f32
  %y = tensor.pad %x low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %z : f32
  } : tensor<3xf32> to tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// A bias behind the reshape of a batched product is added in the product's own shape.
// CHECK-LABEL: @behindReshape
// CHECK: linalg.matmul
// CHECK: linalg.generic {{.*}} : tensor<?x8xf32>)
// CHECK: tensor.expand_shape
// CHECK-NOT: linalg.generic
func.func @behindReshape(%a: tensor<?x4xf32>, %b: tensor<4x8xf32>, %i: tensor<?x8xf32>, %bias: tensor<8xf32>,
                         %m: index, %n: index) -> tensor<?x?x8xf32> {
  %p = linalg.matmul ins(%a, %b : tensor<?x4xf32>, tensor<4x8xf32>) outs(%i : tensor<?x8xf32>) -> tensor<?x8xf32>
  %x = tensor.expand_shape %p [[0, 1], [2]] output_shape [%m, %n, 8] : tensor<?x8xf32> into tensor<?x?x8xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %bias : tensor<?x?x8xf32>, tensor<8xf32>) outs(%e : tensor<?x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Two products, one of them seen through a view: the sum takes the shape of the viewed one, and stays.
// CHECK-LABEL: @twoProducts
// CHECK: tensor.expand_shape {{.*}} : tensor<4x8xf32> into tensor<4x2x4xf32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4x2x4xf32>)
// CHECK: tensor.collapse_shape
func.func @twoProducts(%x: tensor<4x3xf32>, %w: tensor<3x8xf32>, %v: tensor<2x3x4xf32>, %i: tensor<4x8xf32>, %j: tensor<4x2x4xf32>) -> tensor<4x8xf32> {
  %p = linalg.matmul ins(%x, %w : tensor<4x3xf32>, tensor<3x8xf32>) outs(%i : tensor<4x8xf32>) -> tensor<4x8xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
                       iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%x, %v : tensor<4x3xf32>, tensor<2x3x4xf32>) outs(%j : tensor<4x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x2x4xf32>
  %r = tensor.collapse_shape %q [[0], [1, 2]] : tensor<4x2x4xf32> into tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Of the view of a result only sizes are wanted: the result has one user, and both become one.
// CHECK-LABEL: @sizesOfViews
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
func.func @sizesOfViews(%x: tensor<?x8xf32>, %n: index, %m: index) -> (tensor<?x8xf32>, index) {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%d) : tensor<?x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %s = math.exp %in : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  %view = tensor.expand_shape %a [[0, 1], [2]] output_shape [%n, %m, 8] : tensor<?x8xf32> into tensor<?x?x8xf32>
  %size = tensor.dim %view, %c0 : tensor<?x?x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %s = math.log %in : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  return %b, %size : tensor<?x8xf32>, index
}

// -----

// 256 channels at a distance of 12,544 bytes would share 16 sets of the first-level cache: the copy that puts them side by
// side stays. At 3,136 bytes they spread over all sets, and the product reads them where they are.
// CHECK-LABEL: @channels
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<256x3136xf32>)
// CHECK: linalg.generic {{.*}}"reduction"
// CHECK-NOT: ins(%arg1 : tensor<256x784xf32>)
// CHECK: linalg.generic {{.*}}"reduction"]} ins(%arg1
func.func @channels(%x: tensor<256x3136xf32>, %z: tensor<256x784xf32>, %w: tensor<256x64xf32>, %large: tensor<3136x64xf32>,
                    %small: tensor<784x64xf32>) -> (tensor<3136x64xf32>, tensor<784x64xf32>) {
  %e = tensor.empty() : tensor<3136x256xf32>
  %t = linalg.transpose ins(%x : tensor<256x3136xf32>) outs(%e : tensor<3136x256xf32>) permutation = [1, 0]
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%t, %w : tensor<3136x256xf32>, tensor<256x64xf32>) outs(%large : tensor<3136x64xf32>) {
  ^bb0(%l: f32, %r: f32, %c: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<3136x64xf32>
  %f = tensor.empty() : tensor<784x256xf32>
  %u = linalg.transpose ins(%z : tensor<256x784xf32>) outs(%f : tensor<784x256xf32>) permutation = [1, 0]
  %v = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%u, %w : tensor<784x256xf32>, tensor<256x64xf32>) outs(%small : tensor<784x64xf32>) {
  ^bb0(%l: f32, %r: f32, %c: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<784x64xf32>
  return %y, %v : tensor<3136x64xf32>, tensor<784x64xf32>
}
