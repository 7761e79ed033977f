//===- Normalization.cpp - Normalisations ---------------------------------===//
//
// Statistics are two-pass (mean, then squared distances) in f32 or wider. Each
// operator is reductions followed by one elementwise loop nest.
//
//===----------------------------------------------------------------------===//
#include "Normalization.h"
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {

static SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  return llvm::to_vector(llvm::seq(first, rank));
}

/// Sum over axes divided by the number of elements summed.
static Value average(TensorBuilder &b, Value sum, Value x, ArrayRef<int64_t> axes) {
  Sizes reduced;
  for (int64_t a : axes)
    reduced.push_back(b.dim(x, a));
  Value count = b.index(b.product(reduced));
  Type acc = getElementTypeOrSelf(sum.getType());
  return b.unary(sum, acc, [&](TensorBuilder &t, ValueRange args) {
    return t.divScalar(args[0], t.convert(count, acc));
  });
}

static Value meanOver(TensorBuilder &b, Value x, ArrayRef<int64_t> axes, Type acc) {
  Value sum = b.reduceAxes(x, axes, b.constant(acc, 0), [&](TensorBuilder &t, ValueRange args) {
    return t.addScalar(args[1], t.convert(args[0], acc));
  });
  return average(b, sum, x, axes);
}

Moments buildMoments(TensorBuilder &b, Value x, ArrayRef<int64_t> axes, Type acc) {
  unsigned rank = rankOf(x);
  Value mean = meanOver(b, x, axes, acc);
  AffineMap row = b.dropAxes(rank, axes);
  Value squares = b.reduce(b.dims(mean), row, b.constant(acc, 0),
                           {{x, b.identity(rank)}, {mean, row}},
                           [&](TensorBuilder &t, ValueRange args) {
                             Value d = t.subScalar(t.convert(args[0], acc), args[1]);
                             return t.addScalar(args[2], t.mulScalar(d, d));
                           });
  return {mean, average(b, squares, x, axes)};
}

namespace {

Value inverseRoot(TensorBuilder &b, Value variance, double epsilon) {
  Type acc = getElementTypeOrSelf(variance.getType());
  return b.unary(variance, acc, [&](TensorBuilder &t, ValueRange args) -> Value {
    return math::RsqrtOp::create(t, t.addScalar(args[0], t.constant(acc, epsilon)));
  });
}

/// (x - mean) * inverse * scale + bias; `scale` and `bias` may be absent (null).
Value applyMoments(TensorBuilder &b, Value x, Access mean, Access inverse, Access scale,
                   Access bias, Type acc, Type elem) {
  Sizes sizes = b.dims(x);
  SmallVector<Access> ins{{x, b.identity(sizes.size())}, mean, inverse};
  if (scale.tensor)
    ins.push_back(scale);
  if (bias.tensor)
    ins.push_back(bias);
  return b.parallel(sizes, elem, ins, [&](TensorBuilder &t, ValueRange args) {
    Value v = t.mulScalar(t.subScalar(t.convert(args[0], acc), args[1]), args[2]);
    unsigned next = 3;
    if (scale.tensor)
      v = t.mulScalar(v, t.convert(args[next++], acc));
    if (bias.tensor)
      v = t.addScalar(v, t.convert(args[next], acc));
    return t.convert(v, elem);
  });
}

struct BatchNormalizationLowering : OnnxPattern<onnx::BatchNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::BatchNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX(), mean = adaptor.getInputMean(), variance = adaptor.getInputVar();
    unsigned rank = rankOf(x);
    if (rank < 2)
      return refuse(op, "needs an input with a channel dimension, but its rank is " + Twine(rank));
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    Value runningMean, runningVar;
    if (op.getTrainingMode()) {
      SmallVector<int64_t> axes{0};
      axes.append(axesFrom(2, rank));
      Moments m = buildMoments(b, x, axes, acc);
      double momentum = op.getMomentum().convertToDouble();
      auto blend = [&](Value old, Value now) {
        Type type = getElementTypeOrSelf(old.getType());
        return b.parallel(b.dims(now), type, {{old, b.identity(1)}, {now, b.identity(1)}},
                          [&](TensorBuilder &t, ValueRange args) {
                            Value kept = t.mulScalar(t.convert(args[0], acc),
                                                     t.constant(acc, momentum));
                            Value added = t.mulScalar(args[1], t.constant(acc, 1 - momentum));
                            return t.convert(t.addScalar(kept, added), type);
                          });
      };
      if (!isa<NoneType>(op.getRunningMean().getType()))
        runningMean = blend(mean, m.mean);
      if (!isa<NoneType>(op.getRunningVar().getType()))
        runningVar = blend(variance, m.variance);
      mean = m.mean;
      variance = m.variance;
    } else {
      // Not used in inference, but a model may still ask for them.
      runningMean = isa<NoneType>(op.getRunningMean().getType()) ? Value() : mean;
      runningVar = isa<NoneType>(op.getRunningVar().getType()) ? Value() : variance;
    }
    // Per channel first: x * factor + shift.
    double epsilon = op.getEpsilon().convertToDouble();
    AffineMap id = b.identity(1);
    Sizes channels{b.dim(x, 1)};
    Value factor = b.parallel(channels, acc, {{adaptor.getScale(), id}, {variance, id}},
                              [&](TensorBuilder &t, ValueRange args) {
                                Value v = t.convert(args[1], acc);
                                v = t.addScalar(v, t.constant(acc, epsilon));
                                Value root = math::SqrtOp::create(t, v);
                                return t.divScalar(t.convert(args[0], acc), root);
                              });
    Value shift = b.parallel(channels, acc, {{adaptor.getB(), id}, {mean, id}, {factor, id}},
                             [&](TensorBuilder &t, ValueRange args) {
                               Value m = t.mulScalar(t.convert(args[1], acc), args[2]);
                               return t.subScalar(t.convert(args[0], acc), m);
                             });
    AffineMap channel = b.mapDims(rank, {1});
    Value y = b.parallel(b.dims(x), elem,
                         {{x, b.identity(rank)}, {factor, channel}, {shift, channel}},
                         [&](TensorBuilder &t, ValueRange args) {
                           Value v = t.mulScalar(t.convert(args[0], acc), args[1]);
                           return t.convert(t.addScalar(v, args[2]), elem);
                         });
    replaceOp(rewriter, types(), op, {y, runningMean, runningVar});
    return success();
  }
};

struct LayerNormalizationLowering : OnnxPattern<onnx::LayerNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::LayerNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX();
    int64_t rank = rankOf(x);
    auto axis = normalizeAxis(op.getAxis(), rank);
    if (!axis)
      return refuse(op, "axis is out of range for rank " + Twine(rank));
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    SmallVector<int64_t> axes = axesFrom(*axis, rank);
    Moments m = buildMoments(b, x, axes, acc);
    Value inverse = inverseRoot(b, m.variance, op.getEpsilon().convertToDouble());
    AffineMap row = b.dropAxes(rank, axes);
    Sizes sizes = b.dims(x);
    Access bias;
    if (!onnx::isNone(op.getB()))
      bias = broadcastAccess(b, adaptor.getB(), sizes);
    Value y = applyMoments(b, x, {m.mean, row}, {inverse, row},
                           broadcastAccess(b, adaptor.getScale(), sizes), bias, acc, elem);
    auto statistic = [&](Value v, Value result) -> Value {
      if (isa<NoneType>(result.getType()))
        return {};
      return b.convertElements(b.unsqueeze(v, axes), getElementTypeOrSelf(result.getType()));
    };
    replaceOp(rewriter, types(), op,
              {y, statistic(m.mean, op.getMean()), statistic(inverse, op.getInvStdDev())});
    return success();
  }
};

struct RMSNormalizationLowering : OnnxPattern<onnx::RMSNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::RMSNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX();
    int64_t rank = rankOf(x);
    auto axis = normalizeAxis(op.getAxis(), rank);
    if (!axis)
      return refuse(op, "axis is out of range for rank " + Twine(rank));
    Type acc = accumulatorType(getElementTypeOrSelf(x.getType()));
    Type elem = types().convertTensor(op.getType()).getElementType();
    SmallVector<int64_t> axes = axesFrom(*axis, rank);
    Value squares = b.reduceAxes(x, axes, b.constant(acc, 0),
                                 [&](TensorBuilder &t, ValueRange args) {
                                   Value v = t.convert(args[0], acc);
                                   return t.addScalar(args[1], t.mulScalar(v, v));
                                 });
    Value inverse =
        inverseRoot(b, average(b, squares, x, axes), op.getEpsilon().convertToDouble());
    Sizes sizes = b.dims(x);
    Value y = b.parallel(sizes, elem,
                         {{x, b.identity(rank)},
                          {inverse, b.dropAxes(rank, axes)},
                          broadcastAccess(b, adaptor.getScale(), sizes)},
                         [&](TensorBuilder &t, ValueRange args) {
                           Value v = t.mulScalar(t.convert(args[0], acc), args[1]);
                           v = t.mulScalar(v, t.convert(args[2], acc));
                           return t.convert(v, elem);
                         });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

struct InstanceNormalizationLowering : OnnxPattern<onnx::InstanceNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::InstanceNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getInput();
    unsigned rank = rankOf(x);
    if (rank < 3)
      return refuse(op, "needs an input with spatial dimensions, but its rank is " + Twine(rank));
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    SmallVector<int64_t> axes = axesFrom(2, rank);
    Moments m = buildMoments(b, x, axes, acc);
    Value inverse = inverseRoot(b, m.variance, op.getEpsilon().convertToDouble());
    AffineMap row = b.dropAxes(rank, axes), channel = b.mapDims(rank, {1});
    Value y = applyMoments(b, x, {m.mean, row}, {inverse, row}, {adaptor.getScale(), channel},
                           {adaptor.getB(), channel}, acc, elem);
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

struct GroupNormalizationLowering : OnnxPattern<onnx::GroupNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::GroupNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX();
    int64_t rank = rankOf(x), groups = op.getNumGroups();
    if (rank < 2 || groups < 1)
      return refuse(op, "needs a channel dimension and at least one group");
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    // [N, C, ...] -> [N, G, C / G, ...].
    SmallVector<ReassociationIndices> split{{0}, {1, 2}};
    for (int64_t i = 2; i < rank; ++i)
      split.push_back({i + 1});
    Sizes sizes = b.dims(x);
    OpFoldResult g = b.fixed(groups), each = b.floorDiv(sizes[1], g);
    sizes[1] = g;
    sizes.insert(sizes.begin() + 2, each);
    Value grouped = b.expand(x, split, sizes);
    auto perChannel = [&](Value v) -> Access {
      return {b.expand(v, {{0, 1}}, {g, each}), b.mapDims(rank + 1, {1, 2})};
    };
    SmallVector<int64_t> axes = axesFrom(2, rank + 1);
    Moments m = buildMoments(b, grouped, axes, acc);
    Value inverse = inverseRoot(b, m.variance, op.getEpsilon().convertToDouble());
    AffineMap row = b.dropAxes(rank + 1, axes);
    Value y = applyMoments(b, grouped, {m.mean, row}, {inverse, row},
                           perChannel(adaptor.getScale()), perChannel(adaptor.getBias()), acc,
                           elem);
    replaceOp(rewriter, types(), op, {b.collapse(y, split)});
    return success();
  }
};

struct MeanVarianceNormalizationLowering : OnnxPattern<onnx::MeanVarianceNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::MeanVarianceNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX();
    int64_t rank = rankOf(x);
    SmallVector<int64_t> axes;
    for (int64_t a : op.getAxes()) {
      auto axis = normalizeAxis(a, rank);
      if (!axis)
        return refuse(op, "axis " + Twine(a) + " is out of range for rank " + Twine(rank));
      axes.push_back(*axis);
    }
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    Moments m = buildMoments(b, x, axes, acc);
    Value inverse = b.unary(m.variance, acc, [&](TensorBuilder &t, ValueRange args) {
      Value deviation = math::SqrtOp::create(t, args[0]);
      return t.divScalar(t.constant(acc, 1), t.addScalar(deviation, t.constant(acc, 1e-9)));
    });
    AffineMap row = b.dropAxes(rank, axes);
    Value y = applyMoments(b, x, {m.mean, row}, {inverse, row}, {}, {}, acc, elem);
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

struct LRNLowering : OnnxPattern<onnx::LRNOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::LRNOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX();
    unsigned rank = rankOf(x);
    int64_t size = op.getSize();
    if (rank < 2 || size < 1)
      return refuse(op, "needs a channel dimension and a positive size");
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    Sizes sizes = b.dims(x), low(rank, b.fixed(0)), high = low;
    low[1] = b.fixed((size - 1) / 2);
    high[1] = b.fixed(size / 2);
    Value padded = b.pad(x, low, high, b.constant(elem, 0));
    // Loops: x's, then the window along the channels.
    SmallVector<AffineExpr> exprs;
    for (unsigned i = 0; i < rank; ++i)
      exprs.push_back(b.getAffineDimExpr(i));
    exprs[1] = exprs[1] + b.getAffineDimExpr(rank);
    Value window = b.empty({b.fixed(size)}, elem);
    Value squares = b.reduce(sizes, b.dropAxes(rank + 1, {rank}), b.constant(acc, 0),
                             {{padded, b.map(rank + 1, exprs)},
                              {window, b.mapDims(rank + 1, {rank})}},
                             [&](TensorBuilder &t, ValueRange args) {
                               Value v = t.convert(args[0], acc);
                               return t.addScalar(args[2], t.mulScalar(v, v));
                             });
    double alpha = op.getAlpha().convertToDouble() / static_cast<double>(size);
    double beta = op.getBeta().convertToDouble(), bias = op.getBias().convertToDouble();
    AffineMap id = b.identity(rank);
    Value y = b.parallel(sizes, elem, {{x, id}, {squares, id}},
                         [&](TensorBuilder &t, ValueRange args) {
                           Value s = t.mulScalar(args[1], t.constant(acc, alpha));
                           s = t.addScalar(s, t.constant(acc, bias));
                           Value p = math::PowFOp::create(t, s, t.constant(acc, beta));
                           return t.convert(t.divScalar(t.convert(args[0], acc), p), elem);
                         });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

struct LpNormalizationLowering : OnnxPattern<onnx::LpNormalizationOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::LpNormalizationOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getInput();
    int64_t rank = rankOf(x), p = op.getP();
    auto axis = normalizeAxis(op.getAxis(), rank);
    if (!axis || (p != 1 && p != 2))
      return refuse(op, "needs an axis within the rank and p = 1 or 2");
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    Value sum = b.reduceAxes(x, {*axis}, b.constant(acc, 0),
                             [&](TensorBuilder &t, ValueRange args) {
                               Value v = t.convert(args[0], acc);
                               Value term = p == 1 ? math::AbsFOp::create(t, v).getResult()
                                                   : t.mulScalar(v, v);
                               return t.addScalar(args[1], term);
                             });
    Value norm = sum;
    if (p == 2)
      norm = b.unary(sum, acc, [](TensorBuilder &t, ValueRange args) -> Value {
        return math::SqrtOp::create(t, args[0]);
      });
    Value y = b.parallel(b.dims(x), elem,
                         {{x, b.identity(rank)}, {norm, b.dropAxes(rank, {*axis})}},
                         [&](TensorBuilder &t, ValueRange args) {
                           // A row of zeros stays zero.
                           Value zero = t.constant(acc, 0);
                           Value none = arith::CmpFOp::create(t, arith::CmpFPredicate::OEQ, args[1],
                                                              zero);
                           Value v = t.divScalar(t.convert(args[0], acc), args[1]);
                           return t.convert(arith::SelectOp::create(t, none, zero, v), elem);
                         });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateNormalizationPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<BatchNormalizationLowering, LayerNormalizationLowering, RMSNormalizationLowering,
              InstanceNormalizationLowering, GroupNormalizationLowering,
              MeanVarianceNormalizationLowering, LRNLowering, LpNormalizationLowering>(patterns,
                                                                                       types);
  populateSoftmaxPatterns(patterns, types);
}

} // namespace onnxc
