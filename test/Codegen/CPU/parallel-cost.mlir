// RUN: onnx-mlir-opt %s --onnxc-outline-kernels | FileCheck %s

// What an iteration costs, in nanoseconds: 3072 steps of a load and a store, though the inner
// loop's bounds are known as a block of the outer one's only.
// CHECK: %[[COST:.*]] = arith.constant 1{{[0-9][0-9][0-9]\..*}} : f64
// CHECK: rt.parallel_for @{{.*}}[%{{.*}}, %[[COST]]]
#end = affine_map<(d0) -> (d0 + 1024)>
func.func @onnxc_generated_main(%ctx: !llvm.ptr) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c1024 = arith.constant 1024 : index
  %c3072 = arith.constant 3072 : index
  %a = rt.arena 0 : memref<3072xf32>
  %b = rt.arena 12288 : memref<4xf32>
  scf.forall (%i) in (4) {
    scf.for %block = %c0 to %c3072 step %c1024 {
      %to = affine.apply #end(%block)
      scf.for %k = %block to %to step %c1 {
        %x = memref.load %a[%k] : memref<3072xf32>
        memref.store %x, %b[%i] : memref<4xf32>
      }
    }
  }
  return %ok : i32
}
