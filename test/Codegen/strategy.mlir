// A strategy written by hand goes through the whole compiler: onto tensors, through packing and tiles to
// the register tile.
// RUN: onnxc %s --compile-to=tiled -o - | FileCheck %s --check-prefix=TILED
// RUN: onnxc %s --compile-to=vector -o - | FileCheck %s --check-prefix=VECTOR
// RUN: onnxc %s -o %t.so

// TILED: scf.forall (%{{.*}}) = (0) to (48) step (12)
// TILED: linalg.generic {{.*}}#cg.lowering_config<lanes = 8, unroll = [3, 1, 1, 2]>
// VECTOR: scf.for {{.*}} step %c3
// VECTOR-COUNT-6: vector.store {{.*}} vector<8xf32>
func.func @main_graph(%x: tensor<48x2xf32> {onnx.name = "x"}) -> (tensor<48x48xf32> {onnx.name = "y"}) {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense_resource<weights> : tensor<2x48xf32>
  %e = tensor.empty() : tensor<48x48xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<48x48xf32>) -> tensor<48x48xf32>
  %y = linalg.matmul {cg.lowering_config = #cg.lowering_config<panel = 16, tile_sizes = [12, 0, 0], lanes = 8, unroll = [3, 2, 1]>}
      ins(%x, %w : tensor<48x2xf32>, tensor<2x48xf32>) outs(%f : tensor<48x48xf32>) -> tensor<48x48xf32>
  return %y : tensor<48x48xf32>
}

{-#
  dialect_resources: { builtin: { weights: "0x040000000000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A0400000C0400000E0400000803F0000004000004040000080400000A040" } }
#-}
