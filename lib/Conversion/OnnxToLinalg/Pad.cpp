// Pad in all modes, and CenterCropPad.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

// Amounts below 0 crop; the rest is padded with `fill`.
Value padOrCrop(OpBuilder &b, Location loc, Value input, ArrayRef<OpFoldResult> low,
                ArrayRef<OpFoldResult> high, Value fill) {
  SmallVector<OpFoldResult> dims = getDims(b, loc, input), lowPad, highPad, offsets, sizes;
  OpFoldResult zero = b.getIndexAttr(0);
  bool crops = false, pads = false;
  for (auto [dim, l, h] : llvm::zip(dims, low, high)) {
    OpFoldResult cropLow = maxIndex(b, loc, subIndex(b, loc, zero, l), zero);
    OpFoldResult cropHigh = maxIndex(b, loc, subIndex(b, loc, zero, h), zero);
    lowPad.push_back(maxIndex(b, loc, l, zero));
    highPad.push_back(maxIndex(b, loc, h, zero));
    OpFoldResult rest = subIndex(b, loc, subIndex(b, loc, dim, cropLow), cropHigh);
    bool cropsHere = !isConstantIntValue(cropLow, 0) || !isConstantIntValue(cropHigh, 0);
    if (cropsHere && !getConstantIntValue(rest)) {
      Value enough = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, toIndex(b, loc, rest),
                                           constIndex(b, loc, 0));
      runtimeAssert(b, loc, enough, "Pad: negative pads exceed the size");
    }
    offsets.push_back(cropLow);
    sizes.push_back(cropsHere ? rest : dim);
    crops |= cropsHere;
    pads |= !isConstantIntValue(lowPad.back(), 0) || !isConstantIntValue(highPad.back(), 0);
  }
  if (crops) {
    SmallVector<OpFoldResult> strides(dims.size(), b.getIndexAttr(1));
    input = extractSlice(b, loc, input, offsets, sizes, strides);
  }
  if (!pads)
    return input;
  return tensor::PadOp::create(b, loc, Type(), input, lowPad, highPad, fill);
}

// The source position of i = output index - low pad, for a dimension of size n > 0.
Value sourceIndex(OpBuilder &b, Location loc, StringRef mode, Value i, Value n) {
  Value zero = constIndex(b, loc, 0), one = constIndex(b, loc, 1);
  Value last = arith::SubIOp::create(b, loc, n, one);
  if (mode == "edge")
    return arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, i, last), zero);
  Value period = n;
  if (mode == "reflect") // 0 1 2 1 | 0 1 2 1; one element repeats itself
    period = arith::MaxSIOp::create(b, loc, arith::AddIOp::create(b, loc, last, last), one);
  Value rem = arith::RemSIOp::create(b, loc, i, period);
  Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, rem, zero);
  Value at = arith::SelectOp::create(b, loc, negative, arith::AddIOp::create(b, loc, rem, period), rem);
  if (mode == "wrap")
    return at;
  return arith::MinSIOp::create(b, loc, at, arith::SubIOp::create(b, loc, period, at));
}

struct PadPattern : OnnxPattern<onnx::PadOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::PadOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    SmallVector<OpFoldResult> before, behind, axes;
    if (failed(readAmounts(op, adaptor, b, rank, before, behind, axes)))
      return failure();
    SmallVector<OpFoldResult> low(rank, b.getIndexAttr(0)), high(rank, b.getIndexAttr(0));
    for (size_t k = 0; k < axes.size(); ++k) {
      if (auto constant = getConstantIntValue(axes[k])) {
        auto d = normalizeAxis(*constant, rank);
        if (!d)
          return refuse(op, "has an axis outside of the input's rank");
        low[*d] = before[k];
        high[*d] = behind[k];
        continue;
      }
      Value at = wrapIndex(b, loc, toIndex(b, loc, axes[k]), constIndex(b, loc, rank));
      for (int64_t d = 0; d < rank; ++d) {
        Value meant = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at, constIndex(b, loc, d));
        auto choose = [&](OpFoldResult x, OpFoldResult y) -> OpFoldResult {
          return arith::SelectOp::create(b, loc, meant, toIndex(b, loc, x), toIndex(b, loc, y))
              .getResult();
        };
        low[d] = choose(before[k], low[d]);
        high[d] = choose(behind[k], high[d]);
      }
    }
    StringRef mode = op.getMode();
    if (mode == "constant") {
      Value fill = onnx::isNone(op->getOperand(2)) ? codecOf(op->getOperand(0)).zero(b, loc)
                                                   : readScalar(b, loc, adaptor.getOperands()[2]);
      replaceOp(b, types(), op, padOrCrop(b, loc, input, low, high, fill));
      return success();
    }
    if (mode != "edge" && mode != "reflect" && mode != "wrap")
      return refuse(op, "has an unknown mode");
    SmallVector<OpFoldResult> dims = getDims(b, loc, input), sizes;
    SmallVector<Value> lows, ns;
    for (auto [dim, l, h] : llvm::zip(dims, low, high)) {
      OpFoldResult size = addIndex(b, loc, addIndex(b, loc, dim, l), h);
      sizes.push_back(maxIndex(b, loc, size, b.getIndexAttr(0)));
      lows.push_back(toIndex(b, loc, l));
      ns.push_back(toIndex(b, loc, dim));
      if (!getConstantIntValue(dim)) {
        Value some = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, ns.back(),
                                           constIndex(b, loc, 0));
        runtimeAssert(b, loc, some, "Pad: an empty input cannot be extended");
      } else if (isConstantIntValue(dim, 0)) {
        return refuse(op, "cannot extend an empty input");
      }
    }
    Value result = createFromIndices(
        b, loc, sizes, onnxElem(input),
        [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> at;
          for (size_t d = 0; d < indices.size(); ++d) {
            if (isConstantIntValue(low[d], 0) && isConstantIntValue(high[d], 0)) {
              at.push_back(indices[d]);
              continue;
            }
            Value i = arith::SubIOp::create(b, loc, indices[d], lows[d]);
            at.push_back(sourceIndex(b, loc, mode, i, ns[d]));
          }
          return tensor::ExtractOp::create(b, loc, input, at);
        });
    replaceOp(b, types(), op, result);
    return success();
  }

  // What is added before and behind each of `axes`; axis `rank` is none.
  LogicalResult readAmounts(onnx::PadOp op, OpAdaptor adaptor, ConversionPatternRewriter &b, int64_t rank,
                            SmallVector<OpFoldResult> &before, SmallVector<OpFoldResult> &behind,
                            SmallVector<OpFoldResult> &axes) const {
    Location loc = op.getLoc();
    Value pads = adaptor.getOperands()[1], axesTensor = adaptor.getOperands()[3];
    bool hasAxes = !onnx::isNone(op->getOperand(3));
    std::optional<int64_t> amounts = knownLength(op->getOperand(1), pads), count;
    if (hasAxes)
      count = knownLength(op->getOperand(3), axesTensor);
    if (!count && amounts)
      count = *amounts / 2;
    if (!count && !hasAxes)
      count = rank;
    if (count) {
      auto given = readShapeTensor(b, loc, op->getOperand(1), pads, 2 * *count);
      if (!given || static_cast<int64_t>(given->size()) != 2 * *count || *count > rank)
        return refuse(op, "needs two pads for each axis");
      before.assign(given->begin(), given->begin() + *count);
      behind.assign(given->begin() + *count, given->end());
      for (int64_t i = 0; i < *count; ++i)
        axes.push_back(b.getIndexAttr(i));
      if (!hasAxes)
        return success();
      auto list = readShapeTensor(b, loc, op->getOperand(3), axesTensor, *count);
      if (!list || static_cast<int64_t>(list->size()) != *count)
        return refuse(op, "needs two pads for each axis");
      axes = *list;
      return success();
    }
    Value length = toIndex(b, loc, getDim(b, loc, axesTensor, 0)), zero = constIndex(b, loc, 0);
    Value twice = arith::AddIOp::create(b, loc, length, length);
    auto check = [&](arith::CmpIPredicate predicate, Value x, Value y, StringRef message) {
      runtimeAssert(b, loc, arith::CmpIOp::create(b, loc, predicate, x, y), message);
    };
    check(arith::CmpIPredicate::sle, length, constIndex(b, loc, rank), "Pad: there are more axes than dimensions");
    check(arith::CmpIPredicate::eq, toIndex(b, loc, getDim(b, loc, pads, 0)), twice,
          "Pad: there must be two pads for each axis");
    before = readOpenVector(b, loc, pads, zero, length, rank, 0);
    behind = readOpenVector(b, loc, pads, length, length, rank, 0);
    axes = readOpenVector(b, loc, axesTensor, zero, length, rank, rank);
    return success();
  }
};

// Crops or pads with zeros around the centre; the odd element goes to the end.
struct CenterCropPadPattern : OnnxPattern<onnx::CenterCropPadOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::CenterCropPadOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    auto target = readShapeTensor(b, loc, op->getOperand(1), adaptor.getOperands()[1]);
    SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    if (auto given = op->getAttrOfType<DenseI64ArrayAttr>("axes"))
      axes.assign(given.asArrayRef().begin(), given.asArrayRef().end());
    if (!target || target->size() != axes.size())
      return refuse(op, "needs one target size for each axis");
    SmallVector<OpFoldResult> dims = getDims(b, loc, input);
    SmallVector<OpFoldResult> low(rank, b.getIndexAttr(0)), high(rank, b.getIndexAttr(0));
    for (auto [axis, size] : llvm::zip(axes, *target)) {
      auto d = normalizeAxis(axis, rank);
      if (!d)
        return refuse(op, "has an axis outside of the input's rank");
      OpFoldResult two = b.getIndexAttr(2), zero = b.getIndexAttr(0);
      OpFoldResult more = subIndex(b, loc, size, dims[*d]);
      OpFoldResult grow = maxIndex(b, loc, more, zero);
      OpFoldResult shrink = maxIndex(b, loc, subIndex(b, loc, zero, more), zero);
      low[*d] = subIndex(b, loc, divIndex(b, loc, grow, two), divIndex(b, loc, shrink, two));
      high[*d] = subIndex(b, loc, more, low[*d]);
    }
    Value fill = codecOf(op->getOperand(0)).zero(b, loc);
    replaceOp(b, types(), op, padOrCrop(b, loc, input, low, high, fill));
    return success();
  }
};

} // namespace

void populatePadPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<PadPattern, CenterCropPadPattern>(patterns, converter);
}

} // namespace onnxc
