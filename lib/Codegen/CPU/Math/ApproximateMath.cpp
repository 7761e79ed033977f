// onnxc-approximate-math: see Passes.td.
#include "Functions.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

namespace onnxc {
#define GEN_PASS_DEF_APPROXIMATEMATHPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

using Expansion = Value (*)(MathBuilder &, Value);

Expansion expansionOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Expansion>(op)
      .Case([](math::ExpOp) { return expandExp; })
      .Case([](math::Exp2Op) { return expandExp2; })
      .Case([](math::ExpM1Op) { return expandExpM1; })
      .Case([](math::SinhOp) { return expandSinh; })
      .Case([](math::CoshOp) { return expandCosh; })
      .Case([](math::TanhOp) { return expandTanh; })
      .Case([](math::ErfOp) { return expandErf; })
      .Case([](math::LogOp) { return expandLog; })
      .Case([](math::Log2Op) { return expandLog2; })
      .Case([](math::Log10Op) { return expandLog10; })
      .Case([](math::Log1pOp) { return expandLog1p; })
      .Case([](math::AsinhOp) { return expandAsinh; })
      .Case([](math::AcoshOp) { return expandAcosh; })
      .Case([](math::AtanhOp) { return expandAtanh; })
      .Case([](math::SinOp) { return expandSin; })
      .Case([](math::CosOp) { return expandCos; })
      .Case([](math::TanOp) { return expandTan; })
      .Case([](math::AsinOp) { return expandAsin; })
      .Case([](math::AcosOp) { return expandAcos; })
      .Case([](math::AtanOp) { return expandAtan; })
      .Default(nullptr);
}

/// maximumf and minimumf as one comparison and selection, which x86 has as one instruction that gives the
/// second operand if either is NaN; another comparison only where the first may be NaN. Zeros' signs are not told
/// apart, as in upstream's expansion.
template <typename OpT, arith::CmpFPredicate Wins> struct ExpandExtreme : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    Value x = op.getLhs(), y = op.getRhs();
    // The sum of a loop comes second: it then waits for less.
    if (isa<BlockArgument>(x) || isNumber(y))
      std::swap(x, y);
    Location loc = op.getLoc();
    Value wins = arith::CmpFOp::create(rewriter, loc, Wins, x, y);
    Value result = arith::SelectOp::create(rewriter, loc, wins, x, y);
    if (!isNumber(x) && !bitEnumContainsAny(op.getFastmath(), arith::FastMathFlags::nnan)) {
      Value isNaN = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::UNO, x, x);
      result = arith::SelectOp::create(rewriter, loc, isNaN, x, result);
    }
    rewriter.replaceOp(op, result);
    return success();
  }

  /// A constant that is not NaN.
  static bool isNumber(Value value) {
    APFloat number(0.0);
    return matchPattern(value, m_ConstantFloat(&number)) && !number.isNaN();
  }
};

struct ApproximateMath : impl::ApproximateMathPassBase<ApproximateMath> {
  using ApproximateMathPassBase::ApproximateMathPassBase;

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) && op->getNumResults() == 1)
        expand(op);
    });
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtreme<arith::MaximumFOp, arith::CmpFPredicate::OGT>,
                 ExpandExtreme<arith::MinimumFOp, arith::CmpFPredicate::OLT>>(&getContext(), 2);
    arith::populateArithExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();

    // What is left of them is libm's; vectors are taken apart.
    RewritePatternSet calls(&getContext());
    populateMathToLibmConversionPatterns(calls);
    ConversionTarget target(getContext());
    target.addIllegalOp<math::AcosOp, math::AcoshOp, math::AsinOp, math::AsinhOp, math::AtanOp,
                        math::Atan2Op, math::AtanhOp, math::CbrtOp, math::CosOp, math::CoshOp,
                        math::ErfOp, math::ErfcOp, math::ExpOp, math::Exp2Op, math::ExpM1Op,
                        math::LogOp, math::Log10Op, math::Log1pOp, math::Log2Op, math::PowFOp,
                        math::SinOp, math::SinhOp, math::TanOp, math::TanhOp>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(getOperation(), target, std::move(calls))))
      signalPassFailure();
  }

private:
  /// Replaces the operation if it is a function of f32.
  void expand(Operation *op) {
    Type type = op->getResult(0).getType();
    if (!getElementTypeOrSelf(type).isF32())
      return;
    OpBuilder b(op);
    MathBuilder m(b, op->getLoc(), type, fused);
    Value result;
    if (auto power = dyn_cast<math::PowFOp>(op))
      result = expandPow(m, power.getLhs(), power.getRhs());
    else if (Expansion expansion = expansionOf(op))
      result = expansion(m, op->getOperand(0));
    if (!result)
      return;
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
};

} // namespace
} // namespace onnxc
