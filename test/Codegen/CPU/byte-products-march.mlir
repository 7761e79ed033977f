// RUN: onnxc %s --target=x86_64-linux-gnu --march=x86-64-v2 --compile-to=asm -o - | FileCheck %s --check-prefixes=PLAIN,V2
// RUN: onnxc %s --target=x86_64-linux-gnu --march=x86-64-v3 --compile-to=asm -o - | FileCheck %s --check-prefixes=PLAIN,V3
// RUN: onnxc %s --target=x86_64-linux-gnu --march=alderlake --compile-to=asm -o - | FileCheck %s --check-prefix=AVXVNNI
// RUN: onnxc %s --target=x86_64-linux-gnu --march=icelake-server --compile-to=asm -o - | FileCheck %s --check-prefix=AVX512VNNI
// RUN: onnxc %s --target=aarch64-linux-gnu --compile-to=asm -o - | FileCheck %s --check-prefix=NEON
// RUN: onnxc %s --target=aarch64-linux-gnu --march=neoverse-n1 --compile-to=asm -o - | FileCheck %s --check-prefix=SDOT
// RUN: onnxc %s --target=aarch64-linux-gnu --march=neoverse-v1 --compile-to=asm -o - | FileCheck %s --check-prefix=USDOT

// Dot product instructions only where the processor has them; no saturating sums (vpmaddubsw).
// V2: pmaddwd {{.*}}%xmm
// V3: vpmaddwd {{.*}}%ymm
// PLAIN-NOT: vpdpbusd
// PLAIN-NOT: pmaddubsw
// AVXVNNI: {vex} vpdpbusd {{.*}}%ymm
// AVX512VNNI: vpdpbusd {{.*}}%zmm
// NEON: mla {{.*}}.4s, {{.*}}.4s
// NEON-NOT: dot
// SDOT: sdot {{.*}}.4s, {{.*}}.16b
// USDOT: usdot {{.*}}.4s, {{.*}}.16b
func.func @main_graph(%x: tensor<24x8xi8> {onnx.name = "x", onnx.type = tensor<24x8xui8>}) -> (tensor<24x32xi32> {onnx.name = "y", onnx.type = tensor<24x32xi32>}) {
  %w = arith.constant dense<"0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"> : tensor<8x32xi8>
  %zero = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<24x32xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<24x32xi32>) -> tensor<24x32xi32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<24x8xi8>, tensor<8x32xi8>) outs(%init : tensor<24x32xi32>) {
  ^bb0(%a: i8, %b: i8, %s: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<24x32xi32>
  return %y : tensor<24x32xi32>
}
