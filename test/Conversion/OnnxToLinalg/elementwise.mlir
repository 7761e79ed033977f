// RUN: onnx-mlir-opt --convert-onnx-to-linalg %s | FileCheck %s

// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1) -> (0, d1)>

// Equal dim_params: a plain elementwise op, no run-time check.
// CHECK-LABEL: func.func @sameSymbol
// CHECK-SAME: onnx.type = tensor<?x4xf32>
// CHECK-NOT: rt.assert
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
// CHECK: arith.addf
func.func @sameSymbol(%a: tensor<?x4xf32> {onnx.name = "a", onnx.dim_params = ["n", ""]},
                      %b: tensor<?x4xf32> {onnx.name = "b", onnx.dim_params = ["n", ""]}) -> tensor<?x4xf32> {
  %0 = onnx.Add(%a, %b) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Sizes that may be 1 at run time are picked at run time, and checked.
// CHECK-LABEL: func.func @unknownSizes
// CHECK: rt.assert {{.*}}, "operands cannot be broadcast together"
// CHECK: tensor.extract
func.func @unknownSizes(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %0 = onnx.Mul(%a, %b) : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// f16 computes in f32; a static size of 1 is a constant of the map.
// CHECK-LABEL: func.func @halfBroadcast
// CHECK: indexing_maps = [#{{.*}}, #[[ROW]], #{{.*}}]
// CHECK: arith.extf {{.*}} : f16 to f32
// CHECK: arith.divf {{.*}} : f32
// CHECK: arith.truncf {{.*}} : f32 to f16
func.func @halfBroadcast(%a: tensor<2x3xf16>, %b: tensor<1x3xf16>) -> tensor<2x3xf16> {
  %0 = onnx.Div(%a, %b) : (tensor<2x3xf16>, tensor<1x3xf16>) -> tensor<2x3xf16>
  return %0 : tensor<2x3xf16>
}

// Booleans are bytes; unsigned types lose their sign but keep their meaning.
// CHECK-LABEL: func.func @unsignedLess
// CHECK-SAME: tensor<4xi8>
// CHECK-SAME: -> (tensor<4xi8> {onnx.type = tensor<4xi1>})
// CHECK: arith.cmpi ult
// CHECK: arith.extui {{.*}} : i1 to i8
func.func @unsignedLess(%a: tensor<4xui8>, %b: tensor<4xui8>) -> tensor<4xi1> {
  %0 = onnx.Less(%a, %b) : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// Integer division cannot trap.
// CHECK-LABEL: func.func @integerDivision
// CHECK: arith.andi
// CHECK: %[[SAFE:.*]] = arith.select {{.*}}, %c1{{.*}} : i32
// CHECK-NEXT: arith.divsi %{{.*}}, %[[SAFE]]
func.func @integerDivision(%a: tensor<4xi32>, %b: tensor<4xi32>) -> tensor<4xi32> {
  %0 = onnx.Div(%a, %b) : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// CHECK-LABEL: func.func @gelu
// CHECK: math.erf
func.func @gelu(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = onnx.Gelu(%a) {approximate = "none"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
