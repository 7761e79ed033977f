// onnx-expand-functions: operators that only their function body defines are
// replaced by it.
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

struct ExpandFunctions : impl::OnnxExpandFunctionsBase<ExpandFunctions> {
  void runOnOperation() override {
    // A body may use operators that are expanded in turn. ONNX's functions are not recursive;
    // the bound only guards against a library that breaks this.
    constexpr int kMaxDepth = 8;
    llvm::DenseSet<Operation *> refused;
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      SmallVector<Operation *> found;
      getOperation().walk([&](Operation *op) {
        if (isa<OnnxOpInterface>(op) && hasFunctionBody(op) && !hasLowering(op) &&
            !refused.contains(op))
          found.push_back(op);
      });
      if (found.empty())
        return;
      for (Operation *op : found)
        if (failed(expand(op, refused)))
          return signalPassFailure();
      // The next round's bodies may depend on the types of this one's values.
      ShapeState state;
      if (failed(TypeInference(state).inferBlock(getOperation().getBody().front())))
        return signalPassFailure();
      refused.clear();
    }
    getOperation().emitError("function bodies of operators are nested too deeply");
    signalPassFailure();
  }

private:
  LogicalResult expand(Operation *op, llvm::DenseSet<Operation *> &refused) {
    IRRewriter rewriter(op->getContext());
    // What users see may be more precise than what the body's types tell.
    SmallVector<Operation *> copies;
    rewriter.setInsertionPointAfter(op);
    for (Value result : op->getResults()) {
      if (isNone(result) || result.use_empty())
        continue;
      auto copy = IdentityOp::create(rewriter, op->getLoc(), result.getType(), result);
      result.replaceAllUsesExcept(copy->getResult(0), copy);
      copies.push_back(copy);
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
    if (succeeded(done))
      return success();
    refused.insert(op);
    return failure(reported);
  }
};

} // namespace
} // namespace onnxc::onnx
