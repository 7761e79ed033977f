//===- Reduce.cpp - Reduce*, ArgMax and ArgMin ----------------------------===//
//
// Known axes give one reducing generic. Axes that only the run knows give one
// conditional reduction for each dimension of the input.
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "TensorBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace onnxc {
namespace {

enum class ReduceKind { Sum, Mean, Prod, Max, Min, L1, L2, LogSum, LogSumExp, SumSquare };

template <typename OpT> struct KindOf;
#define ONNXC_REDUCE(NAME)                                                                         \
  template <> struct KindOf<onnx::Reduce##NAME##Op> {                                              \
    static constexpr ReduceKind value = ReduceKind::NAME;                                          \
  };
ONNXC_REDUCE(Sum)
ONNXC_REDUCE(Mean)
ONNXC_REDUCE(Prod)
ONNXC_REDUCE(Max)
ONNXC_REDUCE(Min)
ONNXC_REDUCE(L1)
ONNXC_REDUCE(L2)
ONNXC_REDUCE(LogSum)
ONNXC_REDUCE(LogSumExp)
ONNXC_REDUCE(SumSquare)
#undef ONNXC_REDUCE

/// Reduces over a set of axes that is known now, or is one condition a dimension. In the
/// first case reduced tensors lack the axes, in the second they keep them with size one.
class AxesReducer {
public:
  AxesReducer(TensorBuilder &b, Value x) : b(b), sizes(b.dims(x)), rank(sizes.size()) {}

  SmallVector<int64_t> axes;
  SmallVector<Value> conditions;

  Value run(Value t, Value init, TensorBuilder::ScalarFn body) {
    if (conditions.empty())
      return b.reduceAxes(t, axes, init, body);
    Type elem = init.getType();
    auto type = RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic), elem);
    // The body converts each element, so it runs once on all of them also where nothing
    // is reduced; the dimensions' results are then only combined.
    Value one = b.unary(t, elem, [&](TensorBuilder &t, ValueRange args) {
      return body(t, {args[0], init});
    });
    return combine(b.castTo(one, type), init, body);
  }

  /// Reduces what `run`'s body has already converted.
  Value combine(Value current, Value init, TensorBuilder::ScalarFn body) {
    for (int64_t d = 0; d < rank; ++d) {
      auto branch = scf::IfOp::create(
          b, conditions[d],
          [&](OpBuilder &nested, Location loc) {
            TensorBuilder t(loc, nested);
            Value reduced = t.unsqueeze(t.reduceAxes(current, {d}, init, body), {d});
            scf::YieldOp::create(t, t.castTo(reduced, current.getType()));
          },
          [&](OpBuilder &nested, Location loc) { scf::YieldOp::create(nested, loc, current); });
      current = branch.getResult(0);
    }
    return current;
  }

  /// How a loop nest over the input reads a reduced tensor.
  Access broadcast(Value reduced) {
    if (conditions.empty())
      return {reduced, b.dropAxes(rank, axes)};
    Type elem = getElementTypeOrSelf(reduced.getType());
    Value full = b.parallel(sizes, elem, {}, [&](TensorBuilder &t, ValueRange) -> Value {
      SmallVector<Value> at;
      for (int64_t d = 0; d < rank; ++d)
        at.push_back(arith::SelectOp::create(t, conditions[d], t.index(0),
                                             linalg::IndexOp::create(t, d)));
      return tensor::ExtractOp::create(t, reduced, at);
    });
    return {full, b.identity(rank)};
  }

  /// The number of elements that go into one result.
  Value count() {
    if (conditions.empty()) {
      Sizes reduced;
      for (int64_t a : axes)
        reduced.push_back(sizes[a]);
      return b.index(b.product(reduced));
    }
    Value n = b.index(1);
    for (int64_t d = 0; d < rank; ++d) {
      Value size = arith::SelectOp::create(b, conditions[d], b.index(sizes[d]), b.index(1));
      n = arith::MulIOp::create(b, n, size);
    }
    return n;
  }

  Value finish(Value reduced, bool keepDims, RankedTensorType type) {
    if (conditions.empty())
      return b.castTo(keepDims ? b.unsqueeze(reduced, axes) : reduced, type);
    if (keepDims)
      return b.castTo(reduced, type);
    // The kept dimensions move to the front: dimension d to the number of those before it.
    SmallVector<Value> shape(type.getRank(), b.index(0));
    Value position = b.index(0);
    for (int64_t d = 0; d < rank; ++d) {
      Value next = arith::AddIOp::create(b, position, b.index(1));
      for (auto [j, s] : llvm::enumerate(shape)) {
        Value here = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, position, b.index(j));
        Value size = arith::SelectOp::create(b, here, b.index(sizes[d]), s);
        s = arith::SelectOp::create(b, conditions[d], s, size);
      }
      position = arith::SelectOp::create(b, conditions[d], position, next);
    }
    Value shapeTensor = tensor::FromElementsOp::create(
        b, RankedTensorType::get({type.getRank()}, b.getIndexType()), shape);
    return tensor::ReshapeOp::create(b, type, reduced, shapeTensor);
  }

private:
  TensorBuilder &b;
  Sizes sizes;
  int64_t rank;
};

/// For each dimension, whether the run-time `axes` name it (or are empty and mean all).
SmallVector<Value> axisConditions(TensorBuilder &b, Value axes, int64_t rank, bool noop) {
  Value n = b.index(b.dim(axes, 0)), zero = b.index(0), one = b.index(1);
  Value all = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, n, zero);
  Value no = arith::ConstantIntOp::create(b, 0, 1);
  SmallVector<Value> starts(rank, noop ? no : all);
  auto loop = scf::ForOp::create(
      b, zero, n, one, starts, [&](OpBuilder &nested, Location loc, Value i, ValueRange found) {
        TensorBuilder t(loc, nested);
        Value axis = t.convert(tensor::ExtractOp::create(t, axes, i), t.getIndexType());
        SmallVector<Value> next;
        for (int64_t d = 0; d < rank; ++d) {
          Value front = arith::CmpIOp::create(t, arith::CmpIPredicate::eq, axis, t.index(d));
          Value back = arith::CmpIOp::create(t, arith::CmpIPredicate::eq, axis, t.index(d - rank));
          Value here = arith::OrIOp::create(t, front, back);
          next.push_back(arith::OrIOp::create(t, found[d], here));
        }
        scf::YieldOp::create(t, next);
      });
  return llvm::to_vector_of<Value>(loop.getResults());
}

/// The accumulator's start, what an element adds to it, and what ends it.
struct ReduceMath {
  ReduceKind kind;
  Type acc;
  bool isUnsigned, isBool;

  Value init(TensorBuilder &b) const {
    switch (kind) {
    case ReduceKind::Prod:
      return b.constant(acc, 1);
    case ReduceKind::Max:
      return isBool ? b.intConstant(acc, 0) : b.lowest(acc, isUnsigned);
    case ReduceKind::Min:
      return isBool ? b.intConstant(acc, 1) : b.highest(acc, isUnsigned);
    default:
      return b.constant(acc, 0);
    }
  }

  Value before(TensorBuilder &b, Value v) const {
    v = b.convert(v, acc, isUnsigned);
    switch (kind) {
    case ReduceKind::L2:
    case ReduceKind::SumSquare:
      return b.mulScalar(v, v);
    case ReduceKind::L1:
      if (isa<FloatType>(acc))
        return math::AbsFOp::create(b, v);
      return isUnsigned ? v : math::AbsIOp::create(b, v).getResult();
    default:
      return v;
    }
  }

  Value combine(TensorBuilder &b, Value sum, Value v) const {
    switch (kind) {
    case ReduceKind::Prod:
      return b.mulScalar(sum, v);
    case ReduceKind::Max:
      return b.maxScalar(sum, v, isUnsigned || isBool);
    case ReduceKind::Min:
      return b.minScalar(sum, v, isUnsigned || isBool);
    default:
      return b.addScalar(sum, v);
    }
  }

  bool changesAtEnd() const {
    return kind == ReduceKind::Mean || kind == ReduceKind::L2 || kind == ReduceKind::LogSum;
  }

  Value after(TensorBuilder &b, Value v, Value count) const {
    switch (kind) {
    case ReduceKind::Mean: {
      if (isa<FloatType>(acc))
        return b.divScalar(v, b.convert(count, acc));
      // Nothing is summed when the count is zero, but a division by zero would trap.
      Value least = arith::MaxSIOp::create(b, count, b.index(1));
      return b.divScalar(v, b.convert(least, acc), isUnsigned);
    }
    case ReduceKind::L2: {
      Type f = isa<FloatType>(acc) ? acc : Type(b.getF32Type());
      Value r = math::SqrtOp::create(b, b.convert(v, f, isUnsigned));
      return b.convert(r, acc, isUnsigned);
    }
    case ReduceKind::LogSum:
      return math::LogOp::create(b, v);
    default:
      return v;
    }
  }
};

/// max + log(sum(exp(x - max))), where an infinite maximum is left out of it.
Value logSumExp(TensorBuilder &b, AxesReducer &reducer, Value x, Type acc, Type elem) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  Value wide = b.convertElements(x, acc);
  Value top = reducer.run(wide, b.lowest(acc, false), [](TensorBuilder &t, ValueRange args) {
    return t.maxScalar(args[1], args[0]);
  });
  Value shift = b.unary(top, acc, [&](TensorBuilder &t, ValueRange args) -> Value {
    Value finite = arith::CmpFOp::create(t, arith::CmpFPredicate::OLT,
                                         math::AbsFOp::create(t, args[0]), t.highest(acc, false));
    return arith::SelectOp::create(t, finite, args[0], t.constant(acc, 0));
  });
  Value powers = b.parallel(b.dims(wide), acc, {{wide, b.identity(rank)}, reducer.broadcast(shift)},
                            [](TensorBuilder &t, ValueRange args) -> Value {
                              return math::ExpOp::create(t, t.subScalar(args[0], args[1]));
                            });
  Value sum = reducer.run(powers, b.constant(acc, 0), [](TensorBuilder &t, ValueRange args) {
    return t.addScalar(args[1], args[0]);
  });
  Sizes sizes = b.dims(sum);
  return b.parallel(sizes, elem,
                    {{sum, b.identity(sizes.size())}, {shift, b.identity(sizes.size())}},
                    [&](TensorBuilder &t, ValueRange args) {
                      Value v = t.addScalar(math::LogOp::create(t, args[0]), args[1]);
                      return t.convert(v, elem);
                    });
}

template <typename OpT> struct ReduceLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = this->types().convertTensor(op.getType());
    Value x = adaptor.getData();
    int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
    AxesReducer reducer(b, x);
    bool noop = op.getNoopWithEmptyAxes() != 0;
    if (failed(setAxes(b, op, adaptor.getAxes(), rank, noop, reducer)))
      return failure();

    Type original = getElementTypeOrSelf(op.getData().getType());
    Type elem = type.getElementType();
    ReduceMath m{KindOf<OpT>::value, accumulatorType(elem), original.isUnsignedInteger(),
                 original.isInteger(1)};
    Value y;
    if (m.kind == ReduceKind::LogSumExp) {
      y = logSumExp(b, reducer, x, m.acc, elem);
    } else {
      auto step = [&](TensorBuilder &t, ValueRange args) {
        return m.combine(t, args[1], m.before(t, args[0]));
      };
      auto combine = [&](TensorBuilder &t, ValueRange args) {
        return m.combine(t, args[1], args[0]);
      };
      Value init = m.init(b);
      if (reducer.conditions.empty()) {
        y = reducer.run(x, init, step);
      } else {
        Value first = b.unary(x, m.acc, [&](TensorBuilder &t, ValueRange args) {
          return m.before(t, args[0]);
        });
        SmallVector<int64_t> unknown(rank, ShapedType::kDynamic);
        y = reducer.combine(b.castTo(first, RankedTensorType::get(unknown, m.acc)), init, combine);
      }
      if (m.changesAtEnd()) {
        Value count = reducer.count();
        y = b.unary(y, elem, [&](TensorBuilder &t, ValueRange args) {
          return t.convert(m.after(t, args[0], count), elem);
        });
      }
      y = b.convertElements(y, elem);
    }
    replaceOp(rewriter, this->types(), op, {reducer.finish(y, op.getKeepdims() != 0, type)});
    return success();
  }

  LogicalResult setAxes(TensorBuilder &b, OpT op, Value axes, int64_t rank, bool noop,
                        AxesReducer &reducer) const {
    auto all = [&] {
      for (int64_t d = 0; d < rank && !noop; ++d)
        reducer.axes.push_back(d);
      return success();
    };
    if (onnx::isNone(op.getAxes()))
      return all();
    if (auto known = getConstantInts(op.getAxes())) {
      if (known->empty())
        return all();
      for (int64_t a : *known) {
        if (a < -rank || a >= rank)
          return this->refuse(op, "axis " + Twine(a) + " is out of range for rank " + Twine(rank));
        reducer.axes.push_back(a < 0 ? a + rank : a);
      }
      llvm::sort(reducer.axes);
      reducer.axes.erase(llvm::unique(reducer.axes), reducer.axes.end());
      return success();
    }
    auto type = cast<RankedTensorType>(axes.getType());
    if (type.getRank() == 1 && type.getDimSize(0) == 0)
      return all();
    reducer.conditions = axisConditions(b, axes, rank, noop);
    return success();
  }
};

template <typename OpT> struct ArgLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = this->types().convertTensor(op.getType());
    Value x = adaptor.getData();
    auto xType = cast<RankedTensorType>(x.getType());
    int64_t rank = xType.getRank(), axis = static_cast<int64_t>(op.getAxis());
    if (axis < -rank || axis >= rank)
      return this->refuse(op, "axis " + Twine(axis) + " is out of range for rank " + Twine(rank));
    axis += axis < 0 ? rank : 0;
    Type acc = accumulatorType(xType.getElementType());
    bool isUnsigned = getElementTypeOrSelf(op.getData().getType()).isUnsignedInteger();
    constexpr bool isMax = std::is_same_v<OpT, onnx::ArgMaxOp>;
    bool last = op.getSelectLastIndex() != 0;
    Sizes sizes;
    for (int64_t d = 0; d < rank; ++d)
      if (d != axis)
        sizes.push_back(b.dim(x, d));
    Value worst = isMax ? b.lowest(acc, isUnsigned) : b.highest(acc, isUnsigned);
    Value start = b.intConstant(b.getI64Type(), 0);
    auto results = b.reduceMany(
        sizes, b.dropAxes(rank, {axis}), {worst, start}, {{x, b.identity(rank)}},
        [&](TensorBuilder &t, ValueRange args) -> SmallVector<Value> {
          Value v = t.convert(args[0], acc, isUnsigned);
          Value at = t.convert(linalg::IndexOp::create(t, axis), t.getI64Type());
          Value better = isBetter(t, v, args[1], isMax, last, isUnsigned);
          return {arith::SelectOp::create(t, better, v, args[1]),
                  arith::SelectOp::create(t, better, at, args[2])};
        });
    Value y = op.getKeepdims() != 0 ? b.unsqueeze(results[1], {axis}) : results[1];
    replaceOp(rewriter, this->types(), op, {y});
    return success();
  }

  static Value isBetter(TensorBuilder &t, Value v, Value best, bool isMax, bool orEqual,
                        bool isUnsigned) {
    // "Less" is "greater" with the sides exchanged.
    Value x = isMax ? v : best, y = isMax ? best : v;
    if (isa<FloatType>(v.getType()))
      return arith::CmpFOp::create(
          t, orEqual ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OGT, x, y);
    auto predicate = isUnsigned
                         ? (orEqual ? arith::CmpIPredicate::uge : arith::CmpIPredicate::ugt)
                         : (orEqual ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sgt);
    return arith::CmpIOp::create(t, predicate, x, y);
  }
};

} // namespace

void populateReducePatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<ReduceLowering<onnx::ReduceSumOp>, ReduceLowering<onnx::ReduceMeanOp>,
               ReduceLowering<onnx::ReduceProdOp>, ReduceLowering<onnx::ReduceMaxOp>,
               ReduceLowering<onnx::ReduceMinOp>, ReduceLowering<onnx::ReduceL1Op>,
               ReduceLowering<onnx::ReduceL2Op>, ReduceLowering<onnx::ReduceLogSumOp>,
               ReduceLowering<onnx::ReduceLogSumExpOp>, ReduceLowering<onnx::ReduceSumSquareOp>,
               ArgLowering<onnx::ArgMaxOp>, ArgLowering<onnx::ArgMinOp>>(patterns, types);
}

} // namespace onnxc
