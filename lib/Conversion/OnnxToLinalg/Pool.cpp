//===- Pool.cpp - Pooling -------------------------------------------------===//
//
// Windowed pooling is one reduction whose tap loops get their bounds from an empty
// tensor of the kernel's shape, over the padded input. Global pooling reduces over the
// collapsed spatial dimensions.
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

/// The loops [n, c, out..., taps...] over a padded input.
struct PoolLoops {
  unsigned loops;
  Sizes sizes;
  AffineMap out, in, taps;
};

PoolLoops poolLoops(TensorBuilder &b, Value x, const Window &w) {
  unsigned s = w.rank();
  PoolLoops l;
  l.loops = 2 + 2 * s;
  l.sizes = {b.dim(x, 0), b.dim(x, 1)};
  l.sizes.append(w.out);
  SmallVector<unsigned> out{0, 1}, taps;
  SmallVector<AffineExpr> in{b.getAffineDimExpr(0), b.getAffineDimExpr(1)};
  for (unsigned i = 0; i < s; ++i) {
    out.push_back(2 + i);
    taps.push_back(2 + s + i);
    in.push_back(b.getAffineDimExpr(2 + i) * w.strides[i] +
                 b.getAffineDimExpr(2 + s + i) * w.dilations[i]);
  }
  l.out = b.mapDims(l.loops, out);
  l.taps = b.mapDims(l.loops, taps);
  l.in = b.map(l.loops, in);
  return l;
}

Value poolReduce(TensorBuilder &b, Value x, const Window &w, Value padValue, Value init,
                 TensorBuilder::ScalarFn body) {
  PoolLoops l = poolLoops(b, x, w);
  Value padded = padForWindow(b, x, w, padValue);
  Value taps = b.empty(w.kernel, getElementTypeOrSelf(x.getType()));
  return b.reduce(l.sizes, l.out, init, {{padded, l.in}, {taps, l.taps}}, body);
}

Sizes kernelSizes(TensorBuilder &b, ArrayRef<int64_t> kernel) {
  Sizes sizes;
  for (int64_t k : kernel)
    sizes.push_back(b.fixed(k));
  return sizes;
}

template <typename OpT>
FailureOr<Window> poolWindow(TensorBuilder &b, const OnnxTypeConverter &types, OpT op, Value x, Type type) {
  WindowAttrs attrs{op.getAutoPad(), op.getStrides(), op.getDilations(), op.getPads(),
                    op.getCeilMode() != 0};
  return resolveWindow(b, types, op, x, kernelSizes(b, op.getKernelShape()), attrs, type);
}

/// The larger one; a NaN is not larger. One instruction, unlike a maximum that keeps NaNs.
Value larger(TensorBuilder &t, Value best, Value v, bool isUnsigned) {
  if (!isa<FloatType>(v.getType()))
    return t.maxScalar(best, v, isUnsigned);
  Value more = arith::CmpFOp::create(t, arith::CmpFPredicate::OGT, v, best);
  return arith::SelectOp::create(t, more, v, best);
}

struct MaxPoolLowering : OnnxPattern<onnx::MaxPoolOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::MaxPoolOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Type type = types().convertTensor(op.getY().getType());
    Value x = adaptor.getX();
    auto window = poolWindow(b, types(), op, x, type);
    if (failed(window))
      return failure();
    bool isUnsigned = getElementTypeOrSelf(op.getX().getType()).isUnsignedInteger();
    Type elem = getElementTypeOrSelf(type);
    if (isa<NoneType>(op.getIndices().getType())) {
      Type acc = accumulatorType(elem);
      Value y = poolReduce(b, x, *window, b.lowest(elem, isUnsigned), b.lowest(acc, isUnsigned),
                           [&](TensorBuilder &t, ValueRange args) {
                             return larger(t, args[2], t.convert(args[0], acc), isUnsigned);
                           });
      y = b.convertElements(y, elem);
      replaceOp(rewriter, types(), op, {y, Value()});
      return success();
    }
    auto results = withIndices(b, x, *window, op.getStorageOrder() != 0, isUnsigned);
    replaceOp(rewriter, types(), op, results);
    return success();
  }

  /// The first maximum of each window and its position in the flattened input.
  static SmallVector<Value> withIndices(TensorBuilder &b, Value x, const Window &w,
                                        bool columnMajor, bool isUnsigned) {
    PoolLoops l = poolLoops(b, x, w);
    unsigned s = w.rank();
    Type elem = getElementTypeOrSelf(x.getType());
    Value least = b.lowest(elem, isUnsigned);
    Value padded = padForWindow(b, x, w, least);
    Value taps = b.empty(w.kernel, elem);
    SmallVector<Value> low, size;
    for (unsigned i = 0; i < s; ++i) {
      low.push_back(b.index(w.low[i]));
      size.push_back(b.index(b.dim(x, i + 2)));
    }
    Value channels = b.index(b.dim(x, 1));
    auto body = [&](TensorBuilder &t, ValueRange args) -> SmallVector<Value> {
      auto loop = [&](unsigned i) { return linalg::IndexOp::create(t, i).getResult(); };
      auto mulAdd = [&](Value v, Value factor, Value term) {
        return arith::AddIOp::create(t, arith::MulIOp::create(t, v, factor), term).getResult();
      };
      // Only positions inside the input count, although the padding could tie.
      SmallVector<Value> at;
      Value inside;
      for (unsigned i = 0; i < s; ++i) {
        Value p = arith::MulIOp::create(t, loop(2 + i), t.index(w.strides[i]));
        p = mulAdd(loop(2 + s + i), t.index(w.dilations[i]), p);
        p = arith::SubIOp::create(t, p, low[i]);
        Value fits = arith::CmpIOp::create(t, arith::CmpIPredicate::ult, p, size[i]);
        inside = inside ? arith::AndIOp::create(t, inside, fits).getResult() : fits;
        at.push_back(p);
      }
      Value flat = mulAdd(loop(0), channels, loop(1));
      for (unsigned i = 0; i < s; ++i)
        flat = arith::MulIOp::create(t, flat, size[i]);
      Value offset;
      for (unsigned i = 0; i < s; ++i) {
        unsigned d = columnMajor ? s - 1 - i : i;
        offset = offset ? mulAdd(offset, size[d], at[d]) : at[d];
      }
      flat = arith::AddIOp::create(t, flat, offset);
      Value position = t.convert(flat, t.getI64Type());
      Value best = args[2], bestAt = args[3];
      Value none = arith::CmpIOp::create(t, arith::CmpIPredicate::slt, bestAt,
                                         t.intConstant(t.getI64Type(), 0));
      Value more;
      if (isa<FloatType>(elem))
        more = arith::CmpFOp::create(t, arith::CmpFPredicate::OGT, args[0], best);
      else
        more = arith::CmpIOp::create(
            t, isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, args[0], best);
      Value take = arith::AndIOp::create(t, inside, arith::OrIOp::create(t, none, more));
      return {arith::SelectOp::create(t, take, args[0], best),
              arith::SelectOp::create(t, take, position, bestAt)};
    };
    return reduceTwo(b, l, padded, taps, least, body);
  }

  static SmallVector<Value> reduceTwo(TensorBuilder &b, const PoolLoops &l, Value padded,
                                      Value taps, Value least, TensorBuilder::BodyFn body) {
    Value none = b.intConstant(b.getI64Type(), -1);
    return b.reduceMany(l.sizes, l.out, {least, none}, {{padded, l.in}, {taps, l.taps}}, body);
  }
};

/// The number of taps of each window along one dimension that lie in [0, limit) of the input
/// shifted by `low`, as a 1-d tensor of floats.
Value tapCounts(TensorBuilder &b, const Window &w, int64_t i, OpFoldResult begin,
                OpFoldResult end, Type acc) {
  Value kernel = b.index(w.kernel[i]), low = b.index(begin), high = b.index(end);
  return b.parallel({w.out[i]}, acc, {}, [&](TensorBuilder &t, ValueRange) {
    Value start = arith::MulIOp::create(t, linalg::IndexOp::create(t, 0), t.index(w.strides[i]));
    Value dilation = t.index(w.dilations[i]), zero = t.index(0);
    // Taps k with low <= start + k * dilation < high.
    auto firstFrom = [&](Value limit) -> Value {
      Value d = arith::SubIOp::create(t, limit, start);
      Value k = arith::CeilDivSIOp::create(t, d, dilation);
      k = arith::MaxSIOp::create(t, k, zero);
      return arith::MinSIOp::create(t, k, kernel);
    };
    Value count = arith::SubIOp::create(t, firstFrom(high), firstFrom(low));
    return t.convert(count, acc);
  });
}

struct AveragePoolLowering : OnnxPattern<onnx::AveragePoolOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::AveragePoolOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Type type = types().convertTensor(op.getType());
    Value x = adaptor.getX();
    auto window = poolWindow(b, types(), op, x, type);
    if (failed(window))
      return failure();
    Type elem = getElementTypeOrSelf(type), acc = accumulatorType(elem);
    Value sum = poolReduce(b, x, *window, b.constant(elem, 0), b.constant(acc, 0),
                           [&](TensorBuilder &t, ValueRange args) {
                             return t.addScalar(args[2], t.convert(args[0], acc));
                           });
    // Along dimensions where no window leaves what counts, the divisor is the kernel's size.
    int64_t s = window->rank();
    Sizes sizes = b.dims(sum);
    SmallVector<Access> ins{{sum, b.identity(2 + s)}};
    double constantCount = 1;
    for (int64_t i = 0; i < s; ++i) {
      OpFoldResult low = window->low[i], inEnd = b.add(low, b.dim(x, i + 2));
      bool includePad = op.getCountIncludePad() != 0;
      // Windows that reach beyond the declared padding come from ceil_mode and do not count.
      bool noPadding = isConstantIntValue(low, 0) && isConstantIntValue(window->high[i], 0);
      bool whole = noPadding || (includePad && !op.getCeilMode());
      if (whole) {
        constantCount *= op.getKernelShape()[i];
        continue;
      }
      OpFoldResult begin = low, end = inEnd;
      if (includePad) {
        begin = b.fixed(0);
        end = b.add(inEnd, window->declaredHigh[i]);
      }
      ins.push_back({tapCounts(b, *window, i, begin, end, acc),
                     b.mapDims(2 + s, {static_cast<unsigned>(2 + i)})});
    }
    Value y = b.parallel(sizes, elem, ins, [&](TensorBuilder &t, ValueRange args) {
      Value count = t.constant(acc, constantCount);
      for (Value c : args.drop_front())
        count = t.mulScalar(count, c);
      return t.convert(t.divScalar(args[0], count), elem);
    });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

/// |v| to the power p.
Value powAbs(TensorBuilder &t, Value v, int64_t p) {
  Value a = math::AbsFOp::create(t, v);
  if (p == 1)
    return a;
  if (p == 2)
    return t.mulScalar(v, v);
  return math::PowFOp::create(t, a, t.constant(v.getType(), static_cast<double>(p)));
}

Value root(TensorBuilder &t, Value v, int64_t p) {
  if (p == 1)
    return v;
  if (p == 2)
    return math::SqrtOp::create(t, v);
  return math::PowFOp::create(t, v, t.constant(v.getType(), 1.0 / static_cast<double>(p)));
}

struct LpPoolLowering : OnnxPattern<onnx::LpPoolOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::LpPoolOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Type type = types().convertTensor(op.getType());
    Value x = adaptor.getX();
    auto window = poolWindow(b, types(), op, x, type);
    if (failed(window))
      return failure();
    Type elem = getElementTypeOrSelf(type), acc = accumulatorType(elem);
    int64_t p = op.getP();
    Value sum = poolReduce(b, x, *window, b.constant(elem, 0), b.constant(acc, 0),
                           [&](TensorBuilder &t, ValueRange args) {
                             return t.addScalar(args[2], powAbs(t, t.convert(args[0], acc), p));
                           });
    Value y = b.unary(sum, elem, [&](TensorBuilder &t, ValueRange args) {
      return t.convert(root(t, args[0], p), elem);
    });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

/// Reduces [N, C, spatial...] over its collapsed positions and finishes each sum.
template <typename OpT> struct GlobalPoolLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = this->types().convertTensor(op.getType());
    Type elem = type.getElementType(), acc = accumulatorType(elem);
    Value x = adaptor.getX();
    int64_t rank = type.getRank();
    if (rank < 3)
      return this->refuse(op, "needs an input of rank 3 or more, but its rank is " + Twine(rank));
    ReassociationIndices spatial;
    SmallVector<int64_t> ones;
    for (int64_t i = 2; i < rank; ++i) {
      spatial.push_back(i);
      ones.push_back(i);
    }
    Value flat = b.collapse(x, {{0}, {1}, spatial});
    constexpr bool isMax = std::is_same_v<OpT, onnx::GlobalMaxPoolOp>;
    Value init = isMax ? b.lowest(acc, false) : b.constant(acc, 0);
    int64_t p = 1;
    if constexpr (std::is_same_v<OpT, onnx::GlobalLpPoolOp>)
      p = op.getP();
    Value sum = b.reduceAxes(flat, {2}, init, [&](TensorBuilder &t, ValueRange args) {
      Value v = t.convert(args[0], acc);
      if constexpr (isMax)
        return t.maxScalar(args[1], v);
      else if constexpr (std::is_same_v<OpT, onnx::GlobalLpPoolOp>)
        return t.addScalar(args[1], powAbs(t, v, p));
      else
        return t.addScalar(args[1], v);
    });
    Value count = b.index(b.dim(flat, 2));
    Value y = b.unary(sum, elem, [&](TensorBuilder &t, ValueRange args) {
      Value v = args[0];
      if constexpr (std::is_same_v<OpT, onnx::GlobalAveragePoolOp>)
        v = t.divScalar(v, t.convert(count, acc));
      else if constexpr (std::is_same_v<OpT, onnx::GlobalLpPoolOp>)
        v = root(t, v, p);
      return t.convert(v, elem);
    });
    replaceOp(rewriter, this->types(), op, {b.unsqueeze(y, ones)});
    return success();
  }
};

} // namespace

void populatePoolPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<MaxPoolLowering, AveragePoolLowering, LpPoolLowering,
               GlobalPoolLowering<onnx::GlobalAveragePoolOp>,
               GlobalPoolLowering<onnx::GlobalMaxPoolOp>,
               GlobalPoolLowering<onnx::GlobalLpPoolOp>>(patterns, types);
}

} // namespace onnxc
