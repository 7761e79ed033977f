// Products between DequantizeLinear and QuantizeLinear whose bias has another scale than the products, or
// whose result is not quantized: a sum of integers, a factor, a bias in floats.
#include "QuantizedValues.h"

namespace onnxc::onnx {

using namespace mlir;

namespace {

/// One-element scales of any rank broadcast; a 0-d one does not change a result's rank.
Value scalar(PatternRewriter &b, Location loc, const Parameters &p) {
  auto type = cast<RankedTensorType>(p.scale.getType());
  if (type.getRank() == 0)
    return p.scale;
  Value shape = createConstant(b, loc, HostTensor::zeros(b.getI64Type(), {0}));
  return ReshapeOp::create(b, loc, TypeRange{RankedTensorType::get({}, type.getElementType())},
                           ValueRange{p.scale, shape});
}

Value castToFloat(PatternRewriter &b, Location loc, Value sum, Type type) {
  NamedAttribute to = b.getNamedAttr("to", b.getI64IntegerAttr(1));
  return CastOp::create(b, loc, TypeRange{type}, ValueRange{sum}, ArrayRef<NamedAttribute>(to));
}

/// DequantizeLinear, MatMul with constant weights -> MatMulInteger, Cast, Mul.
struct FloatMatMulPattern : OpRewritePattern<MatMulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatMulOp op, PatternRewriter &b) const override {
    auto lhs = activation(op.getA());
    auto rhs = weights(op.getB(), 1);
    auto rhsType = dyn_cast<RankedTensorType>(op.getB().getType());
    if (!lhs || !rhs || !rhsType || rhsType.getRank() != 2)
      return failure();
    Location loc = op.getLoc();
    Type type = op.getResult().getType();
    Value sum = MatMulIntegerOp::create(
        b, loc, TypeRange{withElement(type, b.getI32Type())},
        ValueRange{lhs->tensor, rhs->tensor, zeroPoint(b, loc, lhs->parameters),
                   zeroPoint(b, loc, rhs->parameters)});
    Value real = castToFloat(b, loc, sum, type);
    Value scale = MulOp::create(b, loc, TypeRange{rhs->parameters.scale.getType()},
                                ValueRange{rhs->parameters.scale, scalar(b, loc, lhs->parameters)});
    b.replaceOp(op, MulOp::create(b, loc, TypeRange{type}, ValueRange{real, scale}));
    return success();
  }
};

/// The floats of a constant, stored or quantized with a scale of its own.
std::optional<SmallVector<double>> knownFloats(Value value) {
  if (auto stored = constantTensor(value))
    return stored->isFloat() ? std::optional(stored->floats()) : std::nullopt;
  auto d = dequantized(value);
  auto integers = d ? constantTensor(d->tensor) : std::nullopt;
  auto scales = d ? constantTensor(d->parameters.scale) : std::nullopt;
  if (!integers || !scales || integers->getRank() != 1)
    return std::nullopt;
  SmallVector<double> values = integers->floats(), factors = scales->floats(), zeros{0};
  if (!isNone(d->parameters.zero)) {
    auto points = constantTensor(d->parameters.zero);
    if (!points)
      return std::nullopt;
    zeros = points->floats();
  }
  for (auto *list : {&factors, &zeros})
    if (list->size() != 1 && list->size() != values.size())
      return std::nullopt;
  for (auto [i, v] : llvm::enumerate(values))
    v = static_cast<float>((v - zeros[zeros.size() == 1 ? 0 : i]) *
                           factors[factors.size() == 1 ? 0 : i]);
  return values;
}

/// One number for each index of the dimension that `inner` dimensions follow.
Value column(PatternRewriter &b, Location loc, ArrayRef<double> values, int64_t inner) {
  SmallVector<int64_t> shape(inner + 1, 1);
  shape[0] = values.size();
  HostTensor tensor = HostTensor::zeros(b.getF32Type(), shape);
  tensor.store(0, values.size(), values.data());
  return createConstant(b, loc, tensor);
}

/// A convolution of bytes with known scales.
struct ScaledConv {
  Dequantized x, w;
  SmallVector<double> factors; // of the sums, one or one for each filter
  SmallVector<double> bias;    // empty: none

  static std::optional<ScaledConv> match(ConvOp op) {
    auto x = activation(op.getX());
    auto w = weights(op.getW(), 0);
    auto xs = x ? x->parameters.knownScale() : std::nullopt;
    auto ws = w ? constantTensor(w->parameters.scale) : std::nullopt;
    if (!xs || !ws || !isa<RankedTensorType>(op.getResult().getType()))
      return std::nullopt;
    ScaledConv conv{*x, *w, ws->floats(), {}};
    for (double &factor : conv.factors)
      factor = static_cast<float>(factor) * static_cast<float>(*xs);
    if (!isNone(op.getB())) {
      auto bias = knownFloats(op.getB());
      if (!bias)
        return std::nullopt;
      conv.bias = std::move(*bias);
    }
    return conv;
  }

  /// The result divided by `scale`.
  Value emit(PatternRewriter &b, ConvOp op, double scale) const {
    Location loc = op.getLoc();
    Type type = op.getResult().getType();
    int64_t inner = cast<RankedTensorType>(type).getRank() - 2;
    auto divided = [&](ArrayRef<double> values) {
      SmallVector<double> result;
      for (double value : values)
        result.push_back(static_cast<float>(value) / static_cast<float>(scale));
      return column(b, loc, result, inner);
    };
    SmallVector<Value> operands{x.tensor, w.tensor, zeroPoint(b, loc, x.parameters),
                                zeroPoint(b, loc, w.parameters)};
    Value sum = ConvIntegerOp::create(b, loc, TypeRange{withElement(type, b.getI32Type())},
                                      operands, op->getAttrs());
    Value real = castToFloat(b, loc, sum, type);
    real = MulOp::create(b, loc, TypeRange{type}, ValueRange{real, divided(factors)});
    if (!bias.empty())
      real = AddOp::create(b, loc, TypeRange{type}, ValueRange{real, divided(bias)});
    return real;
  }
};

/// DequantizeLinear, Conv, QuantizeLinear -> ConvInteger, Cast, Mul, Add, QuantizeLinear by one.
struct QuantizedConvPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto conv = op.getX().getDefiningOp<ConvOp>();
    auto y = quantized(op);
    auto scale = y ? y->knownScale() : std::nullopt;
    auto scaled = conv && conv->hasOneUse() && scale ? ScaledConv::match(conv) : std::nullopt;
    if (!scaled)
      return failure();
    Value real = scaled->emit(b, conv, *scale);
    HostTensor one = HostTensor::zeros(b.getF32Type(), cast<RankedTensorType>(y->scale.getType()).getShape());
    double value = 1;
    one.store(0, 1, &value);
    Value unit = createConstant(b, op.getLoc(), one);
    b.modifyOpInPlace(op, [&] {
      op.getXMutable().assign(real);
      op.getYScaleMutable().assign(unit);
    });
    return success();
  }
};

/// DequantizeLinear, Conv -> ConvInteger, Cast, Mul, Add.
struct FloatConvPattern : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &b) const override {
    auto scaled = ScaledConv::match(op);
    if (!scaled)
      return failure();
    b.replaceOp(op, scaled->emit(b, op, 1));
    return success();
  }
};

/// DequantizeLinear, Gemm -> QGemm without a scale of its result, Add.
struct FloatGemmPattern : OpRewritePattern<GemmOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GemmOp op, PatternRewriter &b) const override {
    auto lhs = activation(op.getA());
    auto rhs = weights(op.getB(), op.getTransB() ? 0 : 1);
    if (!lhs || !rhs || op.getBeta().convertToDouble() != 1)
      return failure();
    Location loc = op.getLoc();
    Type type = op.getResult().getType();
    Value none = NoneOp::create(b, loc, b.getNoneType());
    SmallVector<Value> operands;
    append(operands, b, loc, *lhs);
    append(operands, b, loc, *rhs);
    operands.append({none, none, none});
    Value y = createMicrosoft(b, loc, "QGemm", type, operands,
                              {b.getNamedAttr("alpha", op.getAlphaAttr()),
                               b.getNamedAttr("transA", b.getI64IntegerAttr(op.getTransA())),
                               b.getNamedAttr("transB", b.getI64IntegerAttr(op.getTransB()))})
                  ->getResult(0);
    if (!isNone(op.getC()))
      y = AddOp::create(b, loc, TypeRange{type}, ValueRange{y, op.getC()});
    b.replaceOp(op, y);
    return success();
  }
};

} // namespace

void populateScaledProductPatterns(RewritePatternSet &quantized, RewritePatternSet &floats) {
  quantized.add<QuantizedConvPattern>(quantized.getContext());
  floats.add<FloatMatMulPattern, FloatConvPattern, FloatGemmPattern>(floats.getContext());
}

} // namespace onnxc::onnx
