// RUN: onnx-mlir-opt %s --onnxc-elide-rounding --canonicalize | FileCheck %s

// Probabilities that are rounded for the product with the values alone are not rounded, behind a select neither.
// CHECK-LABEL: @attention
// CHECK: %[[P:.*]] = linalg.generic {{.*}}tensor<?xi1>) outs(%{{.*}} : tensor<?x32xf32>)
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: i1, %{{.*}}: f32):
// CHECK-NEXT: %[[SCALED:.*]] = arith.mulf
// CHECK-NOT: truncf
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[SCALED]] : f32
// CHECK: linalg.generic {{.*}} ins(%[[P]], %{{.*}} : tensor<?x32xf32>,
func.func @attention(%q: tensor<?x8xf16>, %k: tensor<8x32xf16>, %v: tensor<32x8xf16>, %masked: tensor<?xi1>, %scores: tensor<?x32xf32>, %zero: tensor<?xf32>, %init: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%q, %k : tensor<?x8xf16>, tensor<8x32xf16>) outs(%scores : tensor<?x32xf32>) {
  ^bb0(%l: f16, %r: f16, %o: f32):
    %l32 = arith.extf %l : f16 to f32
    %r32 = arith.extf %r : f16 to f32
    %p = arith.mulf %l32, %r32 : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x32xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<?x32xf32>) outs(%zero : tensor<?xf32>) {
  ^bb0(%x: f32, %o: f32):
    %t = arith.addf %o, %x : f32
    linalg.yield %t : f32
  } -> tensor<?xf32>
  %none = arith.constant 0.0 : f16
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %q, %c0 : tensor<?x8xf16>
  %empty = tensor.empty(%rows) : tensor<?x32xf16>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%s, %sum, %masked : tensor<?x32xf32>, tensor<?xf32>, tensor<?xi1>) outs(%empty : tensor<?x32xf16>) {
  ^bb0(%x: f32, %y: f32, %m: i1, %o: f16):
    %t = arith.mulf %x, %y : f32
    %h = arith.truncf %t : f32 to f16
    %u = arith.select %m, %none, %h : f16
    linalg.yield %u : f16
  } -> tensor<?x32xf16>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%p, %v : tensor<?x32xf16>, tensor<32x8xf16>) outs(%init : tensor<?x8xf32>) {
  ^bb0(%l: f16, %r: f16, %o: f32):
    %l32 = arith.extf %l : f16 to f32
    %r32 = arith.extf %r : f16 to f32
    %t = arith.mulf %l32, %r32 : f32
    %u = arith.addf %o, %t : f32
    linalg.yield %u : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// A row's sum is larger than f16 may hold; its reader divides by it. The quotients are stored, and rounded.
// CHECK-LABEL: @row_sums
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?xf32>)
// CHECK: arith.addf
// CHECK: %[[MEAN:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?xf32>)
// CHECK-NOT: truncf
// CHECK: %[[KEPT:.*]] = tensor.expand_shape %[[MEAN]] {{.*}} : tensor<?xf32> into tensor<?x1xf32>
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[KEPT]] : tensor<?x768xf16>, tensor<?x1xf32>)
// CHECK: arith.divf
// CHECK-NEXT: arith.truncf
func.func @row_sums(%x: tensor<?x768xf16>, %zero: tensor<?xf32>, %n: index) -> tensor<?x768xf16> {
  %sum = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x768xf16>) outs(%zero : tensor<?xf32>) {
  ^bb0(%a: f16, %o: f32):
    %w = arith.extf %a : f16 to f32
    %t = arith.addf %o, %w : f32
    linalg.yield %t : f32
  } -> tensor<?xf32>
  %half = tensor.empty(%n) : tensor<?xf16>
  %rounded = linalg.generic {indexing_maps = [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>], iterator_types = ["parallel"]}
      ins(%sum : tensor<?xf32>) outs(%half : tensor<?xf16>) {
  ^bb0(%a: f32, %o: f16):
    %t = arith.truncf %a : f32 to f16
    %w = arith.extf %t : f16 to f32
    %q = arith.mulf %w, %w : f32
    %r = arith.truncf %q : f32 to f16
    linalg.yield %r : f16
  } -> tensor<?xf16>
  %kept = tensor.expand_shape %rounded [[0, 1]] output_shape [%n, 1] : tensor<?xf16> into tensor<?x1xf16>
  %empty = tensor.empty(%n) : tensor<?x768xf16>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, 0)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %kept : tensor<?x768xf16>, tensor<?x1xf16>) outs(%empty : tensor<?x768xf16>) {
  ^bb0(%a: f16, %s: f16, %o: f16):
    %w = arith.extf %a : f16 to f32
    %v = arith.extf %s : f16 to f32
    %q = arith.divf %w, %v : f32
    %r = arith.truncf %q : f32 to f16
    linalg.yield %r : f16
  } -> tensor<?x768xf16>
  return %y : tensor<?x768xf16>
}

// A large result that is read element by element is stored in half the memory.
// CHECK-LABEL: @stored
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x768xf16>)
// CHECK: arith.truncf
func.func @stored(%x: tensor<?x768xf32>, %n: index, %zero: tensor<?xf32>) -> tensor<?xf32> {
  %half = tensor.empty(%n) : tensor<?x768xf16>
  %rounded = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x768xf32>) outs(%half : tensor<?x768xf16>) {
  ^bb0(%a: f32, %o: f16):
    %t = arith.truncf %a : f32 to f16
    linalg.yield %t : f16
  } -> tensor<?x768xf16>
  %sum = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%rounded : tensor<?x768xf16>) outs(%zero : tensor<?xf32>) {
  ^bb0(%a: f16, %o: f32):
    %w = arith.extf %a : f16 to f32
    %t = arith.addf %o, %w : f32
    linalg.yield %t : f32
  } -> tensor<?xf32>
  return %sum : tensor<?xf32>
}
