// RUN: onnx-mlir-opt %s --onnxc-widen-operands | FileCheck %s

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
