// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-pack-operands))' --split-input-file | FileCheck %s
// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-pack-operands,onnxc-fuse-elementwise,canonicalize,onnxc-select-tiles,onnxc-tile-and-fuse))' --split-input-file | FileCheck %s --check-prefix=TILED

// The right side [N, K] of 64 rows becomes panels of 64 columns.
// CHECK-LABEL: @turned
// CHECK: %[[E:.*]] = tensor.expand_shape %arg1 {{\[}}[0, 1], [2]] output_shape [2, 64, 256]
// CHECK: %[[P:.*]] = linalg.transpose ins(%[[E]] : tensor<2x64x256xf32>) outs(%{{.*}} : tensor<2x256x64xf32>) permutation = [0, 2, 1]
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%arg0, %[[P]] : tensor<64x256xf32>, tensor<2x256x64xf32>)
// CHECK: tensor.collapse_shape %[[R]]

// The tile that uses a panel makes it.
// TILED-LABEL: @turned
// TILED: scf.forall (%[[I:.*]]) in (2)
// TILED:   %[[P:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x256x64xf32>)
// TILED:   linalg.generic {{.*}} ins(%arg0, %[[P]]
func.func @turned(%a: tensor<64x256xf32>, %b: tensor<128x256xf32>) -> tensor<64x128xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x128xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x128xf32>) -> tensor<64x128xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x256xf32>, tensor<128x256xf32>) outs(%init : tensor<64x128xf32>) {
  ^bb0(%l: f32, %r: f32, %c: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x128xf32>
  return %y : tensor<64x128xf32>
}

// -----

// With a thousand rows there are several tiles of them: panels are made once, before.
// TILED-LABEL: @manyRows
// TILED: scf.forall
// TILED: linalg.generic
// TILED: scf.forall
// TILED: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<250x256xf32>, tensor<{{.*}}x256x64xf32>)
func.func @manyRows(%a: tensor<1000x256xf32>, %b: tensor<256x128xf32>, %init: tensor<1000x128xf32>) -> tensor<1000x128xf32> {
  %y = linalg.matmul ins(%a, %b : tensor<1000x256xf32>, tensor<256x128xf32>) outs(%init : tensor<1000x128xf32>) -> tensor<1000x128xf32>
  return %y : tensor<1000x128xf32>
}

// -----

// Few rows read it as it is.
// CHECK-LABEL: @fewRows
// CHECK-NOT: linalg.transpose
// CHECK: linalg.matmul
func.func @fewRows(%a: tensor<8x256xf32>, %b: tensor<256x128xf32>, %init: tensor<8x128xf32>) -> tensor<8x128xf32> {
  %y = linalg.matmul ins(%a, %b : tensor<8x256xf32>, tensor<256x128xf32>) outs(%init : tensor<8x128xf32>) -> tensor<8x128xf32>
  return %y : tensor<8x128xf32>
}
