// RUN: onnx-mlir-opt --onnxc-pack-integer-weights %s | FileCheck %s

// Panels of 16 columns; four rows of the weights lie next to each other.
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2 * 4 + d4)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d4)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3)>
// CHECK-LABEL: func.func @whole
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[W]], #[[Y]]]
// CHECK-SAME: ins({{.*}} : tensor<?x8xi8>, tensor<1x2x16x4xi8>) outs({{.*}} : tensor<?x1x16xi32>)
// CHECK: tensor.collapse_shape {{.*}} into tensor<?x16xi32>
func.func @whole(%x: tensor<?x8xi8>, %m: index) -> tensor<?x16xi32> {
  %w = arith.constant dense<"0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"> : tensor<8x16xi8>
  %zero = arith.constant 0 : i32
  %empty = tensor.empty(%m) : tensor<?x16xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<?x16xi32>) -> tensor<?x16xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<?x8xi8>, tensor<8x16xi8>) outs(%init : tensor<?x16xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<?x16xi32>
  return %y : tensor<?x16xi32>
}

// Five rows become eight and six columns sixteen; x gets three columns of anything.
// CHECK-LABEL: func.func @ragged
// CHECK: tensor.pad {{.*}} high[0, 3]
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<?x8xi8>, tensor<1x2x16x4xi8>)
// CHECK: tensor.extract_slice {{.*}} to tensor<?x6xi32>
func.func @ragged(%x: tensor<?x5xi8>, %m: index) -> tensor<?x6xi32> {
  %w = arith.constant dense<[[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]> : tensor<6x5xi8>
  %zero = arith.constant 0 : i32
  %empty = tensor.empty(%m) : tensor<?x6xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<?x6xi32>) -> tensor<?x6xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<?x5xi8>, tensor<6x5xi8>) outs(%init : tensor<?x6xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<?x6xi32>
  return %y : tensor<?x6xi32>
}

// Two signed operands are left to whoever moves one of them by 128.
// CHECK-LABEL: func.func @signed
// CHECK: tensor<2x3xi8>
func.func @signed(%x: tensor<4x2xi8>, %init: tensor<4x3xi32>) -> tensor<4x3xi32> {
  %w = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x2xi8>, tensor<2x3xi8>) outs(%init : tensor<4x3xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<4x3xi32>
  return %y : tensor<4x3xi32>
}
