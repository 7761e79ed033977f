// memref.expand_shape to a reinterpret_cast with the op's own sizes. Upstream's expansion derives the
// one dynamic size of a group from the others and cannot do with two.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace onnxc {
#define GEN_PASS_DEF_EXPANDSHAPESPASS
#include "onnxc/Codegen/Passes.h.inc"

namespace {

OpFoldResult multiply(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(*cx * *cy);
  return arith::MulIOp::create(b, loc, getValueOrCreateConstantIndexOp(b, loc, x),
                               getValueOrCreateConstantIndexOp(b, loc, y))
      .getResult();
}

struct ExpandShapesPass : impl::ExpandShapesPassBase<ExpandShapesPass> {
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> ops;
    getOperation()->walk([&](memref::ExpandShapeOp op) {
      for (const ReassociationIndices &group : op.getReassociationIndices())
        if (llvm::count_if(group, [&](int64_t d) { return op.getResultType().isDynamicDim(d); }) > 1) {
          ops.push_back(op);
          break;
        }
    });
    IRRewriter rewriter(&getContext());
    for (memref::ExpandShapeOp op : ops)
      rewrite(op, rewriter);
  }

  static void rewrite(memref::ExpandShapeOp op, IRRewriter &b) {
    Location loc = op.getLoc();
    b.setInsertionPoint(op);
    auto source = memref::ExtractStridedMetadataOp::create(b, loc, op.getSrc());
    SmallVector<OpFoldResult> sizes = op.getMixedOutputShape(), strides(sizes.size());
    SmallVector<OpFoldResult> sourceStrides = source.getConstifiedMixedStrides();
    auto [known, offset] = op.getResultType().getStridesAndOffset();
    for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
      OpFoldResult stride = sourceStrides[i];
      for (int64_t d : llvm::reverse(group)) {
        strides[d] = ShapedType::isDynamic(known[d]) ? stride : OpFoldResult(b.getIndexAttr(known[d]));
        stride = multiply(b, loc, stride, sizes[d]);
      }
    }
    b.replaceOpWithNewOp<memref::ReinterpretCastOp>(op, op.getResultType(), source.getBaseBuffer(),
                                                    source.getConstifiedMixedOffset(), sizes, strides);
  }
};

} // namespace
} // namespace onnxc
