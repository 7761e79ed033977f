//===- Training.cpp - Adagrad, Adam and Momentum --------------------------===//
//
// Optimiser steps: elementwise updates of each tensor from its gradient and state.
// The inputs come as all tensors, then all gradients, then each kind of state.
//
//===----------------------------------------------------------------------===//
#include "TensorBuilder.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

/// One elementwise loop nest over tensors of equal shape.
Value zip(TensorBuilder &b, ValueRange tensors, TensorBuilder::ScalarFn body) {
  Sizes sizes = b.dims(tensors.front());
  SmallVector<Access> ins;
  for (Value v : tensors)
    ins.push_back({v, b.identity(sizes.size())});
  return b.parallel(sizes, getElementTypeOrSelf(tensors.front().getType()), ins, body);
}

/// The gradient with the regularisation of the tensor's size.
Value regularised(TensorBuilder &t, Value x, Value g, double norm) {
  return t.addScalar(t.mulScalar(t.constant(x.getType(), norm), x), g);
}

/// R converted to the element type of each tensor.
Value rateOf(TensorBuilder &b, Value rate, Type elem) { return b.convert(b.extract(rate), elem); }

template <typename OpT> struct TrainingLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;

  /// Tensors come in this many kinds (X, G and states).
  static constexpr size_t kinds = std::is_same_v<OpT, onnx::TrainingAdamOp> ? 4 : 3;

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    ValueRange inputs = adaptor.getInputs();
    if (inputs.empty() || inputs.size() % kinds != 0)
      return this->refuse(op, "has " + Twine(inputs.size()) + " tensors, expected a multiple of " +
                                  Twine(kinds));
    size_t count = inputs.size() / kinds;
    SmallVector<Value> results(count * (kinds - 1));
    for (size_t i = 0; i < count; ++i) {
      SmallVector<Value> tensors;
      for (size_t k = 0; k < kinds; ++k)
        tensors.push_back(inputs[k * count + i]);
      SmallVector<Value> updated =
          update(b, op, rateOf(b, adaptor.getR(), getElementTypeOrSelf(tensors[0].getType())),
                 b.extract(adaptor.getT()), tensors);
      for (auto [k, v] : llvm::enumerate(updated))
        results[k * count + i] = v;
    }
    replaceOp(rewriter, this->types(), op, results);
    return success();
  }

  static SmallVector<Value> update(TensorBuilder &b, onnx::TrainingAdagradOp op, Value rate,
                                   Value step, ArrayRef<Value> in) {
    Type f = rate.getType();
    double norm = op.getNormCoefficient().convertToDouble();
    double decay = op.getDecayFactor().convertToDouble();
    double epsilon = op.getEpsilon().convertToDouble();
    Value slow = b.mulScalar(b.convert(step, f), b.constant(f, decay));
    rate = b.divScalar(rate, b.addScalar(slow, b.constant(f, 1)));
    Value squares = zip(b, {in[0], in[1], in[2]}, [&](TensorBuilder &t, ValueRange args) {
      Value g = regularised(t, args[0], args[1], norm);
      return t.addScalar(args[2], t.mulScalar(g, g));
    });
    Value x = zip(b, {in[0], in[1], squares}, [&](TensorBuilder &t, ValueRange args) {
      Value g = regularised(t, args[0], args[1], norm);
      Value root = t.addScalar(math::SqrtOp::create(t, args[2]), t.constant(f, epsilon));
      return t.subScalar(args[0], t.divScalar(t.mulScalar(rate, g), root));
    });
    return {x, squares};
  }

  static SmallVector<Value> update(TensorBuilder &b, onnx::TrainingAdamOp op, Value rate,
                                   Value step, ArrayRef<Value> in) {
    Type f = rate.getType();
    double alpha = op.getAlpha().convertToDouble(), beta = op.getBeta().convertToDouble();
    double norm = op.getNormCoefficient().convertToDouble();
    double normPost = op.getNormCoefficientPost().convertToDouble();
    double epsilon = op.getEpsilon().convertToDouble();
    auto blend = [&](TensorBuilder &t, Value old, Value now, double keep) {
      return t.addScalar(t.mulScalar(t.constant(f, keep), old),
                         t.mulScalar(t.constant(f, 1 - keep), now));
    };
    Value first = zip(b, {in[0], in[1], in[2]}, [&](TensorBuilder &t, ValueRange args) {
      return blend(t, args[2], regularised(t, args[0], args[1], norm), alpha);
    });
    Value second = zip(b, {in[0], in[1], in[3]}, [&](TensorBuilder &t, ValueRange args) {
      Value g = regularised(t, args[0], args[1], norm);
      return blend(t, args[2], t.mulScalar(g, g), beta);
    });
    // The rate is corrected for the moments' start at zero, except at step 0.
    Value one = b.constant(f, 1), steps = b.convert(step, f);
    Value betaPower = math::PowFOp::create(b, b.constant(f, beta), steps);
    Value alphaPower = math::PowFOp::create(b, b.constant(f, alpha), steps);
    Value root = math::SqrtOp::create(b, b.subScalar(one, betaPower));
    Value corrected = b.divScalar(b.mulScalar(rate, root), b.subScalar(one, alphaPower));
    Value started =
        arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, step, b.intConstant(step.getType(), 0));
    rate = arith::SelectOp::create(b, started, corrected, rate);
    Value x = zip(b, {in[0], first, second}, [&](TensorBuilder &t, ValueRange args) {
      Value root = t.addScalar(math::SqrtOp::create(t, args[2]), t.constant(f, epsilon));
      Value v = t.subScalar(args[0], t.divScalar(t.mulScalar(rate, args[1]), root));
      return t.mulScalar(t.constant(f, 1 - normPost), v);
    });
    return {x, first, second};
  }

  static SmallVector<Value> update(TensorBuilder &b, onnx::TrainingMomentumOp op, Value rate,
                                   Value step, ArrayRef<Value> in) {
    Type f = rate.getType();
    double alpha = op.getAlpha().convertToDouble(), beta = op.getBeta().convertToDouble();
    double norm = op.getNormCoefficient().convertToDouble();
    bool nesterov = op.getMode() == "nesterov";
    Value started =
        arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, step, b.intConstant(step.getType(), 0));
    Value factor = arith::SelectOp::create(b, started, b.constant(f, beta), b.constant(f, 1));
    Value momentum = zip(b, {in[0], in[1], in[2]}, [&](TensorBuilder &t, ValueRange args) {
      Value g = t.mulScalar(factor, regularised(t, args[0], args[1], norm));
      return t.addScalar(t.mulScalar(t.constant(f, alpha), args[2]), g);
    });
    Value x = zip(b, {in[0], in[1], momentum}, [&](TensorBuilder &t, ValueRange args) {
      Value change = args[2];
      if (nesterov)
        change = t.addScalar(regularised(t, args[0], args[1], norm),
                             t.mulScalar(t.constant(f, alpha), args[2]));
      return t.subScalar(args[0], t.mulScalar(rate, change));
    });
    return {x, momentum};
  }
};

} // namespace

void populateTrainingPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<TrainingLowering<onnx::TrainingAdagradOp>, TrainingLowering<onnx::TrainingAdamOp>,
              TrainingLowering<onnx::TrainingMomentumOp>>(patterns, types);
}

} // namespace onnxc
