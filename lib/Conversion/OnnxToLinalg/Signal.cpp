//===- Signal.cpp - Window functions and MelWeightMatrix ------------------===//
//
// Tensors computed from their indices alone.
//
//===----------------------------------------------------------------------===//
#include "TensorBuilder.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;

namespace onnxc {
namespace {

/// a0 + a1 cos(2 pi n / N) + a2 cos(4 pi n / N).
template <typename OpT> struct WindowLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;

  static constexpr std::array<double, 3> coefficients() {
    if constexpr (std::is_same_v<OpT, onnx::HannWindowOp>)
      return {0.5, -0.5, 0};
    if constexpr (std::is_same_v<OpT, onnx::HammingWindowOp>)
      return {25.0 / 46.0, -21.0 / 46.0, 0};
    return {0.42, -0.5, 0.08};
  }

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    auto read = readShapeTensor(b, op.getLoc(), op.getSize(), adaptor.getSize());
    if (!read || read->size() != 1)
      return this->refuse(op, "needs a scalar size");
    RankedTensorType type = this->types().convertTensor(op.getType());
    bool isUnsigned = onnxElem(op.getType()).isUnsignedInteger();
    Sizes sizes = b.refine(Sizes{read->front()}, type);
    Type f64 = b.getF64Type();
    Value period = b.convert(b.index(read->front()), f64);
    if (!op.getPeriodic())
      period = b.subScalar(period, b.constant(f64, 1));
    auto a = coefficients();
    Value y = b.parallel(sizes, type.getElementType(), {}, [&](TensorBuilder &t, ValueRange) {
      Value n = t.convert(linalg::IndexOp::create(t, 0), f64);
      Value angle = t.divScalar(t.mulScalar(n, t.constant(f64, 2 * std::numbers::pi)), period);
      Value v = t.mulScalar(t.constant(f64, a[1]), math::CosOp::create(t, angle));
      v = t.addScalar(t.constant(f64, a[0]), v);
      if (a[2] != 0) {
        Value twice = math::CosOp::create(t, t.addScalar(angle, angle));
        v = t.addScalar(v, t.mulScalar(t.constant(f64, a[2]), twice));
      }
      return t.convert(v, type.getElementType(), isUnsigned);
    });
    replaceOp(rewriter, this->types(), op, {y});
    return success();
  }
};

struct MelWeightMatrixLowering : OnnxPattern<onnx::MelWeightMatrixOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::MelWeightMatrixOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    auto bins = readShapeTensor(b, op.getLoc(), op.getNumMelBins(), adaptor.getNumMelBins());
    auto length = readShapeTensor(b, op.getLoc(), op.getDftLength(), adaptor.getDftLength());
    if (!bins || bins->size() != 1 || !length || length->size() != 1)
      return refuse(op, "needs scalar num_mel_bins and dft_length");
    RankedTensorType type = types().convertTensor(op.getType());
    Type elem = type.getElementType(), f64 = b.getF64Type();
    bool isUnsigned = onnxElem(op.getType()).isUnsignedInteger();
    OpFoldResult half = b.floorDiv(length->front(), b.fixed(2));
    Sizes sizes = b.refine(Sizes{b.add(half, b.fixed(1)), bins->front()}, type);

    auto scalar = [&](Value v) { return b.convert(b.extract(v), f64); };
    auto num = [&](double v) { return b.constant(f64, v); };
    auto mel = [&](Value hertz) {
      Value x = b.addScalar(num(1), b.divScalar(hertz, num(700)));
      return b.mulScalar(num(2595), math::Log10Op::create(b, x));
    };
    Value low = mel(scalar(adaptor.getLowerEdgeHertz()));
    Value high = mel(scalar(adaptor.getUpperEdgeHertz()));
    Value rate = scalar(adaptor.getSampleRate());
    Value points = b.convert(b.index(b.add(bins->front(), b.fixed(2))), f64);
    Value step = b.divScalar(b.subScalar(high, low), points);
    Value scale = b.convert(b.index(b.add(length->front(), b.fixed(1))), f64);

    Value y = b.parallel(sizes, elem, {}, [&](TensorBuilder &t, ValueRange) -> Value {
      Value j = t.convert(linalg::IndexOp::create(t, 0), f64);
      Value i = t.convert(linalg::IndexOp::create(t, 1), f64);
      auto c = [&](double v) { return t.constant(f64, v); };
      auto is = [&](arith::CmpFPredicate p, Value x, Value z) -> Value {
        return arith::CmpFOp::create(t, p, x, z);
      };
      // The spectrogram bin of the mel point i + k.
      auto bin = [&](double k) -> Value {
        Value m = t.addScalar(t.mulScalar(t.addScalar(i, c(k)), step), low);
        Value hertz = math::PowFOp::create(t, c(10), t.divScalar(m, c(2595)));
        hertz = t.mulScalar(c(700), t.subScalar(hertz, c(1)));
        return math::FloorOp::create(t, t.divScalar(t.mulScalar(scale, hertz), rate));
      };
      using P = arith::CmpFPredicate;
      Value lower = bin(0), center = bin(1), upper = bin(2);
      Value rising = t.divScalar(t.subScalar(j, lower), t.subScalar(center, lower));
      Value onRise = arith::AndIOp::create(t, is(P::OGE, j, lower), is(P::OLE, j, center));
      Value v = arith::SelectOp::create(t, onRise, rising, c(0));
      Value peak = arith::SelectOp::create(t, is(P::OEQ, j, center), c(1), c(0));
      v = arith::SelectOp::create(t, is(P::OEQ, lower, center), peak, v);
      Value falling = t.divScalar(t.subScalar(upper, j), t.subScalar(upper, center));
      Value onFall = arith::AndIOp::create(t, is(P::OGE, j, center), is(P::OLT, j, upper));
      v = arith::SelectOp::create(t, onFall, falling, v);
      return t.convert(v, elem, isUnsigned);
    });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateSignalPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<WindowLowering<onnx::HannWindowOp>, WindowLowering<onnx::HammingWindowOp>,
              WindowLowering<onnx::BlackmanWindowOp>, MelWeightMatrixLowering>(patterns, types);
}

} // namespace onnxc
