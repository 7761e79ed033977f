// onnx-recognize-quantized: see Passes.td. Quantizers write an operator on integers as
// DequantizeLinear, the operator on floats, QuantizeLinear; the sums are exact in integers.
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXRECOGNIZEQUANTIZED
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

Type elementOf(Value value) {
  auto type = dyn_cast<TensorType>(value.getType());
  return type ? type.getElementType() : Type();
}

bool isByte(Type type) {
  auto integer = dyn_cast_or_null<IntegerType>(type);
  return integer && integer.getWidth() == 8;
}

/// One number for the whole tensor.
bool isSingle(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getNumElements() == 1;
}

/// The same shape with another element type.
Type withElement(Type type, Type element) {
  return cast<TensorType>(type).clone(element);
}

/// What a DequantizeLinear reads, or a QuantizeLinear writes.
struct Parameters {
  Value scale, zero; // `zero` may be none
  int64_t axis = 0;
  Type element;

  bool single() const { return isSingle(scale) && (isNone(zero) || isSingle(zero)); }
  std::optional<double> knownScale() const { return constantScalar(scale); }
  std::optional<double> knownZero() const {
    return isNone(zero) ? std::optional(0.0) : constantScalar(zero);
  }
  bool operator==(const Parameters &other) const {
    if (!single() || !other.single() || element != other.element)
      return false;
    if (scale == other.scale && zero == other.zero)
      return true;
    auto a = knownScale(), b = other.knownScale();
    auto za = knownZero(), zb = other.knownZero();
    return a && b && za && zb && *a == *b && *za == *zb;
  }
};

struct Dequantized {
  Value tensor;
  Parameters parameters;
};

std::optional<Dequantized> dequantized(Value value) {
  auto op = value.getDefiningOp<DequantizeLinearOp>();
  if (!op || op.getBlockSize() != 0 || !isa<Float32Type>(elementOf(op.getResult())) ||
      !isa<Float32Type>(elementOf(op.getXScale())))
    return std::nullopt;
  return Dequantized{op.getX(),
                     {op.getXScale(), op.getXZeroPoint(), static_cast<int64_t>(op.getAxis()),
                      elementOf(op.getX())}};
}

std::optional<Parameters> quantized(QuantizeLinearOp op) {
  if (op.getBlockSize() != 0 || !isa<Float32Type>(elementOf(op.getX())) ||
      !isa<Float32Type>(elementOf(op.getYScale())))
    return std::nullopt;
  Parameters p{op.getYScale(), op.getYZeroPoint(), static_cast<int64_t>(op.getAxis()),
               elementOf(op.getResult())};
  return isByte(p.element) && p.single() ? std::optional(p) : std::nullopt;
}

/// An activation: bytes with one scale.
std::optional<Dequantized> activation(Value value) {
  auto d = dequantized(value);
  return d && isByte(d->parameters.element) && d->parameters.single() ? d : std::nullopt;
}

/// Weights: bytes with one scale, or one for each index of `axis`.
std::optional<Dequantized> weights(Value value, int64_t axis) {
  auto d = dequantized(value);
  auto type = d ? dyn_cast<RankedTensorType>(d->tensor.getType()) : RankedTensorType();
  if (!type || !isByte(d->parameters.element) || !constantValue(d->tensor))
    return std::nullopt;
  int64_t given = d->parameters.axis < 0 ? d->parameters.axis + type.getRank() : d->parameters.axis;
  auto scale = dyn_cast<RankedTensorType>(d->parameters.scale.getType());
  if (!d->parameters.single() && (given != axis || !scale || scale.getRank() != 1))
    return std::nullopt;
  return d;
}

/// The zero point as an operand that must be there.
Value zeroPoint(PatternRewriter &b, Location loc, const Parameters &p) {
  if (!isNone(p.zero))
    return p.zero;
  auto type = cast<RankedTensorType>(p.scale.getType());
  return createConstant(b, loc, HostTensor::zeros(p.element, type.getShape()));
}

/// The integers of a bias whose scale is the product's own; null if it is another one.
Value integerBias(Value bias, const Parameters &x, const Parameters &w) {
  auto d = dequantized(bias);
  auto integer = d ? dyn_cast<IntegerType>(d->parameters.element) : IntegerType();
  auto xs = x.knownScale();
  auto ws = constantTensor(w.scale);
  auto bs = d ? constantTensor(d->parameters.scale) : std::nullopt;
  if (!integer || integer.getWidth() != 32 || !xs || !ws || !bs)
    return {};
  if (!isNone(d->parameters.zero)) {
    auto zeros = constantInts(d->parameters.zero);
    if (!zeros || llvm::any_of(*zeros, [](int64_t v) { return v != 0; }))
      return {};
  }
  SmallVector<double> wanted = ws->floats(), given = bs->floats();
  size_t count = std::max(wanted.size(), given.size());
  if ((wanted.size() != 1 && wanted.size() != count) || (given.size() != 1 && given.size() != count))
    return {};
  for (size_t i = 0; i < count; ++i) {
    double product = *xs * wanted[wanted.size() == 1 ? 0 : i];
    if (std::fabs(given[given.size() == 1 ? 0 : i] - product) > 1e-4 * std::fabs(product))
      return {};
  }
  return d->tensor;
}

/// DequantizeLinear, Conv, QuantizeLinear -> QLinearConv.
struct ConvPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto conv = op.getX().getDefiningOp<ConvOp>();
    auto y = quantized(op);
    if (!conv || !conv->hasOneUse() || !y)
      return failure();
    auto x = activation(conv.getX());
    auto w = weights(conv.getW(), 0);
    if (!x || !w)
      return failure();
    Value bias = conv.getB();
    if (!isNone(bias) && !(bias = integerBias(bias, x->parameters, w->parameters)))
      return failure();
    Location loc = conv.getLoc();
    SmallVector<Value> operands{x->tensor,  x->parameters.scale, zeroPoint(b, loc, x->parameters),
                                w->tensor,  w->parameters.scale, zeroPoint(b, loc, w->parameters),
                                y->scale,   zeroPoint(b, loc, *y), bias};
    b.replaceOp(op, QLinearConvOp::create(b, loc, TypeRange{op.getResult().getType()}, operands,
                                          conv->getAttrs()));
    return success();
  }
};

/// DequantizeLinear, MatMul, QuantizeLinear -> QLinearMatMul.
struct MatMulPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto product = op.getX().getDefiningOp<MatMulOp>();
    auto y = quantized(op);
    if (!product || !product->hasOneUse() || !y)
      return failure();
    auto lhs = activation(product.getA()), rhs = activation(product.getB());
    if (!rhs)
      rhs = weights(product.getB(), 1);
    auto rhsType = dyn_cast<RankedTensorType>(product.getB().getType());
    if (!lhs || !rhs || !rhsType || (!rhs->parameters.single() && rhsType.getRank() != 2))
      return failure();
    Location loc = product.getLoc();
    SmallVector<Value> operands{
        lhs->tensor, lhs->parameters.scale, zeroPoint(b, loc, lhs->parameters),
        rhs->tensor, rhs->parameters.scale, zeroPoint(b, loc, rhs->parameters),
        y->scale,    zeroPoint(b, loc, *y)};
    b.replaceOp(op, QLinearMatMulOp::create(b, loc, TypeRange{op.getResult().getType()}, operands));
    return success();
  }
};

/// DequantizeLinear, MatMul with constant weights -> MatMulInteger, Cast, Mul.
struct FloatMatMulPattern : OpRewritePattern<MatMulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatMulOp op, PatternRewriter &b) const override {
    if (llvm::any_of(op->getUsers(), [](Operation *user) { return isa<QuantizeLinearOp>(user); }))
      return failure();
    auto lhs = activation(op.getA());
    auto rhs = weights(op.getB(), 1);
    auto rhsType = dyn_cast<RankedTensorType>(op.getB().getType());
    if (!lhs || !rhs || !rhsType || rhsType.getRank() != 2)
      return failure();
    Location loc = op.getLoc();
    Type type = op.getResult().getType(), f32 = b.getF32Type();
    Value sum = MatMulIntegerOp::create(
        b, loc, TypeRange{withElement(type, b.getI32Type())},
        ValueRange{lhs->tensor, rhs->tensor, zeroPoint(b, loc, lhs->parameters),
                   zeroPoint(b, loc, rhs->parameters)});
    NamedAttribute to = b.getNamedAttr("to", b.getI64IntegerAttr(1));
    Value real = CastOp::create(b, loc, TypeRange{withElement(type, f32)}, ValueRange{sum},
                                ArrayRef<NamedAttribute>(to));
    Value scale = MulOp::create(b, loc, TypeRange{rhs->parameters.scale.getType()},
                                ValueRange{rhs->parameters.scale, scalar(b, loc, lhs->parameters)});
    b.replaceOp(op, MulOp::create(b, loc, TypeRange{type}, ValueRange{real, scale}));
    return success();
  }

  /// One-element scales of any rank broadcast; a 0-d one does not change a result's rank.
  static Value scalar(PatternRewriter &b, Location loc, const Parameters &p) {
    auto type = cast<RankedTensorType>(p.scale.getType());
    if (type.getRank() == 0)
      return p.scale;
    Value shape = createConstant(b, loc, HostTensor::zeros(b.getI64Type(), {0}));
    return ReshapeOp::create(b, loc, TypeRange{RankedTensorType::get({}, type.getElementType())},
                             ValueRange{p.scale, shape});
  }
};

CustomOp createMicrosoft(PatternRewriter &b, Location loc, StringRef name, Type type,
                         ValueRange operands, ArrayRef<NamedAttribute> attrs) {
  return CustomOp::create(b, loc, TypeRange{type}, b.getStringAttr("com.microsoft"),
                          b.getStringAttr(name), b.getDictionaryAttr(attrs), operands);
}

/// DequantizeLinear, Gemm, QuantizeLinear -> QGemm.
struct GemmPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto gemm = op.getX().getDefiningOp<GemmOp>();
    auto y = quantized(op);
    if (!gemm || !gemm->hasOneUse() || !y || gemm.getAlpha().convertToDouble() != 1 ||
        gemm.getBeta().convertToDouble() != 1)
      return failure();
    auto lhs = activation(gemm.getA());
    auto rhs = weights(gemm.getB(), gemm.getTransB() ? 0 : 1);
    if (!lhs || !rhs)
      return failure();
    Value bias = gemm.getC();
    auto biasType = dyn_cast<RankedTensorType>(bias.getType());
    if (!isNone(bias) && (!biasType || biasType.getRank() > 1 ||
                          !(bias = integerBias(bias, lhs->parameters, rhs->parameters))))
      return failure();
    Location loc = gemm.getLoc();
    SmallVector<Value> operands{
        lhs->tensor, lhs->parameters.scale, zeroPoint(b, loc, lhs->parameters),
        rhs->tensor, rhs->parameters.scale, zeroPoint(b, loc, rhs->parameters),
        bias,        y->scale,              zeroPoint(b, loc, *y)};
    b.replaceOp(op, createMicrosoft(b, loc, "QGemm", op.getResult().getType(), operands,
                                    {b.getNamedAttr("transA", b.getI64IntegerAttr(gemm.getTransA())),
                                     b.getNamedAttr("transB", b.getI64IntegerAttr(gemm.getTransB()))}));
    return success();
  }
};

/// DequantizeLinear, GlobalAveragePool, QuantizeLinear -> QLinearGlobalAveragePool.
struct GlobalAveragePoolPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto pool = op.getX().getDefiningOp<GlobalAveragePoolOp>();
    auto y = quantized(op);
    auto x = pool && pool->hasOneUse() && y ? activation(pool.getX()) : std::nullopt;
    if (!x || x->parameters.element != y->element)
      return failure();
    Location loc = pool.getLoc();
    SmallVector<Value> operands{x->tensor, x->parameters.scale, zeroPoint(b, loc, x->parameters),
                                y->scale, zeroPoint(b, loc, *y)};
    b.replaceOp(op, createMicrosoft(b, loc, "QLinearGlobalAveragePool", op.getResult().getType(),
                                    operands, {}));
    return success();
  }
};

/// DequantizeLinear twice, Add or Mul, QuantizeLinear -> QLinearAdd or QLinearMul.
template <typename Op> struct BinaryPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto both = op.getX().template getDefiningOp<Op>();
    auto y = quantized(op);
    if (!both || !both->hasOneUse() || !y)
      return failure();
    auto lhs = activation(both->getOperand(0)), rhs = activation(both->getOperand(1));
    if (!lhs || !rhs || lhs->parameters.element != y->element ||
        rhs->parameters.element != y->element)
      return failure();
    Location loc = both.getLoc();
    SmallVector<Value> operands{
        lhs->tensor, lhs->parameters.scale, zeroPoint(b, loc, lhs->parameters),
        rhs->tensor, rhs->parameters.scale, zeroPoint(b, loc, rhs->parameters),
        y->scale,    zeroPoint(b, loc, *y)};
    b.replaceOp(op, createMicrosoft(b, loc, std::is_same_v<Op, AddOp> ? "QLinearAdd" : "QLinearMul",
                                    op.getResult().getType(), operands, {}));
    return success();
  }
};

/// What only moves or selects elements works on the integers as well.
struct MovePattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    Operation *move = op.getX().getDefiningOp();
    auto y = quantized(op);
    if (!y || !isa_and_nonnull<ReshapeOp, FlattenOp, TransposeOp, SqueezeOp, UnsqueezeOp, SliceOp,
                               GatherOp, ExpandOp, TileOp, DepthToSpaceOp, SpaceToDepthOp, MaxPoolOp>(
                  move) ||
        !move->getResult(0).hasOneUse())
      return failure();
    // Indices of maxima stay with the floats.
    if (llvm::any_of(move->getResults().drop_front(),
                     [](Value v) { return !isa<NoneType>(v.getType()); }))
      return failure();
    auto x = activation(move->getOperand(0));
    if (!x || !(x->parameters == *y))
      return failure();
    Operation *moved = b.clone(*move);
    moved->setOperand(0, x->tensor);
    moved->getResult(0).setType(op.getResult().getType());
    b.replaceOp(op, moved->getResult(0));
    return success();
  }
};

/// A Relu or Clip that cuts nothing off which saturation would not.
struct ClampPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    Operation *clamp = op.getX().getDefiningOp();
    auto y = quantized(op);
    auto scale = y ? y->knownScale() : std::nullopt;
    auto zero = y ? y->knownZero() : std::nullopt;
    if (!isa_and_nonnull<ReluOp, ClipOp>(clamp) || !clamp->hasOneUse() || !scale || !zero)
      return failure();
    std::optional<double> low = 0.0, high;
    if (auto clip = dyn_cast<ClipOp>(clamp)) {
      auto bound = [](Value v, std::optional<double> &to) {
        to = isNone(v) ? std::nullopt : constantScalar(v);
        return isNone(v) || to;
      };
      if (!bound(clip.getMin(), low) || !bound(clip.getMax(), high))
        return failure();
    }
    bool isUnsigned = y->element.isUnsignedInteger();
    // Values beyond the last half step round to the bound in any case.
    double lowest = (isUnsigned ? 0 : -128) - *zero, highest = (isUnsigned ? 255 : 127) - *zero;
    if ((low && *low > (lowest + 0.49) * *scale) || (high && *high < (highest - 0.49) * *scale))
      return failure();
    b.modifyOpInPlace(op, [&] { op.getXMutable().assign(clamp->getOperand(0)); });
    return success();
  }
};

/// Signed activations that are only dequantized become unsigned, which dot product instructions take.
void makeUnsigned(QuantizeLinearOp op) {
  auto y = quantized(op);
  auto zero = y ? y->knownZero() : std::nullopt;
  if (!zero || y->element.isUnsignedInteger())
    return;
  for (Operation *user : op->getUsers()) {
    auto back = dyn_cast<DequantizeLinearOp>(user);
    auto x = back ? dequantized(back.getResult()) : std::nullopt;
    if (!x || x->tensor != op.getResult() || !(x->parameters == *y))
      return;
  }
  OpBuilder b(op);
  auto ui8 = IntegerType::get(op.getContext(), 8, IntegerType::Unsigned);
  HostTensor moved = HostTensor::zeros(ui8, {});
  int64_t value = static_cast<int64_t>(*zero) + 128;
  moved.store(0, 1, &value);
  Value constant = createConstant(b, op.getLoc(), moved);
  op.getYZeroPointMutable().assign(constant);
  op.getResult().setType(cast<TensorType>(withElement(op.getResult().getType(), ui8)));
  op->setAttr("output_dtype", b.getI64IntegerAttr(0));
  for (Operation *user : op->getUsers())
    cast<DequantizeLinearOp>(user).getXZeroPointMutable().assign(constant);
}

struct OnnxRecognizeQuantized : impl::OnnxRecognizeQuantizedBase<OnnxRecognizeQuantized> {
  void runOnOperation() override {
    getOperation().walk([](QuantizeLinearOp op) { makeUnsigned(op); });
    RewritePatternSet patterns(&getContext());
    patterns.add<ConvPattern, MatMulPattern, FloatMatMulPattern, GemmPattern,
                 GlobalAveragePoolPattern, BinaryPattern<AddOp>, BinaryPattern<MulOp>, MovePattern,
                 ClampPattern>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc::onnx
