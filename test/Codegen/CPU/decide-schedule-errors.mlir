// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(onnxc-emit-loops))'

#a = affine_map<(m, n, k, j) -> (m, k)>
#b = affine_map<(m, n, k, j) -> (n, k, j)>
#c = affine_map<(m, n, k, j) -> (m, n, j)>
func.func @f(%a: memref<1x2048xf32>, %b: memref<3x2048x64xf32>, %c: memref<1x3x64xf32>) {
  // expected-error @+1 {{has a strategy with vectors along loop 0, along which}}
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<1x2048xf32>, memref<3x2048x64xf32>) outs(%c : memref<1x3x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<vector = 0>} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k, j) -> (m, k)>
#b = affine_map<(m, n, k, j) -> (n, k, j)>
#c = affine_map<(m, n, k, j) -> (m, n, j)>
func.func @f(%a: memref<1x2048xf32>, %b: memref<3x2048x64xf32>, %c: memref<1x3x64xf32>) {
  // expected-error @+1 {{has a strategy with depth_block, but no rows that would pass over a block}}
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<1x2048xf32>, memref<3x2048x64xf32>) outs(%c : memref<1x3x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<depth_block = 64>} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#a = affine_map<(m, n, k, j) -> (m, k)>
#b = affine_map<(m, n, k, j) -> (n, k, j)>
#c = affine_map<(m, n, k, j) -> (m, n, j)>
func.func @f(%a: memref<1x2048xf32>, %b: memref<3x2048x64xf32>, %c: memref<1x3x64xf32>) {
  // expected-error @+1 {{has a strategy with 2 streams, which do not divide 3 panels}}
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
      ins(%a, %b : memref<1x2048xf32>, memref<3x2048x64xf32>) outs(%c : memref<1x3x64xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<streams = 2>} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

func.func @f(%x: memref<32x64xf32>, %y: memref<32xf32>) {
  // expected-error @+1 {{has a strategy for products with panels, but is none}}
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<32x64xf32>) outs(%y : memref<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<streams = 2>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

func.func @f(%x: memref<32x64xf32>, %y: memref<32xf32>) {
  // expected-error @+1 {{has a strategy with vectors along a loop whose reduction has no vector form}}
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<32x64xf32>) outs(%y : memref<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<vector = 1>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}
