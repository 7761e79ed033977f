// onnx-expand-functions: operators that only their function body defines are
// replaced by it. Dropout in training, for which ONNX gives none, has one here.
#include "onnxc/Dialect/Onnx/Transforms/GraphWriter.h"
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
void expandDropout(DropoutOp op, ShapeState &state) {
  GraphWriter w(op, state);
  Value data = op.getData();
  Type f32 = w.b.getF32Type(), i1 = w.b.getI1Type();
  Value training = isNone(op.getTrainingMode()) ? w.scalar(i1, 0) : op.getTrainingMode();
  Value ratio = isNone(op.getRatio()) ? w.scalar(f32, 0.5) : w.cast(op.getRatio(), f32);
  Attrs random = {w.integerAttr("dtype", toOnnxElementType(f32))};
  if (std::optional<int64_t> seed = op.getSeed())
    random.push_back(w.realAttr("seed", static_cast<double>(*seed)));
  Value kept = w.op("GreaterOrEqual", {w.op("RandomUniformLike", {data}, random), ratio});
  Value mask = w.op("Or", {kept, w.op("Not", {training})});
  Value one = w.scalar(f32, 1);
  Value scale = w.op("Where", {training, w.div(one, w.sub(one, ratio)), one});
  Value scaled = w.mul(data, w.op("CastLike", {scale, data}));
  Value output = w.op("Where", {mask, scaled, w.scalar(w.elem(data), 0)});
  for (auto [result, value] : {std::pair(op->getResult(0), output), std::pair(op->getResult(1), mask)})
    if (!isNone(result))
      // What users see may be more precise than what was inferred.
      result.replaceAllUsesWith(
          IdentityOp::create(w.b, op.getLoc(), result.getType(), value)->getResult(0));
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
        expandDropouts();
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
  void expandDropouts() {
    SmallVector<DropoutOp> found;
    getOperation().walk([&](DropoutOp op) { found.push_back(op); });
    ShapeState state;
    for (DropoutOp op : found)
      expandDropout(op, state);
  }

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
