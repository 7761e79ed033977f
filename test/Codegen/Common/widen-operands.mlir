// RUN: onnx-mlir-opt %s --onnxc-widen-operands --canonicalize | FileCheck %s

// The left side becomes f32 before; the panels stay as they are.
// CHECK-LABEL: @product
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x768xf16>) outs(%{{.*}} : tensor<?x768xf32>)
// CHECK: arith.extf
// CHECK: linalg.generic {{.*}} ins(%[[WIDE]], %arg1 : tensor<?x768xf32>, tensor<12x768x64xf16>)
// CHECK-NEXT: ^bb0(%[[L:.*]]: f32, %[[R:.*]]: f16, %{{.*}}: f32):
// CHECK-NEXT: %[[R32:.*]] = arith.extf %[[R]]
// CHECK-NEXT: arith.mulf %[[L]], %[[R32]]
func.func @product(%a: tensor<?x768xf16>, %b: tensor<12x768x64xf16>, %c: tensor<?x12x64xf32>) -> tensor<?x12x64xf32> {
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
      iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : tensor<?x768xf16>, tensor<12x768x64xf16>) outs(%c : tensor<?x12x64xf32>) {
  ^bb0(%l: f16, %r: f16, %o: f32):
    %l32 = arith.extf %l : f16 to f32
    %r32 = arith.extf %r : f16 to f32
    %q = arith.mulf %l32, %r32 : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<?x12x64xf32>
  return %p : tensor<?x12x64xf32>
}

// Panels become f32 too where many rows pass over them.
// CHECK-LABEL: @reused
// CHECK: %[[PANELS:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<12x768x64xf16>) outs(%{{.*}} : tensor<12x768x64xf32>)
// CHECK: arith.extf
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[PANELS]] : tensor<32x768xf32>, tensor<12x768x64xf32>)
// CHECK-NEXT: ^bb0(%[[L:.*]]: f32, %[[R:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: arith.mulf %[[L]], %[[R]]
func.func @reused(%a: tensor<32x768xf16>, %b: tensor<12x768x64xf16>, %c: tensor<32x12x64xf32>) -> tensor<32x12x64xf32> {
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, affine_map<(m, n, k, j) -> (n, k, j)>, affine_map<(m, n, k, j) -> (m, n, j)>],
      iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : tensor<32x768xf16>, tensor<12x768x64xf16>) outs(%c : tensor<32x12x64xf32>) {
  ^bb0(%l: f16, %r: f16, %o: f32):
    %l32 = arith.extf %l : f16 to f32
    %r32 = arith.extf %r : f16 to f32
    %q = arith.mulf %l32, %r32 : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<32x12x64xf32>
  return %p : tensor<32x12x64xf32>
}

// A sum that uses each element once reads it where it is.
// CHECK-LABEL: @sum
// CHECK-NOT: tensor.empty
// CHECK: return
func.func @sum(%a: tensor<8x768xf16>, %c: tensor<8xf32>) -> tensor<8xf32> {
  %p = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%a : tensor<8x768xf16>) outs(%c : tensor<8xf32>) {
  ^bb0(%l: f16, %o: f32):
    %l32 = arith.extf %l : f16 to f32
    %s = arith.addf %o, %l32 : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %p : tensor<8xf32>
}

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
