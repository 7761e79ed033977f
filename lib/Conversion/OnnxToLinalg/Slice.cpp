// Slice, Split, CenterCropPad's cropping, and Concat: parts of tensors.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

// start + i * step for i in [0, size) along one dimension.
struct Range {
  OpFoldResult start, size, step;
};

Value isNegative(OpBuilder &b, Location loc, OpFoldResult x) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, toIndex(b, loc, x),
                               constIndex(b, loc, 0));
}

OpFoldResult selectIndex(OpBuilder &b, Location loc, Value condition, OpFoldResult x,
                         OpFoldResult y) {
  return arith::SelectOp::create(b, loc, condition, toIndex(b, loc, x), toIndex(b, loc, y))
      .getResult();
}

// A range without elements starts at 0: at the end no offset is in bounds.
Range nonEmptyOrFirst(OpBuilder &b, Location loc, Range r) {
  if (isConstantIntValue(r.start, 0))
    return r;
  if (auto size = getConstantIntValue(r.size)) {
    if (*size == 0)
      r.start = b.getIndexAttr(0);
    return r;
  }
  Value empty = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, toIndex(b, loc, r.size),
                                      constIndex(b, loc, 0));
  r.start = selectIndex(b, loc, empty, b.getIndexAttr(0), r.start);
  return r;
}

// ONNX's rules: negative positions count from the end, then both are clamped.
Range clampRange(OpBuilder &b, Location loc, OpFoldResult start, OpFoldResult end,
                 OpFoldResult step, OpFoldResult dim) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), minusOne = b.getIndexAttr(-1);
  auto fromEnd = [&](OpFoldResult x) {
    if (auto c = getConstantIntValue(x))
      return *c < 0 ? addIndex(b, loc, x, dim) : x;
    return selectIndex(b, loc, isNegative(b, loc, x), addIndex(b, loc, x, dim), x);
  };
  auto clamp = [&](OpFoldResult x, OpFoldResult low, OpFoldResult high) {
    return maxIndex(b, loc, minIndex(b, loc, x, high), low);
  };
  // A constant far outside needs no arithmetic with the size.
  auto isHuge = [](OpFoldResult x) {
    auto c = getConstantIntValue(x);
    return c && (*c >= INT32_MAX || *c <= INT32_MIN);
  };
  auto forward = [&]() -> Range {
    OpFoldResult s = clamp(fromEnd(start), zero, dim);
    OpFoldResult e = isHuge(end) && *getConstantIntValue(end) > 0 ? dim : clamp(fromEnd(end), zero, dim);
    OpFoldResult size = ceilDivIndex(b, loc, subIndex(b, loc, e, s), step);
    return nonEmptyOrFirst(b, loc, {s, maxIndex(b, loc, size, zero), step});
  };
  auto backward = [&]() -> Range {
    OpFoldResult last = subIndex(b, loc, dim, one);
    OpFoldResult s = clamp(fromEnd(start), zero, last);
    OpFoldResult e =
        isHuge(end) && *getConstantIntValue(end) < 0 ? minusOne : clamp(fromEnd(end), minusOne, last);
    OpFoldResult size =
        ceilDivIndex(b, loc, subIndex(b, loc, s, e), subIndex(b, loc, zero, step));
    // Of an empty dimension the clamped start is not a position.
    return {s, clamp(size, zero, dim), step};
  };
  if (auto c = getConstantIntValue(step))
    return *c > 0 ? forward() : backward();
  Range f = forward(), r = backward();
  Value down = isNegative(b, loc, step);
  return {selectIndex(b, loc, down, r.start, f.start), selectIndex(b, loc, down, r.size, f.size),
          step};
}

// A view where all steps are known to be positive, else a gather.
Value takeRanges(OpBuilder &b, Location loc, Value input, ArrayRef<Range> ranges) {
  if (ranges.size() == 1) { // of a shape
    auto start = getConstantIntValue(ranges[0].start), size = getConstantIntValue(ranges[0].size),
         step = getConstantIntValue(ranges[0].step);
    auto elements = start && size && step ? shapeElements(b, loc, input) : std::nullopt;
    if (elements) {
      SmallVector<Value> picked;
      for (int64_t i = 0; i < *size; ++i)
        picked.push_back(elements->front()[*start + i * *step]);
      return fromElements(b, loc, RankedTensorType::get(*size, onnxElem(input)), picked);
    }
  }
  SmallVector<OpFoldResult> offsets, sizes, steps;
  bool isView = true;
  for (const Range &r : ranges) {
    offsets.push_back(r.start);
    sizes.push_back(r.size);
    steps.push_back(r.step);
    auto step = getConstantIntValue(r.step);
    isView &= step && *step > 0;
  }
  if (isView)
    return extractSlice(b, loc, input, offsets, sizes, steps);
  SmallVector<Value> starts, strides;
  for (const Range &r : ranges) {
    starts.push_back(toIndex(b, loc, r.start));
    strides.push_back(toIndex(b, loc, r.step));
  }
  return createFromIndices(b, loc, sizes, onnxElem(input),
                           [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
                             SmallVector<Value> at;
                             for (auto [i, start, stride] : llvm::zip(indices, starts, strides))
                               at.push_back(arith::AddIOp::create(
                                   b, loc, start, arith::MulIOp::create(b, loc, i, stride)));
                             return tensor::ExtractOp::create(b, loc, input, at);
                           });
}

struct SlicePattern : OnnxPattern<onnx::SliceOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::SliceOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    auto lists = readLists(op, adaptor, b, rank);
    if (failed(lists))
      return failure();
    SmallVector<OpFoldResult> dims = getDims(b, loc, input);
    SmallVector<Range> ranges;
    for (OpFoldResult dim : dims)
      ranges.push_back({b.getIndexAttr(0), dim, b.getIndexAttr(1)});
    for (size_t k = 0; k < (*lists)[0].size(); ++k) {
      OpFoldResult start = (*lists)[0][k], end = (*lists)[1][k], axis = (*lists)[2][k], step = (*lists)[3][k];
      if (getConstantIntValue(step) == 0)
        return refuse(op, "has a step of 0");
      if (auto constant = getConstantIntValue(axis)) {
        auto d = normalizeAxis(*constant, rank);
        if (!d)
          return refuse(op, "has an axis outside of the input's rank");
        ranges[*d] = clampRange(b, loc, start, end, step, dims[*d]);
        continue;
      }
      // An axis that is known at run time only: every dimension asks whether it is meant.
      Value at = wrapIndex(b, loc, toIndex(b, loc, axis), constIndex(b, loc, rank));
      for (int64_t d = 0; d < rank; ++d) {
        Value meant = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at, constIndex(b, loc, d));
        Range r = clampRange(b, loc, start, end, step, dims[d]);
        ranges[d] = {selectIndex(b, loc, meant, r.start, ranges[d].start),
                     selectIndex(b, loc, meant, r.size, ranges[d].size),
                     selectIndex(b, loc, meant, r.step, ranges[d].step)};
      }
    }
    replaceOp(b, types(), op, takeRanges(b, loc, input, ranges));
    return success();
  }

  // Starts, ends, axes and steps.
  FailureOr<SmallVector<SmallVector<OpFoldResult>>> readLists(onnx::SliceOp op, OpAdaptor adaptor,
                                                             ConversionPatternRewriter &b, int64_t rank) const {
    Location loc = op.getLoc();
    std::optional<int64_t> length;
    for (unsigned i = 1; i < 5 && !length; ++i)
      if (!onnx::isNone(op->getOperand(i)))
        length = knownLength(op->getOperand(i), adaptor.getOperands()[i]);
    // Else there is room for all axes, and those beyond the length are the axis `rank`, which no dimension is.
    int64_t count = length.value_or(rank);
    Value open = length ? Value() : toIndex(b, loc, getDim(b, loc, adaptor.getOperands()[1], 0));
    if (open)
      runtimeAssert(b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, open, constIndex(b, loc, rank)),
                    "Slice: there are more starts than dimensions");
    const int64_t absent[] = {0, 0, INT64_MAX, rank, 1};
    SmallVector<SmallVector<OpFoldResult>> lists;
    for (unsigned i = 1; i < 5; ++i) {
      Value list = adaptor.getOperands()[i];
      if (onnx::isNone(op->getOperand(i))) {
        lists.emplace_back();
        for (int64_t k = 0; k < count; ++k)
          lists.back().push_back(b.getIndexAttr(i == 3 ? k : 1));
      } else if (open) {
        Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                           toIndex(b, loc, getDim(b, loc, list, 0)), open);
        runtimeAssert(b, loc, same, "Slice: starts, ends, axes and steps differ in length");
        lists.push_back(readOpenVector(b, loc, list, constIndex(b, loc, 0), open, count, absent[i]));
      } else if (auto elements = readShapeTensor(b, loc, op->getOperand(i), list, count);
                 elements && static_cast<int64_t>(elements->size()) == count) {
        lists.push_back(*elements);
      } else {
        return refuse(op, "needs starts, ends, axes and steps of one length");
      }
    }
    return lists;
  }
};

struct SplitPattern : OnnxPattern<onnx::SplitOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::SplitOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    auto axis = normalizeAxis(op.getAxis(), rankOf(input));
    if (!axis)
      return refuse(op, "has an axis outside of the input's rank");
    SmallVector<OpFoldResult> dims = getDims(b, loc, input), parts;
    int64_t count = op->getNumResults();
    OpFoldResult total = dims[*axis], offset = b.getIndexAttr(0);
    if (!onnx::isNone(op->getOperand(1))) {
      auto given = readShapeTensor(b, loc, op->getOperand(1), adaptor.getOperands()[1], count);
      if (!given || static_cast<int64_t>(given->size()) != count)
        return refuse(op, "needs as many split sizes as it has results");
      parts = *given;
      checkSum(b, loc, parts, total);
    } else {
      // Equal parts, the last one smaller.
      OpFoldResult chunk = ceilDivIndex(b, loc, total, b.getIndexAttr(count));
      OpFoldResult left = total;
      for (int64_t i = 0; i < count; ++i) {
        parts.push_back(minIndex(b, loc, chunk, left));
        left = subIndex(b, loc, left, parts.back());
      }
    }
    SmallVector<Value> results;
    for (OpFoldResult part : parts) {
      SmallVector<OpFoldResult> offsets(dims.size(), b.getIndexAttr(0)), sizes(dims),
          strides(dims.size(), b.getIndexAttr(1));
      // An empty part may stand at the end, where no offset is in bounds.
      if (!isConstantIntValue(part, 0))
        offsets[*axis] = offset;
      sizes[*axis] = part;
      results.push_back(extractSlice(b, loc, input, offsets, sizes, strides));
      offset = addIndex(b, loc, offset, part);
    }
    for (auto [result, original] : llvm::zip(results, op->getResults()))
      if (onnx::isNone(original))
        result = Value();
    replaceOp(b, types(), op, results);
    return success();
  }

  // Sizes that are not constant must add up, and none may be negative.
  static void checkSum(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> parts,
                       OpFoldResult total) {
    OpFoldResult sum = b.getIndexAttr(0), lowest = b.getIndexAttr(0);
    for (OpFoldResult part : parts) {
      sum = addIndex(b, loc, sum, part);
      lowest = minIndex(b, loc, lowest, part);
    }
    auto constant = getConstantIntValue(sum);
    if (constant && constant == getConstantIntValue(total))
      return;
    Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, toIndex(b, loc, sum),
                                       toIndex(b, loc, total));
    Value natural = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                          toIndex(b, loc, lowest), constIndex(b, loc, 0));
    runtimeAssert(b, loc, arith::AndIOp::create(b, loc, fits, natural),
                  "Split: the sizes do not add up to the input's");
  }
};

} // namespace

void populateSlicePatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<SlicePattern, SplitPattern>(patterns, converter);
}

} // namespace onnxc
