// A product's innermost loop on machines with other registers: the tile of sums fills them, and none is moved
// to the stack.
// RUN: onnxc %s --target=aarch64-linux-gnu --compile-to=asm -o - | FileCheck %s --check-prefix=NEON
// RUN: onnxc %s --target=x86_64-linux-gnu --march=x86-64-v3 --compile-to=asm -o - | FileCheck %s --check-prefix=V3
// RUN: onnxc %s --target=x86_64-linux-gnu --march=x86-64-v2 --compile-to=asm -o - | FileCheck %s --check-prefix=V2

// The third loop is the sum. 32 registers of 4 numbers: 6 rows by 4 vectors, and the rows' numbers as elements
// of a vector.
// NEON-COUNT-3: {{^}}.LBB0_
// NEON-NOT: [sp
// NEON: fmla v{{[0-9]+}}.4s, v{{[0-9]+}}.4s, v{{[0-9]+}}.s[0]
// NEON-NOT: [sp
// NEON-COUNT-23: fmla v{{[0-9]+}}.4s
// NEON-NEXT: b.ne .LBB0_

// 16 registers of 8 numbers: 6 rows by 2 vectors.
// V3-COUNT-3: {{^}}.LBB0_
// V3-NOT: (%rsp)
// V3-COUNT-12: vfmadd231ps {{.*}}%ymm{{[0-9]+$}}
// V3-NOT: {{vfmadd|%rsp}}
// V3: jne .LBB0_

// 16 registers of 4 numbers, and no fused operation.
// V2-COUNT-3: {{^}}.LBB0_
// V2-NOT: (%rsp)
// V2-COUNT-12: addps {{.*}}%xmm{{[0-9]+$}}
// V2-NOT: {{addps|%rsp}}
// V2: jne .LBB0_
func.func @main_graph(%a: tensor<96x64xf32> {onnx.name = "a", onnx.type = tensor<96x64xf32>}, %b: tensor<64x128xf32> {onnx.name = "b", onnx.type = tensor<64x128xf32>}) -> (tensor<96x128xf32> {onnx.name = "y", onnx.type = tensor<96x128xf32>}) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<96x128xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<96x128xf32>) -> tensor<96x128xf32>
  %y = linalg.matmul ins(%a, %b : tensor<96x64xf32>, tensor<64x128xf32>) outs(%init : tensor<96x128xf32>) -> tensor<96x128xf32>
  return %y : tensor<96x128xf32>
}
