// Operators that only regroup or permute dimensions.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

// Sizes of the result as far as types and the dimension analysis know them: static ones, and
// dynamic ones that equal a dimension of the input.
void knownSizes(OpBuilder &b, Location loc, const OnnxTypeConverter &types, Operation *op,
                Value converted, SmallVectorImpl<OpFoldResult> &sizes) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || type.getRank() != static_cast<int64_t>(sizes.size()))
    return;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!type.isDynamicDim(d)) {
      sizes[d] = b.getIndexAttr(type.getDimSize(d));
      continue;
    }
    for (int64_t i = 0, rank = rankOf(converted); types.dims() && i < rank; ++i)
      if (types.dims()->equal(op->getOperand(0), i, op->getResult(0), d)) {
        sizes[d] = getDim(b, loc, converted, i);
        break;
      }
  }
}

LogicalResult reshapeOp(const OnnxTypeConverter &types, Operation *op, Value converted,
                        ArrayRef<OpFoldResult> sizes, ConversionPatternRewriter &rewriter) {
  SmallVector<OpFoldResult> known(sizes);
  knownSizes(rewriter, op->getLoc(), types, op, converted, known);
  replaceOp(rewriter, types, op, reshapeTo(rewriter, op->getLoc(), converted, known));
  return success();
}

// The sizes of a result of static shape, which then say all.
std::optional<SmallVector<OpFoldResult>> staticResult(OpBuilder &b, Operation *op) {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  return getAsIndexOpFoldResult(b.getContext(), type.getShape());
}

struct ReshapePattern : OnnxPattern<onnx::ReshapeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ReshapeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    if (auto sizes = staticResult(b, op))
      return reshapeOp(types(), op, input, *sizes, b);
    auto wanted = readShapeTensor(b, loc, op->getOperand(1), adaptor.getOperands()[1],
                                  rankOf(op->getResult(0)));
    if (!wanted)
      return refuse(op, "needs a shape whose number of elements is known");
    bool copyZero = op.getAllowzero() == 0;
    SmallVector<OpFoldResult> from = getDims(b, loc, input), sizes;
    // First 0 (copied from the input), then -1 (what is left).
    for (auto [i, size] : llvm::enumerate(*wanted)) {
      auto constant = getConstantIntValue(size);
      bool canCopy = copyZero && i < from.size();
      if (constant) {
        sizes.push_back(*constant == 0 && canCopy ? from[i] : size);
        continue;
      }
      Value value = toIndex(b, loc, size);
      if (canCopy) {
        Value isZero = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, value,
                                             constIndex(b, loc, 0));
        value = arith::SelectOp::create(b, loc, isZero, toIndex(b, loc, from[i]), value);
      }
      sizes.push_back(value);
    }
    OpFoldResult known = b.getIndexAttr(1);
    SmallVector<Value> isRest(sizes.size());
    for (auto [i, size] : llvm::enumerate(sizes)) {
      auto constant = getConstantIntValue(size);
      if (constant == -1)
        continue;
      if (!constant && !getConstantIntValue((*wanted)[i])) {
        Value value = toIndex(b, loc, size), one = constIndex(b, loc, 1);
        isRest[i] = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, value,
                                          constIndex(b, loc, -1));
        size = arith::SelectOp::create(b, loc, isRest[i], one, value).getResult();
        known = mulIndex(b, loc, known, size);
        continue;
      }
      known = mulIndex(b, loc, known, size);
    }
    OpFoldResult rest;
    auto getRest = [&] {
      if (!rest)
        rest = divIndex(b, loc, productIndex(b, loc, from), known);
      return rest;
    };
    for (auto [i, size] : llvm::enumerate(sizes)) {
      if (getConstantIntValue(size) == -1)
        size = getRest();
      else if (isRest[i])
        size = arith::SelectOp::create(b, loc, isRest[i], toIndex(b, loc, getRest()),
                                       toIndex(b, loc, size))
                   .getResult();
    }
    return reshapeOp(types(), op, input, sizes, b);
  }
};

struct FlattenPattern : OnnxPattern<onnx::FlattenOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::FlattenOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Value input = adaptor.getOperands()[0];
    SmallVector<OpFoldResult> from = getDims(b, op.getLoc(), input);
    int64_t rank = from.size(), axis = op.getAxis();
    if (axis < -rank || axis > rank)
      return refuse(op, "has an axis outside of the input's rank");
    if (axis < 0)
      axis += rank;
    SmallVector<OpFoldResult> sizes{
        productIndex(b, op.getLoc(), ArrayRef(from).take_front(axis)),
        productIndex(b, op.getLoc(), ArrayRef(from).drop_front(axis))};
    replaceOp(b, types(), op, reshapeTo(b, op.getLoc(), input, sizes));
    return success();
  }
};

// Axes of Squeeze and Unsqueeze, sorted; they count in a tensor of `rank`.
std::optional<SmallVector<int64_t>> constantAxes(Value original, int64_t rank) {
  auto axes = getConstantInts(original);
  if (!axes)
    return std::nullopt;
  SmallVector<int64_t> result;
  for (int64_t axis : *axes) {
    auto normal = normalizeAxis(axis, rank);
    if (!normal)
      return std::nullopt;
    result.push_back(*normal);
  }
  llvm::sort(result);
  return result;
}

// Which dimensions of a tensor of `rank` the axes choose, as i1, where they are known at run
// time only. Null if their number is not known.
SmallVector<Value> chosenAxes(OpBuilder &b, Location loc, Value original, Value converted,
                              int64_t rank, int64_t count) {
  auto axes = readShapeTensor(b, loc, original, converted, count);
  SmallVector<Value> chosen;
  for (int64_t d = 0; axes && d < rank; ++d) {
    Value any = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
    for (OpFoldResult axis : *axes) {
      Value at = wrapIndex(b, loc, toIndex(b, loc, axis), constIndex(b, loc, rank));
      Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at, constIndex(b, loc, d));
      any = arith::OrIOp::create(b, loc, any, here);
    }
    chosen.push_back(any);
  }
  return chosen;
}

// sizes[at], where `at` is known at run time; 1 outside.
Value sizeAt(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Value at) {
  Value result = constIndex(b, loc, 1);
  for (auto [i, size] : llvm::enumerate(sizes)) {
    Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at, constIndex(b, loc, i));
    result = arith::SelectOp::create(b, loc, here, toIndex(b, loc, size), result);
  }
  return result;
}

Value incrementUnless(OpBuilder &b, Location loc, Value count, Value condition) {
  Value next = arith::AddIOp::create(b, loc, count, constIndex(b, loc, 1));
  return arith::SelectOp::create(b, loc, condition, count, next);
}

void assertNotOne(OpBuilder &b, Location loc, Value input, int64_t d) {
  Value size = toIndex(b, loc, getDims(b, loc, input)[d]);
  Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, size, constIndex(b, loc, 1));
  runtimeAssert(b, loc, fits,
                "Squeeze: without axes a size that is 1 in this run would go, which the rest of the model is not made for");
}

struct SqueezePattern : OnnxPattern<onnx::SqueezeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::SqueezeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Value input = adaptor.getOperands()[0], axesInput = op->getOperand(1);
    auto type = tensorType(input);
    SmallVector<int64_t> axes;
    if (auto constant = constantAxes(axesInput, type.getRank())) {
      axes = *constant;
    } else if (auto sizes = staticResult(b, op)) {
      return reshapeOp(types(), op, input, *sizes, b);
    } else if (onnx::isNone(axesInput)) {
      // The rank is for sizes of 1 where they are known to be; no other may turn out to be 1.
      for (auto [d, size] : llvm::enumerate(type.getShape()))
        if (size == 1)
          axes.push_back(d);
      if (type.getRank() - static_cast<int64_t>(axes.size()) != rankOf(op->getResult(0)))
        return refuse(op, "needs axes: which sizes are 1 is not known");
      for (int64_t d = 0; d < type.getRank(); ++d)
        if (type.isDynamicDim(d))
          assertNotOne(b, op.getLoc(), input, d);
    } else if (!onnx::isNone(axesInput) && !getConstantInts(axesInput)) {
      return atRunTime(op, adaptor, b);
    } else {
      return refuse(op, "needs axes within the input's rank");
    }
    replaceOp(b, types(), op, squeeze(b, op.getLoc(), input, axes));
    return success();
  }

  // The kept sizes move up by the number of dropped ones before them.
  LogicalResult atRunTime(onnx::SqueezeOp op, OpAdaptor adaptor,
                          ConversionPatternRewriter &b) const {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input), outRank = rankOf(op->getResult(0));
    SmallVector<OpFoldResult> from = getDims(b, loc, input);
    SmallVector<Value> dropped = chosenAxes(b, loc, op->getOperand(1), adaptor.getOperands()[1],
                                            rank, rank - outRank);
    if (static_cast<int64_t>(dropped.size()) != rank)
      return refuse(op, "needs axes whose number is known");
    SmallVector<Value> sizes(outRank, constIndex(b, loc, 1));
    Value position = constIndex(b, loc, 0);
    for (int64_t d = 0; d < rank; ++d) {
      for (int64_t j = 0; j < outRank; ++j) {
        Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, position, constIndex(b, loc, j));
        Value taken = arith::SelectOp::create(b, loc, here, toIndex(b, loc, from[d]), sizes[j]);
        sizes[j] = arith::SelectOp::create(b, loc, dropped[d], sizes[j], taken);
      }
      position = incrementUnless(b, loc, position, dropped[d]);
    }
    return reshapeOp(types(), op, input, getAsOpFoldResult(sizes), b);
  }
};

struct UnsqueezePattern : OnnxPattern<onnx::UnsqueezeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::UnsqueezeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Value input = adaptor.getOperands()[0];
    auto constant = getConstantInts(op->getOperand(1));
    if (!constant) {
      if (auto sizes = staticResult(b, op))
        return reshapeOp(types(), op, input, *sizes, b);
      return atRunTime(op, adaptor, b);
    }
    auto axes = constantAxes(op->getOperand(1), rankOf(input) + constant->size());
    if (!axes)
      return refuse(op, "has an axis outside of the result's rank");
    replaceOp(b, types(), op, unsqueeze(b, op.getLoc(), input, *axes));
    return success();
  }

  LogicalResult atRunTime(onnx::UnsqueezeOp op, OpAdaptor adaptor,
                          ConversionPatternRewriter &b) const {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(op->getResult(0));
    SmallVector<OpFoldResult> from = getDims(b, loc, input), sizes;
    SmallVector<Value> added = chosenAxes(b, loc, op->getOperand(1), adaptor.getOperands()[1], rank,
                                          rank - rankOf(input));
    if (static_cast<int64_t>(added.size()) != rank)
      return refuse(op, "needs axes whose number is known");
    Value next = constIndex(b, loc, 0);
    for (int64_t d = 0; d < rank; ++d) {
      Value size = arith::SelectOp::create(b, loc, added[d], constIndex(b, loc, 1),
                                           sizeAt(b, loc, from, next));
      sizes.push_back(size);
      next = incrementUnless(b, loc, next, added[d]);
    }
    return reshapeOp(types(), op, input, sizes, b);
  }
};

struct TransposePattern : OnnxPattern<onnx::TransposeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::TransposeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    SmallVector<int64_t> perm;
    if (auto given = op->getAttrOfType<DenseI64ArrayAttr>("perm"))
      perm.assign(given.asArrayRef().begin(), given.asArrayRef().end());
    else
      perm = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
    if (static_cast<int64_t>(perm.size()) != rank || !isPermutationVector(perm))
      return refuse(op, "has a perm that is not a permutation of the input's dimensions");
    replaceOp(b, types(), op, transposeTo(b, op.getLoc(), input, perm));
    return success();
  }
};

// The dimension sizes of one spatial block move to or from the channels.
struct DepthToSpacePattern : OnnxPattern<onnx::DepthToSpaceOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::DepthToSpaceOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t size = op.getBlocksize();
    if (rankOf(input) != 4 || size <= 0)
      return refuse(op, "needs an input of rank 4 and a positive blocksize");
    SmallVector<OpFoldResult> from = getDims(b, loc, input);
    OpFoldResult block = b.getIndexAttr(size);
    OpFoldResult channels = divIndex(b, loc, from[1], b.getIndexAttr(size * size));
    bool crd = op.getMode() == "CRD";
    SmallVector<OpFoldResult> split =
        crd ? SmallVector<OpFoldResult>{from[0], channels, block, block, from[2], from[3]}
            : SmallVector<OpFoldResult>{from[0], block, block, channels, from[2], from[3]};
    Value value = reshapeTo(b, loc, input, split);
    value = transposeTo(b, loc, value, crd ? ArrayRef<int64_t>{0, 1, 4, 2, 5, 3}
                                           : ArrayRef<int64_t>{0, 3, 4, 1, 5, 2});
    value = reshapeTo(b, loc, value,
                      {from[0], channels, mulIndex(b, loc, from[2], block),
                       mulIndex(b, loc, from[3], block)});
    replaceOp(b, types(), op, value);
    return success();
  }
};

struct SpaceToDepthPattern : OnnxPattern<onnx::SpaceToDepthOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::SpaceToDepthOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t size = op.getBlocksize();
    if (rankOf(input) != 4 || size <= 0)
      return refuse(op, "needs an input of rank 4 and a positive blocksize");
    SmallVector<OpFoldResult> from = getDims(b, loc, input);
    OpFoldResult block = b.getIndexAttr(size);
    OpFoldResult height = divIndex(b, loc, from[2], block), width = divIndex(b, loc, from[3], block);
    Value value = reshapeTo(b, loc, input, {from[0], from[1], height, block, width, block});
    // As DepthToSpace: DCR puts the block's position before the channels.
    auto mode = op->getAttrOfType<StringAttr>("mode");
    bool crd = mode && mode.getValue() == "CRD";
    value = transposeTo(b, loc, value, crd ? ArrayRef<int64_t>{0, 1, 3, 5, 2, 4}
                                           : ArrayRef<int64_t>{0, 3, 5, 1, 2, 4});
    value = reshapeTo(b, loc, value,
                      {from[0], mulIndex(b, loc, from[1], b.getIndexAttr(size * size)), height, width});
    replaceOp(b, types(), op, value);
    return success();
  }
};

struct IdentityPattern : OnnxPattern<onnx::IdentityOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::IdentityOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    replaceOp(b, types(), op, adaptor.getOperands()[0]);
    return success();
  }
};

// At inference the input passes and the mask is all true.
struct DropoutPattern : OnnxPattern<onnx::DropoutOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::DropoutOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Value training = op->getOperand(2), ratio = op->getOperand(1);
    auto mode = onnx::isNone(training) ? SmallVector<int64_t>{0} : getConstantInts(training);
    auto rate = onnx::isNone(ratio) ? SmallVector<double>{0.5} : getConstantDoubles(ratio);
    Location loc = op.getLoc();
    bool off = (mode && llvm::all_of(*mode, [](int64_t v) { return v == 0; })) ||
               (rate && llvm::all_of(*rate, [](double v) { return v == 0; }));
    bool on = mode && rate && !off;
    if (on)
      return refuse(op, "is supported in inference mode only");
    if (!off) { // decided at run time
      Value isOff = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
      auto orZero = [&](unsigned i) {
        if (onnx::isNone(op->getOperand(i)))
          return;
        ScalarCodec codec = codecOf(op->getOperand(i));
        Value value = codec.decode(b, loc, readScalar(b, loc, adaptor.getOperands()[i]));
        Value isOn = convertScalar(b, loc, value, codec, ScalarCodec(b.getI1Type()));
        Value yes = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
        isOff = arith::OrIOp::create(b, loc, isOff, arith::XOrIOp::create(b, loc, isOn, yes));
      };
      orZero(1);
      orZero(2);
      runtimeAssert(b, loc, isOff, "Dropout is supported in inference mode only");
    }
    Value input = adaptor.getOperands()[0], mask;
    if (!onnx::isNone(op->getResult(1))) {
      Value one = arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(1));
      mask = filled(b, loc, getDims(b, loc, input), one);
    }
    replaceOp(b, types(), op, {input, mask});
    return success();
  }
};

} // namespace

void populateReshapePatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ReshapePattern, FlattenPattern, SqueezePattern, UnsqueezePattern, TransposePattern,
              DepthToSpacePattern, SpaceToDepthPattern, IdentityPattern, DropoutPattern>(patterns,
                                                                                          converter);
}

} // namespace onnxc
