//===- Loss.cpp - NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss ------===//
//
// Each target picks a log-probability and a weight; the reduction is a sum, divided by
// the sum of the weights for "mean".
//
//===----------------------------------------------------------------------===//
#include "Normalization.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

struct LossInputs {
  Value logProbs, target, weight; // weight may be null
  std::optional<int64_t> ignored;
  StringRef reduction;
};

/// The weight of each target: zero where it is to be ignored.
Value targetWeights(TensorBuilder &b, const LossInputs &in, Type acc) {
  Value classes = b.index(b.dim(in.logProbs, 1));
  return b.unary(in.target, acc, [&](TensorBuilder &t, ValueRange args) -> Value {
    Value w = t.constant(acc, 1);
    if (in.weight) {
      Value last = arith::SubIOp::create(t, classes, t.index(1));
      Value at = t.maxScalar(t.minScalar(t.convert(args[0], t.getIndexType()), last), t.index(0));
      w = t.convert(tensor::ExtractOp::create(t, in.weight, at), acc);
    }
    if (!in.ignored)
      return w;
    Value skip = arith::CmpIOp::create(t, arith::CmpIPredicate::eq, args[0],
                                       t.intConstant(args[0].getType(), *in.ignored));
    return arith::SelectOp::create(t, skip, t.constant(acc, 0), w);
  });
}

Value sumAll(TensorBuilder &b, Value x, Type acc) {
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(x)));
  return b.reduceAxes(x, axes, b.constant(acc, 0), [](TensorBuilder &t, ValueRange args) {
    return t.addScalar(args[1], args[0]);
  });
}

Value buildLoss(TensorBuilder &b, const LossInputs &in, Type elem) {
  Type acc = accumulatorType(elem);
  unsigned rank = rankOf(in.target);
  Value weights = targetWeights(b, in, acc);
  Value classes = b.index(b.dim(in.logProbs, 1));
  Sizes sizes = b.dims(in.target);
  Value losses = b.parallel(
      sizes, acc, {{in.target, b.identity(rank)}, {weights, b.identity(rank)}},
      [&](TensorBuilder &t, ValueRange args) {
        // Targets out of range are ignored ones; they still read somewhere.
        Value last = arith::SubIOp::create(t, classes, t.index(1));
        Value c = t.maxScalar(t.minScalar(t.convert(args[0], t.getIndexType()), last), t.index(0));
        SmallVector<Value> at{linalg::IndexOp::create(t, 0), c};
        for (unsigned i = 1; i < rank; ++i)
          at.push_back(linalg::IndexOp::create(t, i));
        Value p = t.convert(tensor::ExtractOp::create(t, in.logProbs, at), acc);
        Value loss = t.mulScalar(arith::NegFOp::create(t, p), args[1]);
        // Minus infinity times a weight of zero would not be zero.
        Value none =
            arith::CmpFOp::create(t, arith::CmpFPredicate::OEQ, args[1], t.constant(acc, 0));
        return arith::SelectOp::create(t, none, t.constant(acc, 0), loss).getResult();
      });
  if (in.reduction == "none")
    return b.convertElements(losses, elem);
  Value sum = sumAll(b, losses, acc);
  if (in.reduction == "sum")
    return b.convertElements(sum, elem);
  AffineMap id = b.identity(0);
  return b.parallel({}, elem, {{sum, id}, {sumAll(b, weights, acc), id}},
                    [&](TensorBuilder &t, ValueRange args) {
                      return t.convert(t.divScalar(args[0], args[1]), elem);
                    });
}

template <typename OpT>
LogicalResult checkLoss(const OnnxTypeConverter &types, OpT op, Value x, Value target) {
  StringRef reduction = op.getReduction();
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return types.refuse(op, "reduction '" + reduction + "' is not known");
  if (rankOf(x) < 2 || rankOf(target) != rankOf(x) - 1)
    return types.refuse(op, "needs a class for each position: ranks " + Twine(rankOf(x)) + " and " +
                                Twine(rankOf(target)) + " do not fit");
  return success();
}

struct NegativeLogLikelihoodLossLowering : OnnxPattern<onnx::NegativeLogLikelihoodLossOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::NegativeLogLikelihoodLossOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getInput(), target = adaptor.getTarget();
    if (failed(checkLoss(types(), op, x, target)))
      return failure();
    LossInputs in{x,
                  target,
                  onnx::isNone(op.getWeight()) ? Value() : adaptor.getWeight(),
                  {},
                  op.getReduction()};
    if (auto ignored = op.getIgnoreIndex())
      in.ignored = static_cast<int64_t>(*ignored);
    replaceOp(rewriter, types(), op, {buildLoss(b, in, getElementTypeOrSelf(x.getType()))});
    return success();
  }
};

struct SoftmaxCrossEntropyLossLowering : OnnxPattern<onnx::SoftmaxCrossEntropyLossOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::SoftmaxCrossEntropyLossOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getScores(), target = adaptor.getLabels();
    if (failed(checkLoss(types(), op, x, target)))
      return failure();
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    Value logProbs = buildLogSoftmax(b, x, 1, acc, acc);
    LossInputs in{logProbs,
                  target,
                  onnx::isNone(op.getWeights()) ? Value() : adaptor.getWeights(),
                  {},
                  op.getReduction()};
    if (auto ignored = op.getIgnoreIndex())
      in.ignored = static_cast<int64_t>(*ignored);
    Value shown;
    if (!isa<NoneType>(op.getLogProb().getType()))
      shown = b.convertElements(logProbs, elem);
    replaceOp(rewriter, types(), op, {buildLoss(b, in, elem), shown});
    return success();
  }
};

} // namespace

void populateLossPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<NegativeLogLikelihoodLossLowering, SoftmaxCrossEntropyLossLowering>(patterns, types);
}

} // namespace onnxc
