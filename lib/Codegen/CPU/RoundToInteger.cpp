// onnxc-round-to-integer: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace onnxc {
#define GEN_PASS_DEF_ROUNDTOINTEGERPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct RoundToInteger : impl::RoundToIntegerPassBase<RoundToInteger> {
  using RoundToIntegerPassBase::RoundToIntegerPassBase;

  void runOnOperation() override {
    SmallVector<arith::FPToSIOp> conversions;
    getOperation().walk([&](arith::FPToSIOp op) {
      if (op.getIn().getDefiningOp<math::RoundEvenOp>() &&
          getElementTypeOrSelf(op.getIn().getType()).isF32() &&
          getElementTypeOrSelf(op.getType()).isInteger(32))
        conversions.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (arith::FPToSIOp op : conversions) {
      auto round = op.getIn().getDefiningOp<math::RoundEvenOp>();
      rewriter.setInsertionPoint(op);
      // Programs run in the default rounding mode.
      rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
          op, op.getType(), rewriter.getStringAttr("llvm.lrint"), ValueRange{round.getOperand()});
      if (round->use_empty())
        rewriter.eraseOp(round);
    }
  }
};

} // namespace
} // namespace onnxc
