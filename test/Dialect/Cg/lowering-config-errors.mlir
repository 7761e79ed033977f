// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{winograd must be "off", "f2" or "f4"}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<winograd = "f3">} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{lanes must be a power of two from 2 to 64}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<lanes = 12>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{tile_sizes must be at least 0}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<tile_sizes = [-1, 0]>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{unroll makes a register tile of more than 64 vectors}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<unroll = [16, 8]>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{order must name each loop once}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<order = [1, 1]>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{streams must be at least 1}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<streams = 0>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+4 {{prefetch must be 0 or 1}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<prefetch = 2>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+1 {{has 2 loops, but its strategy has 3 tile_sizes}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<tile_sizes = [4, 0, 0]>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+1 {{has a strategy that tiles a loop that is not parallel}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<tile_sizes = [0, 4]>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+1 {{has a strategy that unrolls a loop that is not parallel}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<unroll = [1, 2]>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

func.func @f(%x: tensor<32x64xf32>, %y: tensor<32xf32>) -> tensor<32xf32> {
  // expected-error @+1 {{has 2 loops, but its strategy has vectors along loop 2}}
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<32x64xf32>) outs(%y : tensor<32xf32>)
      attrs = {cg.lowering_config = #cg.lowering_config<vector = 2>} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<32xf32>
  return %r : tensor<32xf32>
}

// -----

// expected-error @+1 {{needs a #cg.lowering_config on a linalg operation as cg.lowering_config}}
func.func @f() attributes {cg.lowering_config = #cg.lowering_config<lanes = 8>} {
  return
}

// -----

// expected-error @+1 {{has an attribute 'cg.tiles' that the cg dialect does not know}}
func.func @f() attributes {cg.tiles = 8 : i64} {
  return
}
