// onnxc-lower-copies: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_LOWERCOPIESPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// From here on several threads copy faster than memcpy on one.
constexpr int64_t kParallelBytes = 128 * 1024;

/// A cast may hide a strided view behind a type that looks contiguous.
Value withoutCasts(Value value) {
  while (auto castOp = value.getDefiningOp<memref::CastOp>())
    value = castOp.getSource();
  return value;
}

bool isContiguous(Value value) {
  return cast<MemRefType>(value.getType()).getLayout().isIdentity();
}

/// Contiguous copies that one thread should not do alone.
bool isLarge(memref::CopyOp op) {
  auto type = cast<MemRefType>(op.getSource().getType());
  return !op->getParentOfType<scf::ForallOp>() && type.getRank() > 0 && type.hasStaticShape() &&
         type.getElementType().isIntOrFloat() &&
         type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8) >= kParallelBytes;
}

struct LowerCopies : impl::LowerCopiesPassBase<LowerCopies> {
  using LowerCopiesPassBase::LowerCopiesPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) {
      op.getSourceMutable().assign(withoutCasts(op.getSource()));
      op.getTargetMutable().assign(withoutCasts(op.getTarget()));
      // Of a tile that was computed in place.
      if (op.getSource() == op.getTarget())
        return rewriter.eraseOp(op);
      if (!isContiguous(op.getSource()) || !isContiguous(op.getTarget()) || isLarge(op))
        copies.push_back(op);
    });
    for (memref::CopyOp copy : copies) {
      rewriter.setInsertionPoint(copy);
      linalg::makeMemRefCopyOp(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget());
      rewriter.eraseOp(copy);
    }
  }
};

} // namespace
} // namespace onnxc
