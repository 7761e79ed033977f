// Activations. Attributes' defaults are the schemas'.
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

template <typename Op>
Value fn(const Scalar &s, Value x) {
  return Op::create(s.b, s.loc, x);
}

// 1 / (1 + exp(-x)): for large -x the quotient is 0, without overflow to NaN.
Value logistic(const Scalar &s, Value x) {
  Value e = fn<math::ExpOp>(s, fn<arith::NegFOp>(s, x));
  return s.div(s.num(1), s.add(s.num(1), e));
}

// max(x, 0) + log1p(exp(-|x|))
Value softplus(const Scalar &s, Value x) {
  Value tail = fn<math::ExpOp>(s, fn<arith::NegFOp>(s, fn<math::AbsFOp>(s, x)));
  return s.add(s.max(x, s.num(0)), fn<math::Log1pOp>(s, tail));
}

Value relu(Scalar s) { return s.max(s.args[0], s.num(0)); }

Value leakyRelu(Scalar s) {
  Value x = s.args[0];
  return s.select(s.lt(x, s.num(0)), s.mul(x, s.num(s.attr("alpha", 0.01f))), x);
}

Value thresholdedRelu(Scalar s) {
  return s.select(s.gt(s.args[0], s.num(s.attr("alpha", 1))), s.args[0], s.num(0));
}

// x for x > 0, otherwise below(x).
Value positiveOr(const Scalar &s, Value below) {
  return s.select(s.gt(s.args[0], s.num(0)), s.args[0], below);
}

Value elu(Scalar s) {
  Value e = fn<math::ExpM1Op>(s, s.args[0]);
  return positiveOr(s, s.mul(s.num(s.attr("alpha", 1)), e));
}

Value celu(Scalar s) {
  Value alpha = s.num(s.attr("alpha", 1));
  Value e = fn<math::ExpM1Op>(s, s.div(s.args[0], alpha));
  return positiveOr(s, s.mul(alpha, e));
}

Value selu(Scalar s) {
  Value alpha = s.num(s.attr("alpha", 1.67326319217681884765625));
  Value gamma = s.num(s.attr("gamma", 1.05070102214813232421875));
  Value e = fn<math::ExpM1Op>(s, s.args[0]);
  return s.mul(gamma, positiveOr(s, s.mul(alpha, e)));
}

Value sigmoid(Scalar s) { return logistic(s, s.args[0]); }

Value clampUnit(const Scalar &s, Value x) { return s.max(s.num(0), s.min(s.num(1), x)); }

Value hardSigmoid(Scalar s) {
  Value line = s.add(s.mul(s.num(s.attr("alpha", 0.2f)), s.args[0]), s.num(s.attr("beta", 0.5)));
  return clampUnit(s, line);
}

Value hardSwish(Scalar s) {
  Value line = s.add(s.mul(s.num(1.0f / 6.0f), s.args[0]), s.num(0.5));
  return s.mul(s.args[0], clampUnit(s, line));
}

Value swish(Scalar s) {
  Value scaled = s.mul(s.num(s.attr("alpha", 1)), s.args[0]);
  return s.mul(s.args[0], logistic(s, scaled));
}

// tanh(ln(1 + e^x)) is a quotient of polynomials in u = e^-|x|, which does not overflow.
Value mish(Scalar s) {
  Value x = s.args[0], two = s.num(2);
  Value u = fn<math::ExpOp>(s, fn<arith::NegFOp>(s, fn<math::AbsFOp>(s, x)));
  Value negative = s.lt(x, s.num(0));
  Value above = s.select(negative, s.mul(u, s.add(u, two)), s.add(s.num(1), s.mul(two, u)));
  Value below = s.add(above, s.select(negative, two, s.mul(two, s.mul(u, u))));
  return s.mul(x, s.div(above, below));
}

Value gelu(Scalar s) {
  Value x = s.args[0];
  Value inner;
  auto approximate = s.op->getAttrOfType<StringAttr>("approximate");
  if (approximate && approximate.getValue() == "tanh") {
    Value cube = s.mul(s.mul(x, x), x);
    Value sum = s.add(x, s.mul(s.num(0.044715), cube));
    inner = fn<math::TanhOp>(s, s.mul(s.num(0.7978845608028654), sum)); // sqrt(2 / pi)
  } else {
    inner = fn<math::ErfOp>(s, s.mul(x, s.num(0.7071067811865476)));
  }
  return s.mul(s.mul(s.num(0.5), x), s.add(s.num(1), inner));
}

Value softplusOp(Scalar s) { return softplus(s, s.args[0]); }

Value softsign(Scalar s) {
  return s.div(s.args[0], s.add(s.num(1), fn<math::AbsFOp>(s, s.args[0])));
}

Value shrink(Scalar s) {
  Value x = s.args[0], bias = s.num(s.attr("bias", 0));
  double limit = s.attr("lambd", 0.5);
  if (!s.isFloat()) { // |x| > lambd on integers, computed exactly
    ScalarCodec f64{s.b.getF64Type()}, self{s.elem};
    Scalar wide{s.b, s.loc, {}, s.b.getF64Type()};
    Value d = convertScalar(s.b, s.loc, x, self, f64);
    Value low = s.select(wide.lt(d, wide.num(-limit)), s.add(x, bias), s.num(0));
    return s.select(wide.gt(d, wide.num(limit)), s.sub(x, bias), low);
  }
  Value low = s.select(s.lt(x, s.num(-limit)), s.add(x, bias), s.num(0));
  return s.select(s.gt(x, s.num(limit)), s.sub(x, bias), low);
}

// Bounds may be absent. NaN passes through.
struct ClipPattern : OnnxPattern<onnx::ClipOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ClipOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    SmallVector<Operand> operands;
    int lowAt = -1, highAt = -1;
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      if (onnx::isNone(op->getOperand(i)))
        continue;
      (i == 1 ? lowAt : highAt) = operands.size();
      Value value = adaptor.getOperands()[i];
      if (i > 0 && rankOf(value) == 1) // a bound is a scalar; some models write [1]
        value = squeeze(rewriter, op.getLoc(), value, 0);
      operands.emplace_back(value, onnxElem(op->getOperand(i)),
                            i == 0 ? op->getOperand(0) : Value());
    }
    Type elem = operands.front().elem;
    Value result = createElementwise(
        rewriter, op.getLoc(), types(), operands, op->getResult(0).getType(),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Scalar s{b, loc, args, elem};
          Value x = args[0];
          if (lowAt > 0)
            x = s.max(x, args[lowAt]);
          if (highAt > 0)
            x = s.min(x, args[highAt]);
          return x;
        });
    replaceOp(rewriter, types(), op, result);
    return success();
  }
};

} // namespace

void populateActivationPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  Table table{patterns, converter};
  table.add<onnx::ReluOp>(relu);
  table.add<onnx::LeakyReluOp>(leakyRelu);
  table.add<onnx::ThresholdedReluOp>(thresholdedRelu);
  table.add<onnx::EluOp>(elu);
  table.add<onnx::CeluOp>(celu);
  table.add<onnx::SeluOp>(selu);
  table.add<onnx::SigmoidOp>(sigmoid);
  table.add<onnx::HardSigmoidOp>(hardSigmoid);
  table.add<onnx::HardSwishOp>(hardSwish);
  table.add<onnx::SwishOp>(swish);
  table.add<onnx::MishOp>(mish);
  table.add<onnx::GeluOp>(gelu);
  table.add<onnx::SoftplusOp>(softplusOp);
  table.add<onnx::SoftsignOp>(softsign);
  table.add<onnx::ShrinkOp>(shrink);
  addPatterns<ClipPattern>(patterns, converter);
}

} // namespace onnxc
