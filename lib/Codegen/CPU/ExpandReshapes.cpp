// onnxc-expand-reshapes: see Passes.td.
#include "onnxc/Codegen/Passes.h"

namespace onnxc {
#define GEN_PASS_DEF_EXPANDRESHAPESPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

bool hasTwoDynamicSizes(memref::ExpandShapeOp op) {
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    unsigned dynamic = 0;
    for (int64_t dim : group)
      dynamic += op.getResultType().isDynamicDim(dim);
    if (dynamic > 1)
      return true;
  }
  return false;
}

struct ExpandReshapes : impl::ExpandReshapesPassBase<ExpandReshapes> {
  using ExpandReshapesPassBase::ExpandReshapesPassBase;

  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> ops;
    getOperation()->walk([&](memref::ExpandShapeOp op) {
      if (hasTwoDynamicSizes(op))
        ops.push_back(op);
    });
    for (memref::ExpandShapeOp op : ops) {
      OpBuilder b(op);
      Location loc = op.getLoc();
      auto source = memref::ExtractStridedMetadataOp::create(b, loc, op.getSrc());
      SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
      SmallVector<OpFoldResult> strides(sizes.size());
      AffineExpr s0, s1;
      bindSymbols(&getContext(), s0, s1);
      SmallVector<OpFoldResult> outer = source.getConstifiedMixedStrides();
      for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
        OpFoldResult stride = outer[dim];
        for (int64_t inner : llvm::reverse(group)) {
          strides[inner] = stride;
          stride = affine::makeComposedFoldedAffineApply(b, loc, s0 * s1, {stride, sizes[inner]});
        }
      }
      auto view = memref::ReinterpretCastOp::create(b, loc, op.getResultType(),
                                                    source.getBaseBuffer(),
                                                    source.getConstifiedMixedOffset(), sizes,
                                                    strides);
      op.replaceAllUsesWith(view.getResult());
      op.erase();
    }
  }
};

} // namespace
} // namespace onnxc
