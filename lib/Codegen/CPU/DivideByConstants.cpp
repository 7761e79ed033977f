// onnxc-divide-by-constants: see Passes.td. With r = 1/c rounded, q = x*r is off by little more than one unit
// in the last place, and q + (x - q*c)*r, in two fused steps, is x/c correctly rounded (Markstein). These are
// three instructions of half a cycle each, where a division of 16 floats keeps its unit for 16 cycles.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_DIVIDEBYCONSTANTSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Divisors beyond these bounds could take the steps between out of the numbers' range.
constexpr double kMostDivisor = 1e9, kLeastDivisor = 1e-9;

struct DivideByConstant : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::DivFOp op, PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    DenseFPElementsAttr splat;
    if (!type || !type.getElementType().isF32() || !matchPattern(op.getRhs(), m_Constant(&splat)) ||
        !splat.isSplat())
      return failure();
    double c = splat.getSplatValue<APFloat>().convertToDouble();
    if (!(std::abs(c) <= kMostDivisor && std::abs(c) >= kLeastDivisor))
      return failure();
    Location loc = op.getLoc();
    auto constant = [&](double value) -> Value {
      return arith::ConstantOp::create(
          rewriter, loc, DenseElementsAttr::get(type, rewriter.getF32FloatAttr(value).getValue()));
    };
    auto r = static_cast<float>(1 / c);
    Value x = op.getLhs(), inverse = constant(r);
    Value q = arith::MulFOp::create(rewriter, loc, x, inverse);
    // The inverse of a power of two is exact.
    if (static_cast<double>(r) * c == 1) {
      rewriter.replaceOp(op, q);
      return success();
    }
    auto multiplyAdd = [&](Value a, Value b, Value addend) -> Value {
      auto fused = arith::FastMathFlags::contract;
      Value product = arith::MulFOp::create(rewriter, loc, a, b, fused);
      return arith::AddFOp::create(rewriter, loc, product, addend, fused);
    };
    Value rest = multiplyAdd(q, constant(-c), x);
    Value corrected = multiplyAdd(rest, inverse, q);
    // Infinite quotients are right already, and the correction would make NaN of them. Where q cannot
    // exceed x, this is seen in the rest, along with zeros, whose sign the correction would lose.
    Value applies = std::abs(c) >= 1
                        ? arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::ONE, rest, constant(0))
                        : arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::ORD, corrected,
                                                corrected);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, applies, corrected, q);
    return success();
  }
};

struct DivideByConstants : impl::DivideByConstantsPassBase<DivideByConstants> {
  using DivideByConstantsPassBase::DivideByConstantsPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DivideByConstant>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc
