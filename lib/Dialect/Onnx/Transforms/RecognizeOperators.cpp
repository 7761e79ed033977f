// onnx-recognize-operators: Gelu and LayerNormalization where exporters wrote
// them as chains of simple operators.
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXRECOGNIZEOPERATORS
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

bool isClose(double value, double wanted) { return std::fabs(value - wanted) <= 1e-4 * wanted; }

/// The other operand of a commutative operator one of whose operands is a constant scalar.
template <typename Op>
std::optional<std::pair<Value, double>> withScalar(Value value) {
  auto op = value.getDefiningOp<Op>();
  if (!op)
    return std::nullopt;
  for (int i = 0; i < 2; ++i)
    if (auto scalar = constantScalar(op->getOperand(i)))
      return std::pair(op->getOperand(1 - i), *scalar);
  return std::nullopt;
}

/// The factors of a product of products; inner products must have no other use.
void collectFactors(Value value, bool root, SmallVectorImpl<Value> &factors, double &scale) {
  if (auto scalar = constantScalar(value)) {
    scale *= *scalar;
    return;
  }
  auto mul = value.getDefiningOp<MulOp>();
  if (!mul || !(root || value.hasOneUse()) || factors.size() > 3) {
    factors.push_back(value);
    return;
  }
  collectFactors(mul.getA(), false, factors, scale);
  collectFactors(mul.getB(), false, factors, scale);
}

/// x of erf(x / sqrt(2)).
Value matchErf(Value value) {
  auto erf = value.getDefiningOp<ErfOp>();
  if (!erf)
    return {};
  if (auto div = erf.getInput().getDefiningOp<DivOp>()) {
    auto divisor = constantScalar(div.getB());
    return divisor && isClose(*divisor, M_SQRT2) ? div.getA() : Value();
  }
  auto scaled = withScalar<MulOp>(erf.getInput());
  return scaled && isClose(scaled->second, M_SQRT1_2) ? scaled->first : Value();
}

/// x of tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)).
Value matchTanh(Value value) {
  auto tanh = value.getDefiningOp<TanhOp>();
  auto scaled = tanh ? withScalar<MulOp>(tanh.getInput()) : std::nullopt;
  if (!scaled || !isClose(scaled->second, std::sqrt(2.0 / M_PI)))
    return {};
  auto sum = scaled->first.getDefiningOp<AddOp>();
  if (!sum)
    return {};
  for (int i = 0; i < 2; ++i) {
    Value x = sum->getOperand(i);
    auto cubic = withScalar<MulOp>(sum->getOperand(1 - i));
    if (!cubic || !isClose(cubic->second, 0.044715))
      continue;
    auto pow = cubic->first.getDefiningOp<PowOp>();
    auto exponent = pow ? constantScalar(pow.getY()) : std::nullopt;
    if (exponent && *exponent == 3.0 && pow.getX() == x)
      return x;
  }
  return {};
}

struct GeluPattern : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> factors;
    double scale = 1.0;
    collectFactors(op->getResult(0), true, factors, scale);
    // In double, constants that are only close would show.
    if (factors.size() != 2 || !isClose(scale, 0.5) || getElementTypeOrSelf(op->getResult(0)).isF64())
      return failure();
    for (int i = 0; i < 2; ++i) {
      auto sum = withScalar<AddOp>(factors[i]);
      if (!sum || sum->second != 1.0 || !factors[i].hasOneUse())
        continue;
      Value x = factors[1 - i];
      StringRef form = matchErf(sum->first) == x ? "none" : matchTanh(sum->first) == x ? "tanh" : "";
      if (form.empty() || x.getType() != op->getResult(0).getType())
        continue;
      rewriter.replaceOpWithNewOp<GeluOp>(op, op->getResult(0).getType(), x,
                                          rewriter.getStringAttr(form));
      return success();
    }
    return failure();
  }
};

/// The axis from which on a ReduceMean reduces, if it reduces the last axes and keeps them.
std::optional<int64_t> trailingMean(Value value, Value &input) {
  auto mean = value.getDefiningOp<ReduceMeanOp>();
  auto type = mean ? dyn_cast<RankedTensorType>(mean.getData().getType()) : RankedTensorType();
  if (!type || mean.getKeepdims() == 0)
    return std::nullopt;
  auto axes = constantInts(mean.getAxes());
  if (!axes || axes->empty())
    return std::nullopt;
  int64_t rank = type.getRank();
  for (int64_t &axis : *axes)
    axis = axis < 0 ? axis + rank : axis;
  llvm::sort(*axes);
  for (auto [i, axis] : llvm::enumerate(*axes))
    if (axis != rank - static_cast<int64_t>(axes->size()) + static_cast<int64_t>(i))
      return std::nullopt;
  input = mean.getData();
  return axes->front();
}

/// x of x - mean(x).
Value matchCentered(Value value, int64_t &axis) {
  auto sub = value.getDefiningOp<SubOp>();
  Value input;
  auto found = sub ? trailingMean(sub.getB(), input) : std::nullopt;
  if (!found || input != sub.getA())
    return {};
  axis = *found;
  return input;
}

bool isSquareOf(Value square, int64_t axis, Value x) {
  auto isCentered = [&](Value value) {
    int64_t other;
    return matchCentered(value, other) == x && other == axis;
  };
  if (auto pow = square.getDefiningOp<PowOp>()) {
    auto exponent = constantScalar(pow.getY());
    return exponent && *exponent == 2.0 && isCentered(pow.getX());
  }
  auto mul = square.getDefiningOp<MulOp>();
  return mul && mul.getA() == mul.getB() && isCentered(mul.getA());
}

/// The rest of an operator with two operands, one of which is `value`.
Value otherOperand(Operation *op, Value value) {
  return op->getOperand(op->getOperand(0) == value ? 1 : 0);
}

/// Whether `value` has exactly the shape of the dimensions of `x` from `axis` on.
bool hasNormalizedShape(Value value, RankedTensorType x, int64_t axis) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getShape() == x.getShape().drop_front(axis);
}

struct LayerNormPattern : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp op, PatternRewriter &rewriter) const override {
    int64_t axis, varianceAxis;
    Value x = matchCentered(op.getA(), axis), square;
    auto sqrt = op.getB().getDefiningOp<SqrtOp>();
    auto sum = x && sqrt ? withScalar<AddOp>(sqrt.getX()) : std::nullopt;
    if (!sum || sum->second < 0)
      return failure();
    auto found = trailingMean(sum->first, square);
    varianceAxis = found.value_or(-1);
    if (varianceAxis != axis || !isSquareOf(square, axis, x))
      return failure();
    // The scale is needed; the bias is taken if it is there.
    auto type = cast<RankedTensorType>(x.getType());
    // The attribute is a float: in double, rounding it would show.
    if (type.getElementType().isF64() && static_cast<float>(sum->second) != sum->second)
      return failure();
    if (!op->getResult(0).hasOneUse())
      return failure();
    Operation *root = *op->getResult(0).getUsers().begin();
    if (!isa<MulOp>(root) || root->getResult(0).getType() != x.getType())
      return failure();
    Value scale = otherOperand(root, op->getResult(0)), bias;
    if (scale == op->getResult(0) || !hasNormalizedShape(scale, type, axis))
      return failure();
    if (root->getResult(0).hasOneUse()) {
      Operation *add = *root->getResult(0).getUsers().begin();
      Value other = isa<AddOp>(add) ? otherOperand(add, root->getResult(0)) : Value();
      if (other && other != root->getResult(0) && hasNormalizedShape(other, type, axis)) {
        bias = other;
        root = add;
      }
    }
    rewriter.setInsertionPoint(root);
    if (!bias)
      bias = NoneOp::create(rewriter, op.getLoc(), rewriter.getNoneType());
    Type none = rewriter.getNoneType();
    auto norm = LayerNormalizationOp::create(
        rewriter, root->getLoc(), TypeRange{root->getResult(0).getType(), none, none},
        ValueRange{x, scale, bias},
        {rewriter.getNamedAttr("axis", rewriter.getI64IntegerAttr(axis)),
         rewriter.getNamedAttr("epsilon", rewriter.getF32FloatAttr(sum->second))});
    rewriter.replaceOp(root, norm->getResult(0));
    return success();
  }
};

struct RecognizeOperators : impl::OnnxRecognizeOperatorsBase<RecognizeOperators> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<GeluPattern, LayerNormPattern>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc::onnx
