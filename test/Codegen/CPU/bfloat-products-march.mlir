// RUN: onnxc %s --target=x86_64-linux-gnu --march=sapphirerapids --compile-to=asm -o - | FileCheck %s --check-prefix=TILES
// RUN: onnxc %s --target=x86_64-linux-gnu --march=cooperlake --compile-to=asm -o - | FileCheck %s --check-prefix=BF16
// RUN: onnxc %s --target=x86_64-linux-gnu --march=icelake-server --compile-to=asm -o - | FileCheck %s --check-prefixes=PLAIN,AVX512
// RUN: onnxc %s --target=x86_64-linux-gnu --march=x86-64-v3 --compile-to=asm -o - | FileCheck %s --check-prefixes=PLAIN,AVX2

// Sums of two products where the processor has them; else each bfloat16 is widened by a shift.
// TILES: tdpbf16ps
// BF16: vdpbf16ps {{.*}}%zmm
// PLAIN-NOT: vdpbf16ps
// AVX512: vpslld $16, {{.*}}%zmm
// AVX512: vfmadd{{.*}}%zmm
// AVX2: vpslld $16, {{.*}}%ymm
// AVX2: vfmadd{{.*}}%ymm
func.func @main_graph(%x: tensor<24x8xbf16> {onnx.name = "x", onnx.type = tensor<24x8xbf16>}) -> (tensor<24x32xf32> {onnx.name = "y", onnx.type = tensor<24x32xf32>}) {
  %w = arith.constant dense<"0x00c0febffcbffabff8bff6bff4bff2bff0bfeebfecbfeabfe8bfe6bfe4bfe2bfe0bfdebfdcbfdabfd8bfd6bfd4bfd2bfd0bfcebfccbfcabfc8bfc6bfc4bfc2bfc0bfbebfbcbfbabfb8bfb6bfb4bfb2bfb0bfaebfacbfaabfa8bfa6bfa4bfa2bfa0bf9ebf9cbf9abf98bf96bf94bf92bf90bf8ebf8cbf8abf88bf86bf84bf82bf80bf7cbf78bf74bf70bf6cbf68bf64bf60bf5cbf58bf54bf50bf4cbf48bf44bf40bf3cbf38bf34bf30bf2cbf28bf24bf20bf1cbf18bf14bf10bf0cbf08bf04bf00bff8bef0bee8bee0bed8bed0bec8bec0beb8beb0bea8bea0be98be90be88be80be70be60be50be40be30be20be10be00bee0bdc0bda0bd80bd40bd00bd80bc0000803c003d403d803da03dc03de03d003e103e203e303e403e503e603e703e803e883e903e983ea03ea83eb03eb83ec03ec83ed03ed83ee03ee83ef03ef83e003f043f083f0c3f103f143f183f1c3f203f243f283f2c3f303f343f383f3c3f403f443f483f4c3f503f543f583f5c3f603f643f683f6c3f703f743f783f7c3f803f823f843f863f883f8a3f8c3f8e3f903f923f943f963f983f9a3f9c3f9e3fa03fa23fa43fa63fa83faa3fac3fae3fb03fb23fb43fb63fb83fba3fbc3fbe3fc03fc23fc43fc63fc83fca3fcc3fce3fd03fd23fd43fd63fd83fda3fdc3fde3fe03fe23fe43fe63fe83fea3fec3fee3ff03ff23ff43ff63ff83ffa3ffc3ffe3f"> : tensor<8x32xbf16>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<24x32xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<24x32xf32>) -> tensor<24x32xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<24x8xbf16>, tensor<8x32xbf16>) outs(%init : tensor<24x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %s: f32):
    %0 = arith.extf %a : bf16 to f32
    %1 = arith.extf %b : bf16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %s, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<24x32xf32>
  return %y : tensor<24x32xf32>
}
