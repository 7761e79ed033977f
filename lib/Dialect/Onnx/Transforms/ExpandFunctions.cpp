// onnx-expand-functions: operators that only their function body defines are
// replaced by it.
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"
#include "onnxc/Schema/FunctionBody.h"
#include "llvm/ADT/StringSet.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXEXPANDFUNCTIONS
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// Operators with a function body that have a lowering in lib/Conversion/OnnxToLinalg or a
/// kernel, which are faster and more exact than the body.
bool hasLowering(Operation *op) {
  return isa<AffineGridOp, AttentionOp, BernoulliOp, CastLikeOp, CeluOp, CenterCropPadOp, ClipOp,
             DepthToSpaceOp, DynamicQuantizeLinearOp, EluOp, GeluOp, GreaterOrEqualOp,
             GroupNormalizationOp, HardSigmoidOp, HardSwishOp, LayerNormalizationOp, LeakyReluOp,
             LessOrEqualOp, LogSoftmaxOp, MeanVarianceNormalizationOp, MishOp, PReluOp,
             RMSNormalizationOp, RangeOp, ReduceL1Op, ReduceL2Op, ReduceLogSumOp,
             ReduceLogSumExpOp, ReduceSumSquareOp, ReluOp, RotaryEmbeddingOp, SeluOp,
             SequenceMapOp, ShrinkOp, SoftmaxOp, SoftplusOp, SoftsignOp, SpaceToDepthOp, SwishOp,
             ThresholdedReluOp>(op);
}

bool isExpanded(Operation *op) {
  auto onnxOp = dyn_cast<OnnxOpInterface>(op);
  return onnxOp && onnxOp.getOnnxInfo().hasFunction && !hasLowering(op);
}

struct ExpandFunctions : impl::OnnxExpandFunctionsBase<ExpandFunctions> {
  void runOnOperation() override {
    // A body may use operators that are expanded in turn; ONNX's functions are not recursive, the
    // bound only guards against a library that breaks this.
    constexpr int kMaxDepth = 8;
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      SmallVector<Operation *> found;
      getOperation().walk([&](Operation *op) {
        if (isExpanded(op))
          found.push_back(op);
      });
      if (found.empty())
        return;
      for (Operation *op : found)
        if (failed(expand(op)))
          return signalPassFailure();
    }
    getOperation().emitError("function bodies of operators are nested too deeply");
    signalPassFailure();
  }

private:
  LogicalResult expand(Operation *op) {
    OpBuilder b(op);
    SmallVector<Value> results;
    if (failed(buildFunctionBody(b, op, results)))
      return failure();
    for (auto [old, value] : llvm::zip(op->getResults(), results)) {
      // What users see may be more precise than what the body's types tell.
      if (!isNone(old) && value.getType() != old.getType())
        value = IdentityOp::create(b, op->getLoc(), old.getType(), value);
      if (!old.use_empty())
        old.replaceAllUsesWith(value);
    }
    op->erase();
    return success();
  }
};

} // namespace
} // namespace onnxc::onnx
