// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-select-tiles,onnxc-tile-and-fuse))' | FileCheck %s

// A product with its epilogue: one group, tiled by blocks of the result.
// CHECK-LABEL: @product
// CHECK: scf.forall
// CHECK: linalg.fill
// CHECK: linalg.matmul
// CHECK: linalg.generic
// CHECK: scf.forall.in_parallel
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
// CHECK: scf.forall
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: iterator_types = ["parallel", "parallel"]
// CHECK: scf.forall.in_parallel
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

