// RUN: onnx-mlir-opt %s --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK: affine_map<(d0, d1, d2, d3) -> (0, d1, d3)>

// A 2-D right side: the left one collapses to rows.
// CHECK-LABEL: func.func @flat
// CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<?x7x16xf32> into tensor<?x16xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: tensor.expand_shape
func.func @flat(%a: tensor<?x7x16xf32>, %b: tensor<16x8xf32>) -> tensor<?x7x8xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<?x7x16xf32>, tensor<16x8xf32>) -> tensor<?x7x8xf32>
  return %0 : tensor<?x7x8xf32>
}

// A batch dimension of one is read at zero.
// CHECK-LABEL: func.func @batched
// CHECK: linalg.generic
// CHECK-NOT: tensor.extract
func.func @batched(%a: tensor<1x4x5xf32>, %b: tensor<3x5x6xf32>) -> tensor<3x4x6xf32> {
  %0 = onnx.MatMul(%a, %b) : (tensor<1x4x5xf32>, tensor<3x5x6xf32>) -> tensor<3x4x6xf32>
  return %0 : tensor<3x4x6xf32>
}

// CHECK-LABEL: func.func @vectors
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction"]
func.func @vectors(%a: tensor<?xi64>, %b: tensor<?xi64>) -> tensor<i64> {
  %0 = onnx.MatMul(%a, %b) : (tensor<?xi64>, tensor<?xi64>) -> tensor<i64>
  return %0 : tensor<i64>
}

// Half types are summed in f32; alpha and C come afterwards.
// CHECK-LABEL: func.func @gemm
// CHECK: linalg.generic
// CHECK: arith.extf
// CHECK: arith.mulf %{{.*}} : f32
// CHECK: linalg.generic
// CHECK: arith.mulf %{{.*}}, %cst{{.*}} : f32
// CHECK: arith.truncf
func.func @gemm(%a: tensor<16x?xf16>, %b: tensor<8x16xf16>, %c: tensor<8xf16>) -> tensor<?x8xf16> {
  %0 = onnx.Gemm(%a, %b, %c) {alpha = 0.5 : f32, transA = 1 : i64, transB = 1 : i64}
    : (tensor<16x?xf16>, tensor<8x16xf16>, tensor<8xf16>) -> tensor<?x8xf16>
  return %0 : tensor<?x8xf16>
}

// CHECK-LABEL: func.func @einsum
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
func.func @einsum(%a: tensor<?x4x8x16xf32>, %b: tensor<?x4x6x16xf32>) -> tensor<?x4x8x6xf32> {
  %0 = onnx.Einsum(%a, %b) {equation = "bhid,bhjd->bhij"}
    : (tensor<?x4x8x16xf32>, tensor<?x4x6x16xf32>) -> tensor<?x4x8x6xf32>
  return %0 : tensor<?x4x8x6xf32>
}

// CHECK-LABEL: func.func @integer
// CHECK: arith.extui
// CHECK: arith.extsi
// CHECK: arith.muli {{.*}} : i32
func.func @integer(%a: tensor<?x16xui8>, %b: tensor<16x8xi8>, %z: tensor<ui8>) -> tensor<?x8xi32> {
  %none = onnx.None
  %0 = onnx.MatMulInteger(%a, %b, %z, %none)
    : (tensor<?x16xui8>, tensor<16x8xi8>, tensor<ui8>, none) -> tensor<?x8xi32>
  return %0 : tensor<?x8xi32>
}
