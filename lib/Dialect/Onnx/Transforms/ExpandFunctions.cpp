// onnx-expand-functions: operators that only their function body defines are
// replaced by it. Dropout in training, for which ONNX gives none, has one here.
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"
#include "onnxc/Import/ExpandFunction.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXEXPANDFUNCTIONS
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// Operators with a function body that have a lowering in lib/Conversion/OnnxToLinalg or a
/// kernel, which are faster and more exact than the body.
bool hasLowering(Operation *op) {
  return isa<AffineGridOp, AttentionOp, BernoulliOp, BlackmanWindowOp, CastLikeOp, CeluOp,
             CenterCropPadOp, ClipOp, DepthToSpaceOp, DynamicQuantizeLinearOp, EluOp, GeluOp,
             GreaterOrEqualOp, GroupNormalizationOp, HammingWindowOp, HannWindowOp, HardSigmoidOp,
             HardSwishOp, LayerNormalizationOp, LeakyReluOp, LessOrEqualOp, LogSoftmaxOp,
             MeanVarianceNormalizationOp, MishOp, NegativeLogLikelihoodLossOp, PReluOp,
             RMSNormalizationOp, RangeOp, ReduceL1Op, ReduceL2Op, ReduceLogSumExpOp, ReduceLogSumOp,
             ReduceSumSquareOp, ReluOp, RotaryEmbeddingOp, SeluOp, SequenceMapOp, ShrinkOp,
             SoftmaxCrossEntropyLossOp, SoftmaxOp, SoftplusOp, SoftsignOp, SpaceToDepthOp, SwishOp,
             ThresholdedReluOp>(op);
}

/// mask = !training || uniform >= ratio; output = mask ? data * (training ? 1 / (1 - ratio) : 1) : 0.
void expandDropout(DropoutOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  auto data = cast<TensorType>(op.getData().getType());
  auto scalar = [&](Type element) { return RankedTensorType::get({}, element); };
  auto like = [&](Type element) -> TensorType {
    return data.hasRank() ? TensorType(RankedTensorType::get(data.getShape(), element))
                          : UnrankedTensorType::get(element);
  };
  Type f32 = b.getF32Type(), i1 = b.getI1Type();
  auto constant = [&](DenseElementsAttr value) -> Value {
    return ConstantOp::create(b, loc, ElementsAttr(value));
  };
  auto floatConstant = [&](float value) {
    return constant(DenseElementsAttr::get(scalar(f32), value));
  };
  auto create = [&](StringRef name, Type type, ValueRange operands,
                    ArrayRef<NamedAttribute> attrs = {}) -> Value {
    OperationState state(loc, ("onnx." + name).str(), operands, TypeRange(type), attrs);
    return b.create(state)->getResult(0);
  };
  NamedAttribute toFloat = b.getNamedAttr("to", b.getI64IntegerAttr(1));

  Value training = isNone(op.getTrainingMode())
                       ? constant(DenseElementsAttr::get(scalar(i1), false))
                       : op.getTrainingMode();
  Value ratio = isNone(op.getRatio()) ? floatConstant(0.5f)
                                      : create("Cast", scalar(f32), op.getRatio(), toFloat);
  SmallVector<NamedAttribute> random = {b.getNamedAttr("dtype", b.getI64IntegerAttr(1))};
  if (std::optional<int64_t> seed = op.getSeed())
    random.push_back(b.getNamedAttr("seed", b.getF32FloatAttr(static_cast<float>(*seed))));
  Value uniform = create("RandomUniformLike", like(f32), op.getData(), random);
  Value kept = create("GreaterOrEqual", like(i1), {uniform, ratio});
  Value inference = create("Not", scalar(i1), training);
  Value mask = create("Or", like(i1), {kept, inference});
  Value one = floatConstant(1.0f);
  Value rest = create("Sub", scalar(f32), {one, ratio});
  Value inverse = create("Div", scalar(f32), {one, rest});
  Value scale = create("Where", scalar(f32), {training, inverse, one});
  Value scaleLike = create("CastLike", scalar(data.getElementType()), {scale, op.getData()});
  Value scaled = create("Mul", data, {op.getData(), scaleLike});
  Value zero = create("CastLike", scalar(data.getElementType()), {floatConstant(0.0f), op.getData()});
  Value output = create("Where", op->getResult(0).getType(), {mask, scaled, zero});
  op->getResult(0).replaceAllUsesWith(output);
  if (!op.getMask().use_empty())
    op.getMask().replaceAllUsesWith(create("Identity", op.getMask().getType(), mask));
  op->erase();
}

struct ExpandFunctions : impl::OnnxExpandFunctionsBase<ExpandFunctions> {
  void runOnOperation() override {
    // A body may use operators that are expanded in turn. ONNX's functions are not recursive;
    // the bound only guards against a library that breaks this.
    constexpr int kMaxDepth = 8;
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      SmallVector<Operation *> found;
      getOperation().walk([&](Operation *op) {
        if (isa<OnnxOpInterface>(op) && hasFunctionBody(op) && !hasLowering(op))
          found.push_back(op);
      });
      if (depth == 0)
        getOperation().walk([](DropoutOp op) { expandDropout(op); });
      bool changed = false;
      for (Operation *op : found)
        if (failed(expand(op, changed)))
          return signalPassFailure();
      // What has no body for its types and attributes is left for the lowering to report.
      if (!changed)
        return;
      // The next round's bodies may depend on the types of this one's values.
      ShapeState state;
      if (failed(TypeInference(state).inferBlock(getOperation().getBody().front())))
        return signalPassFailure();
    }
    getOperation().emitError("function bodies of operators are nested too deeply");
    signalPassFailure();
  }

private:
  /// Sets `changed` if there is a body; fails if it cannot be built.
  LogicalResult expand(Operation *op, bool &changed) {
    IRRewriter rewriter(op->getContext());
    // What users see may be more precise than what the body's types tell.
    rewriter.setInsertionPointAfter(op);
    for (Value result : op->getResults()) {
      if (isNone(result) || result.use_empty())
        continue;
      auto copy = IdentityOp::create(rewriter, op->getLoc(), result.getType(), result);
      result.replaceAllUsesExcept(copy->getResult(0), copy);
    }
    rewriter.setInsertionPoint(op);
    bool reported = false;
    LogicalResult done = [&] {
      ScopedDiagnosticHandler watch(op->getContext(), [&](Diagnostic &diagnostic) {
        reported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
        return failure();
      });
      return expandFunction(op, rewriter);
    }();
    changed |= succeeded(done);
    return failure(failed(done) && reported);
  }
};

} // namespace
} // namespace onnxc::onnx
