//===- Recurrent.cpp - LSTM, GRU and RNN ----------------------------------===//
//
// Reads the operators' operands and attributes; the loop is in RecurrentLoop.cpp.
//
//===----------------------------------------------------------------------===//
#include "Recurrent.h"
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

template <typename OpT> struct RecurrentLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;
  static constexpr CellKind kind = std::is_same_v<OpT, onnx::LSTMOp>  ? CellKind::LSTM
                                   : std::is_same_v<OpT, onnx::GRUOp> ? CellKind::GRU
                                                                      : CellKind::RNN;

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    auto given = [](Value original, Value converted) {
      return onnx::isNone(original) ? Value() : converted;
    };
    StringRef direction = op.getDirection();
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
      return this->refuse(op, "direction '" + direction + "' is not known");
    Value w = adaptor.getW(), recurrent = adaptor.getR();
    Recurrence r;
    r.kind = kind;
    r.direction = direction;
    r.x = adaptor.getX();
    r.elem = getElementTypeOrSelf(r.x.getType());
    r.acc = accumulatorType(r.elem);
    r.bias = given(op.getB(), adaptor.getB());
    r.sequenceLens = given(op.getSequenceLens(), adaptor.getSequenceLens());
    r.initialH = given(op.getInitialH(), adaptor.getInitialH());
    r.hidden = b.dim(recurrent, 2);
    if (auto size = op.getHiddenSize())
      r.hidden = b.fixed(*size);
    r.batchFirst = op.getLayout() != 0;
    if (auto clip = op.getClip())
      r.clip = clip->convertToFloat();
    r.wantsSequence = !isa<NoneType>(op.getY().getType());
    if constexpr (kind == CellKind::LSTM) {
      r.initialC = given(op.getInitialC(), adaptor.getInitialC());
      r.peepholes = given(op.getP(), adaptor.getP());
      r.inputForget = op.getInputForget() != 0;
    }
    if constexpr (kind == CellKind::GRU)
      r.linearBeforeReset = op.getLinearBeforeReset() != 0;
    std::optional<ArrayAttr> names = op.getActivations();
    auto activations =
        resolveActivations(this->types(), op, kind, r.directions(), names,
                           op.getActivationAlpha(), op.getActivationBeta());
    if (failed(activations))
      return failure();
    r.activations = *activations;

    Type acc = r.acc;
    r.project = [&](TensorBuilder &t, Value x, int64_t d) {
      return buildGemm(t, x, false, takeFirst(t, w, t.fixed(d)), true, {acc, acc});
    };
    r.recur = [&](TensorBuilder &t, Value h, int64_t d, int64_t first, int64_t count) {
      Value weights = takeFirst(t, recurrent, t.fixed(d));
      if (count != r.gates())
        weights = t.slice(weights, {t.mul(r.hidden, t.fixed(first)), t.fixed(0)},
                          {t.mul(r.hidden, t.fixed(count)), r.hidden});
      return buildGemm(t, h, false, weights, true, {acc, acc});
    };
    RecurrentResults results = buildRecurrence(b, r);
    auto wanted = [](Value v, Value result) {
      return isa<NoneType>(result.getType()) ? Value() : v;
    };
    SmallVector<Value> values{results.sequence, wanted(results.lastH, op.getYH())};
    if constexpr (kind == CellKind::LSTM)
      values.push_back(wanted(results.lastC, op.getYC()));
    replaceOp(rewriter, this->types(), op, values);
    return success();
  }
};

} // namespace

void populateRecurrentPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<RecurrentLowering<onnx::LSTMOp>, RecurrentLowering<onnx::GRUOp>,
              RecurrentLowering<onnx::RNNOp>>(patterns, types);
}

} // namespace onnxc
