// RUN: onnx-mlir-opt %s --pass-pipeline='builtin.module(func.func(onnxc-pad-in-tile))' | FileCheck %s

// Each iteration pads the image of its channel; rows of padding that it does not read are left out.
// CHECK-LABEL: @channels
// CHECK-SAME: %[[X:.*]]: tensor<8x4x6xf32>
// CHECK-NOT: tensor.insert_slice
// CHECK: scf.forall (%[[C:.*]]) in (8)
// CHECK: %[[IN:.*]] = tensor.extract_slice %[[X]][%[[C]], 0, 0] [1, 4, 6]
// CHECK: %[[PADDING:.*]] = linalg.fill {{.*}} -> tensor<1x5x8xf32>
// CHECK: tensor.insert_slice %[[IN]] into %[[PADDING]][0, 1, 1] [1, 4, 6]
func.func @channels(%x: tensor<8x4x6xf32>) -> tensor<8x5x8xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x6x8xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
  %p = tensor.insert_slice %x into %f[0, 1, 1] [8, 4, 6] [1, 1, 1] : tensor<8x4x6xf32> into tensor<8x6x8xf32>
  %o = tensor.empty() : tensor<8x5x8xf32>
  %y = scf.forall (%c) in (8) shared_outs(%a = %o) -> (tensor<8x5x8xf32>) {
    %s = tensor.extract_slice %p[%c, 0, 0] [1, 5, 8] [1, 1, 1] : tensor<8x6x8xf32> to tensor<1x5x8xf32>
    %d = tensor.extract_slice %a[%c, 0, 0] [1, 5, 8] [1, 1, 1] : tensor<8x5x8xf32> to tensor<1x5x8xf32>
    %r = linalg.exp ins(%s : tensor<1x5x8xf32>) outs(%d : tensor<1x5x8xf32>) -> tensor<1x5x8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %a[%c, 0, 0] [1, 5, 8] [1, 1, 1] : tensor<1x5x8xf32> into tensor<8x5x8xf32>
    }
  }
  return %y : tensor<8x5x8xf32>
}

// Tiles of lines would have to know where the padding is.
// CHECK-LABEL: @lines
// CHECK: tensor.insert_slice
// CHECK: scf.forall
// CHECK-NOT: tensor.insert_slice
func.func @lines(%x: tensor<8x4x6xf32>) -> tensor<8x6x8xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x6x8xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
  %p = tensor.insert_slice %x into %f[0, 1, 1] [8, 4, 6] [1, 1, 1] : tensor<8x4x6xf32> into tensor<8x6x8xf32>
  %y = scf.forall (%c) in (6) shared_outs(%a = %e) -> (tensor<8x6x8xf32>) {
    %s = tensor.extract_slice %p[0, %c, 0] [8, 1, 8] [1, 1, 1] : tensor<8x6x8xf32> to tensor<8x1x8xf32>
    %d = tensor.extract_slice %a[0, %c, 0] [8, 1, 8] [1, 1, 1] : tensor<8x6x8xf32> to tensor<8x1x8xf32>
    %r = linalg.exp ins(%s : tensor<8x1x8xf32>) outs(%d : tensor<8x1x8xf32>) -> tensor<8x1x8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %a[0, %c, 0] [8, 1, 8] [1, 1, 1] : tensor<8x1x8xf32> into tensor<8x6x8xf32>
    }
  }
  return %y : tensor<8x6x8xf32>
}
