// RUN: onnx-mlir-opt %s --onnxc-fuse-short-products | FileCheck %s

// Eight sums, each of two products: of unsigned bytes with signed ones, and with 16-bit numbers.
// CHECK-LABEL: func.func @many
// CHECK-NOT: arith.muli
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpwssd.512"(%{{.*}}, %{{.*}}, %{{.*}}) : (vector<16xi32>, vector<32xi16>, vector<32xi16>) -> vector<16xi32>
// CHECK-COUNT-15: llvm.call_intrinsic "llvm.x86.avx512.vpdpwssd.512"
// CHECK-NOT: arith.muli
func.func @many(%u: vector<16xi8>, %s: vector<16xi8>, %t: vector<16xi16>, %a: vector<16xi32>, %b: vector<16xi32>, %c: vector<16xi32>, %d: vector<16xi32>,
                %e: vector<16xi32>, %f: vector<16xi32>, %g: vector<16xi32>, %h: vector<16xi32>)
    -> (vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>) {
  %u32 = arith.extui %u : vector<16xi8> to vector<16xi32>
  %s32 = arith.extsi %s : vector<16xi8> to vector<16xi32>
  %t32 = arith.extsi %t : vector<16xi16> to vector<16xi32>
  %am = arith.muli %u32, %s32 : vector<16xi32>
  %a1 = arith.addi %a, %am : vector<16xi32>
  %an = arith.muli %t32, %u32 : vector<16xi32>
  %a2 = arith.addi %an, %a1 : vector<16xi32>
  %bm = arith.muli %u32, %s32 : vector<16xi32>
  %b1 = arith.addi %b, %bm : vector<16xi32>
  %bn = arith.muli %t32, %u32 : vector<16xi32>
  %b2 = arith.addi %bn, %b1 : vector<16xi32>
  %cm = arith.muli %u32, %s32 : vector<16xi32>
  %c1 = arith.addi %c, %cm : vector<16xi32>
  %cn = arith.muli %t32, %u32 : vector<16xi32>
  %c2 = arith.addi %cn, %c1 : vector<16xi32>
  %dm = arith.muli %u32, %s32 : vector<16xi32>
  %d1 = arith.addi %d, %dm : vector<16xi32>
  %dn = arith.muli %t32, %u32 : vector<16xi32>
  %d2 = arith.addi %dn, %d1 : vector<16xi32>
  %em = arith.muli %u32, %s32 : vector<16xi32>
  %e1 = arith.addi %e, %em : vector<16xi32>
  %en = arith.muli %t32, %u32 : vector<16xi32>
  %e2 = arith.addi %en, %e1 : vector<16xi32>
  %fm = arith.muli %u32, %s32 : vector<16xi32>
  %f1 = arith.addi %f, %fm : vector<16xi32>
  %fn = arith.muli %t32, %u32 : vector<16xi32>
  %f2 = arith.addi %fn, %f1 : vector<16xi32>
  %gm = arith.muli %u32, %s32 : vector<16xi32>
  %g1 = arith.addi %g, %gm : vector<16xi32>
  %gn = arith.muli %t32, %u32 : vector<16xi32>
  %g2 = arith.addi %gn, %g1 : vector<16xi32>
  %hm = arith.muli %u32, %s32 : vector<16xi32>
  %h1 = arith.addi %h, %hm : vector<16xi32>
  %hn = arith.muli %t32, %u32 : vector<16xi32>
  %h2 = arith.addi %hn, %h1 : vector<16xi32>
  return %a2, %b2, %c2, %d2, %e2, %f2, %g2, %h2 : vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>
}

// A single sum would wait for itself.
// CHECK-LABEL: func.func @one
// CHECK: arith.muli
// CHECK-NOT: llvm.call_intrinsic
func.func @one(%u: vector<16xi8>, %s: vector<16xi8>, %a: vector<16xi32>) -> vector<16xi32> {
  %u32 = arith.extui %u : vector<16xi8> to vector<16xi32>
  %s32 = arith.extsi %s : vector<16xi8> to vector<16xi32>
  %m = arith.muli %u32, %s32 : vector<16xi32>
  %r = arith.addi %a, %m : vector<16xi32>
  return %r : vector<16xi32>
}

// The upper halves of two signed factors would be multiplied too; 32-bit factors do not fit.
// CHECK-LABEL: func.func @signed
// CHECK-NOT: llvm.call_intrinsic
func.func @signed(%u: vector<16xi8>, %s: vector<16xi8>, %a: vector<16xi32>, %b: vector<16xi32>, %c: vector<16xi32>, %d: vector<16xi32>,
                %e: vector<16xi32>, %f: vector<16xi32>, %g: vector<16xi32>, %h: vector<16xi32>)
    -> (vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>) {
  %s32 = arith.extsi %s : vector<16xi8> to vector<16xi32>
  %am = arith.muli %s32, %a : vector<16xi32>
  %a1 = arith.addi %a, %am : vector<16xi32>
  %bm = arith.muli %s32, %s32 : vector<16xi32>
  %b1 = arith.addi %b, %bm : vector<16xi32>
  %cm = arith.muli %s32, %c : vector<16xi32>
  %c1 = arith.addi %c, %cm : vector<16xi32>
  %dm = arith.muli %s32, %s32 : vector<16xi32>
  %d1 = arith.addi %d, %dm : vector<16xi32>
  %em = arith.muli %s32, %e : vector<16xi32>
  %e1 = arith.addi %e, %em : vector<16xi32>
  %fm = arith.muli %s32, %s32 : vector<16xi32>
  %f1 = arith.addi %f, %fm : vector<16xi32>
  %gm = arith.muli %s32, %g : vector<16xi32>
  %g1 = arith.addi %g, %gm : vector<16xi32>
  %hm = arith.muli %s32, %s32 : vector<16xi32>
  %h1 = arith.addi %h, %hm : vector<16xi32>
  return %a1, %b1, %c1, %d1, %e1, %f1, %g1, %h1 : vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>, vector<16xi32>
}
