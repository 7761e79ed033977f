//===- Softmax.cpp - Softmax, LogSoftmax and Hardmax ----------------------===//
//
// Chains of reductions and elementwise loops over the same rows, so that later passes
// fuse them row by row. Half types are computed in f32.
//
//===----------------------------------------------------------------------===//
#include "Normalization.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {

// One instruction: whatever it gives for a row with NaN, the powers and so their sum have NaN.
Value rowMax(TensorBuilder &b, Value x, int64_t axis, Type acc) {
  return b.reduceAxes(x, {axis}, b.lowest(acc, false), [&](TensorBuilder &t, ValueRange args) -> Value {
    return arith::MaximumFOp::create(t, args[1], t.convert(args[0], acc),
                                     arith::FastMathFlags::nnan | arith::FastMathFlags::nsz);
  });
}

Value rowSum(TensorBuilder &b, Value x, int64_t axis, Type acc) {
  return b.reduceAxes(x, {axis}, b.constant(acc, 0), [&](TensorBuilder &t, ValueRange args) {
    return t.addScalar(args[1], t.convert(args[0], acc));
  });
}

Value buildSoftmax(TensorBuilder &b, Value x, int64_t axis, Type acc, Type elem) {
  Sizes sizes = b.dims(x);
  unsigned rank = sizes.size();
  Value top = rowMax(b, x, axis, acc);
  Value powers = b.parallel(sizes, acc, {{x, b.identity(rank)}, {top, b.dropAxes(rank, {axis})}},
                            [&](TensorBuilder &t, ValueRange args) -> Value {
                              Value v = t.convert(args[0], acc);
                              return math::ExpOp::create(t, t.subScalar(v, args[1]));
                            });
  // One division a row.
  Value share = b.unary(rowSum(b, powers, axis, acc), acc, [&](TensorBuilder &t, ValueRange args) {
    return t.divScalar(t.constant(acc, 1), args[0]);
  });
  return b.parallel(sizes, elem, {{powers, b.identity(rank)}, {share, b.dropAxes(rank, {axis})}},
                    [&](TensorBuilder &t, ValueRange args) {
                      return t.convert(t.mulScalar(args[0], args[1]), elem);
                    });
}

Value buildLogSoftmax(TensorBuilder &b, Value x, int64_t axis, Type acc, Type elem) {
  Sizes sizes = b.dims(x);
  unsigned rank = sizes.size();
  AffineMap row = b.dropAxes(rank, {axis});
  Value top = rowMax(b, x, axis, acc);
  Value powers = b.parallel(sizes, acc, {{x, b.identity(rank)}, {top, row}},
                            [&](TensorBuilder &t, ValueRange args) -> Value {
                              Value v = t.convert(args[0], acc);
                              return math::ExpOp::create(t, t.subScalar(v, args[1]));
                            });
  Value logSum = b.unary(rowSum(b, powers, axis, acc), acc,
                         [](TensorBuilder &t, ValueRange args) -> Value {
                           return math::LogOp::create(t, args[0]);
                         });
  return b.parallel(sizes, elem, {{x, b.identity(rank)}, {top, row}, {logSum, row}},
                    [&](TensorBuilder &t, ValueRange args) {
                      Value v = t.subScalar(t.convert(args[0], acc), args[1]);
                      return t.convert(t.subScalar(v, args[2]), elem);
                    });
}

namespace {

/// One at the first maximum of each row, zero elsewhere.
Value buildHardmax(TensorBuilder &b, Value x, int64_t axis, Type acc, Type elem) {
  Sizes sizes = b.dims(x), rows = sizes;
  rows.erase(rows.begin() + axis);
  unsigned rank = sizes.size();
  AffineMap row = b.dropAxes(rank, {axis});
  Type i64 = b.getI64Type();
  auto best = b.reduceMany(
      rows, row, {b.lowest(acc, false), b.intConstant(i64, 0)}, {{x, b.identity(rank)}},
      [&](TensorBuilder &t, ValueRange args) -> SmallVector<Value> {
        Value v = t.convert(args[0], acc);
        Value at = t.convert(linalg::IndexOp::create(t, axis), i64);
        Value more = arith::CmpFOp::create(t, arith::CmpFPredicate::OGT, v, args[1]);
        return {arith::SelectOp::create(t, more, v, args[1]),
                arith::SelectOp::create(t, more, at, args[2])};
      });
  return b.parallel(sizes, elem, {{best[1], row}}, [&](TensorBuilder &t, ValueRange args) -> Value {
    Value at = t.convert(linalg::IndexOp::create(t, axis), i64);
    Value here = arith::CmpIOp::create(t, arith::CmpIPredicate::eq, at, args[0]);
    return arith::SelectOp::create(t, here, t.constant(elem, 1), t.constant(elem, 0));
  });
}

template <typename OpT, auto Build> struct RowLowering : OnnxPattern<OpT> {
  using OnnxPattern<OpT>::OnnxPattern;

  LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getInput();
    auto axis = normalizeAxis(op.getAxis(), rankOf(x));
    if (!axis)
      return this->refuse(op, "axis " + Twine(static_cast<int64_t>(op.getAxis())) +
                                  " is out of range for rank " + Twine(rankOf(x)));
    Type elem = getElementTypeOrSelf(x.getType());
    replaceOp(rewriter, this->types(), op, {Build(b, x, *axis, accumulatorType(elem), elem)});
    return success();
  }
};

} // namespace

void populateSoftmaxPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<RowLowering<onnx::SoftmaxOp, buildSoftmax>,
              RowLowering<onnx::LogSoftmaxOp, buildLogSoftmax>,
              RowLowering<onnx::HardmaxOp, buildHardmax>>(patterns, types);
}

} // namespace onnxc
