// onnx-recognize-quantized: see Passes.td. Quantizers write an operator on integers as
// DequantizeLinear, the operator on floats, QuantizeLinear; the sums are exact in integers.
#include "QuantizedValues.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXRECOGNIZEQUANTIZED
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

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
    SmallVector<Value> operands;
    append(operands, b, loc, *x);
    append(operands, b, loc, *w);
    append(operands, b, loc, *y);
    operands.push_back(bias);
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
    SmallVector<Value> operands;
    append(operands, b, loc, *lhs);
    append(operands, b, loc, *rhs);
    append(operands, b, loc, *y);
    b.replaceOp(op, QLinearMatMulOp::create(b, loc, TypeRange{op.getResult().getType()}, operands));
    return success();
  }
};

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
    SmallVector<Value> operands;
    append(operands, b, loc, *lhs);
    append(operands, b, loc, *rhs);
    operands.push_back(bias);
    append(operands, b, loc, *y);
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
    SmallVector<Value> operands;
    append(operands, b, loc, *x);
    append(operands, b, loc, *y);
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
    SmallVector<Value> operands;
    append(operands, b, loc, *lhs);
    append(operands, b, loc, *rhs);
    append(operands, b, loc, *y);
    b.replaceOp(op, createMicrosoft(b, loc, std::is_same_v<Op, AddOp> ? "QLinearAdd" : "QLinearMul",
                                    op.getResult().getType(), operands, {}));
    return success();
  }
};

/// Copies elements of its first operand, and no others, to its results.
bool isMove(Operation *op) {
  if (auto resize = dyn_cast_or_null<ResizeOp>(op))
    return resize.getMode() == "nearest" &&
           resize.getCoordinateTransformationMode() != "tf_crop_and_resize";
  return isa_and_nonnull<ReshapeOp, FlattenOp, TransposeOp, SqueezeOp, UnsqueezeOp, SliceOp, GatherOp,
                         ExpandOp, TileOp, DepthToSpaceOp, SpaceToDepthOp, MaxPoolOp, SplitOp>(op);
}

/// What only moves or selects elements works on the integers as well.
struct MovePattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    Operation *move = op.getX().getDefiningOp();
    auto y = quantized(op);
    if (!y || !isMove(move) || !op.getX().hasOneUse())
      return failure();
    // Indices of maxima stay with the floats. Each part of a Split has its own copy, until equal ones become one.
    if (!isa<SplitOp>(move) && llvm::any_of(move->getResults().drop_front(), [](Value v) {
          return !isa<NoneType>(v.getType());
        }))
      return failure();
    auto x = activation(move->getOperand(0));
    if (!x || !(x->parameters == *y))
      return failure();
    Operation *moved = b.clone(*move);
    moved->setOperand(0, x->tensor);
    for (Value result : moved->getResults())
      if (!isa<NoneType>(result.getType()))
        result.setType(withElement(result.getType(), y->element));
    b.replaceOp(op, moved->getResult(cast<OpResult>(op.getX()).getResultNumber()));
    return success();
  }
};

/// QuantizeLinear of a Concat: each part is quantized, which those that have the same scale are already.
struct ConcatPattern : OpRewritePattern<QuantizeLinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeLinearOp op, PatternRewriter &b) const override {
    auto concat = op.getX().getDefiningOp<ConcatOp>();
    auto y = quantized(op);
    if (!concat || !concat->hasOneUse() || !y)
      return failure();
    SmallVector<Dequantized> parts;
    for (Value operand : concat->getOperands()) {
      auto x = activation(operand);
      if (!x)
        return failure();
      parts.push_back(*x);
    }
    SmallVector<Value> operands;
    for (auto [part, value] : llvm::zip(parts, concat->getOperands())) {
      operands.push_back(part.tensor);
      if (part.parameters == *y)
        continue;
      auto again = cast<QuantizeLinearOp>(b.clone(*op));
      again.getXMutable().assign(value);
      again.getResult().setType(cast<TensorType>(withElement(value.getType(), y->element)));
      operands.back() = again.getResult();
    }
    b.replaceOp(op, ConcatOp::create(b, concat.getLoc(), TypeRange{op.getResult().getType()}, operands,
                                     concat->getAttrs()));
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
    // Those whose sums are scaled in floats come after what is all in integers.
    RewritePatternSet patterns(&getContext()), scaled(&getContext()), floats(&getContext());
    patterns.add<ConvPattern, MatMulPattern, GemmPattern, GlobalAveragePoolPattern,
                 BinaryPattern<AddOp>, BinaryPattern<MulOp>, MovePattern, ConcatPattern,
                 ClampPattern>(
        &getContext());
    populateScaledProductPatterns(scaled, floats);
    for (RewritePatternSet *set : {&patterns, &scaled, &floats})
      if (failed(applyPatternsGreedily(getOperation(), std::move(*set))))
        return signalPassFailure();
  }
};

} // namespace
} // namespace onnxc::onnx
