// RUN: onnx-mlir-opt %s --onnxc-separate-windows --split-input-file | FileCheck %s

// Images of the model, padded: the rows at the borders have windows of their own, the columns' padding is around the rows' result.
// CHECK-DAG: #[[ROWS:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2 * 2 + d4, d3)>
// CHECK-DAG: #[[COLUMNS:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3 * 2 + d4)>
// CHECK-LABEL: @images
// CHECK-SAME: (%[[X:.*]]: tensor<1x64x112x112xf32>)
// CHECK-NOT: tensor<1x64x114x114xf32>
// CHECK: scf.forall (%[[C:.*]]) in (64)
// CHECK: %[[TILE:.*]] = tensor.extract_slice %[[X]][0, %[[C]], 0, 0] [1, 1, 112, 112]
// CHECK: linalg.fill {{.*}} outs({{.*}} : tensor<1x1x56x114xf32>)
// CHECK: tensor.extract_slice %[[TILE]][0, 0, 0, 0] [1, 1, 2, 112]
// CHECK: linalg.generic {indexing_maps = [#[[ROWS]],
// CHECK-SAME: cg.lowering_config = #cg.lowering_config<tile_sizes = [0, 0, 0, 0, 0]>
// CHECK: tensor.extract_slice %[[TILE]][0, 0, 1, 0] [1, 1, 111, 112]
// CHECK: linalg.generic {indexing_maps = [#[[ROWS]],
// CHECK: tensor.insert_slice {{.*}}[0, 0, 1, 1] [1, 1, 55, 112]
// CHECK: linalg.generic {indexing_maps = [#[[COLUMNS]],
// CHECK: arith.cmpf ogt
// CHECK: arith.select
// CHECK: tensor.parallel_insert_slice
#in = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 * 2 + d4, d3 * 2 + d5)>
#taps = affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5)>
#out = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>
func.func @images(%x: tensor<1x64x112x112xf32>) -> tensor<1x64x56x56xf32> {
  %least = arith.constant 0xFF800000 : f32
  %0 = tensor.empty() : tensor<1x64x114x114xf32>
  %1 = linalg.fill ins(%least : f32) outs(%0 : tensor<1x64x114x114xf32>) -> tensor<1x64x114x114xf32>
  %padded = tensor.insert_slice %x into %1[0, 0, 1, 1] [1, 64, 112, 112] [1, 1, 1, 1] : tensor<1x64x112x112xf32> into tensor<1x64x114x114xf32>
  %taps = tensor.empty() : tensor<3x3xf32>
  %2 = tensor.empty() : tensor<1x64x56x56xf32>
  %3 = linalg.fill ins(%least : f32) outs(%2 : tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %y = linalg.generic {indexing_maps = [#in, #taps, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%padded, %taps : tensor<1x64x114x114xf32>, tensor<3x3xf32>) outs(%3 : tensor<1x64x56x56xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %more = arith.cmpf ogt, %a, %acc : f32
    %best = arith.select %more, %a, %acc : f32
    linalg.yield %best : f32
  } -> tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}

// -----

// Channels last, squares: only the first step squares; the root is in the same tile, of 16 channels.
// CHECK-LABEL: @squares
// CHECK: scf.forall (%[[N:.*]], %[[C:.*]]) = (0, 0) to (%{{.*}}, 64) step (1, 16)
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<1x20x20x16xf32>, tensor<5xf32>) outs({{.*}} : tensor<1x16x20x16xf32>)
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<1x16x20x16xf32>, tensor<5xf32>) outs({{.*}} : tensor<1x16x16x16xf32>)
// CHECK-NOT: arith.mulf
// CHECK: arith.addf
// CHECK: linalg.generic
// CHECK: math.sqrt
// CHECK: tensor.parallel_insert_slice
#last = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1 + d4, d2 + d5, d3)>
#window = affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5)>
#result = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>
#same = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @squares(%x: tensor<?x20x20x64xf32>, %n: index) -> tensor<?x16x16x64xf32> {
  %zero = arith.constant 0.0 : f32
  %window = tensor.empty() : tensor<5x5xf32>
  %0 = tensor.empty(%n) : tensor<?x16x16x64xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<?x16x16x64xf32>) -> tensor<?x16x16x64xf32>
  %sum = linalg.generic {indexing_maps = [#last, #window, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %window : tensor<?x20x20x64xf32>, tensor<5x5xf32>) outs(%1 : tensor<?x16x16x64xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %square = arith.mulf %a, %a : f32
    %more = arith.addf %acc, %square : f32
    linalg.yield %more : f32
  } -> tensor<?x16x16x64xf32>
  %y = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%sum : tensor<?x16x16x64xf32>) outs(%0 : tensor<?x16x16x64xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %root = math.sqrt %a : f32
    linalg.yield %root : f32
  } -> tensor<?x16x16x64xf32>
  return %y : tensor<?x16x16x64xf32>
}

// -----

// Two rows and columns that do not overlap: nothing is gained. A difference is no reduction that may be split.
// CHECK-LABEL: @two
// CHECK-NOT: scf.forall
// CHECK-LABEL: @differences
// CHECK-NOT: scf.forall
#in2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 * 2 + d4, d3 * 2 + d5)>
#in5 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 + d4, d3 + d5)>
#taps2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5)>
#out2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>
func.func @two(%x: tensor<1x64x112x112xf32>) -> tensor<1x64x56x56xf32> {
  %zero = arith.constant 0.0 : f32
  %taps = tensor.empty() : tensor<2x2xf32>
  %0 = tensor.empty() : tensor<1x64x56x56xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %y = linalg.generic {indexing_maps = [#in2, #taps2, #out2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %taps : tensor<1x64x112x112xf32>, tensor<2x2xf32>) outs(%1 : tensor<1x64x56x56xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %more = arith.maximumf %a, %acc : f32
    linalg.yield %more : f32
  } -> tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}
func.func @differences(%x: tensor<1x64x60x60xf32>) -> tensor<1x64x56x56xf32> {
  %zero = arith.constant 0.0 : f32
  %taps = tensor.empty() : tensor<5x5xf32>
  %0 = tensor.empty() : tensor<1x64x56x56xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
  %y = linalg.generic {indexing_maps = [#in5, #taps2, #out2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %taps : tensor<1x64x60x60xf32>, tensor<5x5xf32>) outs(%1 : tensor<1x64x56x56xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %less = arith.subf %a, %acc : f32
    linalg.yield %less : f32
  } -> tensor<1x64x56x56xf32>
  return %y : tensor<1x64x56x56xf32>
}
