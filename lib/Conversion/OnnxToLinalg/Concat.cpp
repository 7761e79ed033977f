// Concat, Expand and Tile: results put together from whole inputs.
#include "KnownSizes.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace onnxc {
namespace {

// Each input is inserted into the result.
struct ConcatPattern : OnnxPattern<onnx::ConcatOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ConcatOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    ValueRange inputs = adaptor.getOperands();
    auto axis = normalizeAxis(op.getAxis(), rankOf(inputs.front()));
    if (!axis)
      return refuse(op, "has an axis outside of the inputs' rank");
    if (inputs.size() == 1) {
      replaceOp(b, types(), op, inputs.front());
      return success();
    }
    if (auto elements = shapeElements(b, loc, inputs)) {
      SmallVector<Value> all;
      for (ArrayRef<Value> list : *elements)
        llvm::append_range(all, list);
      auto type = RankedTensorType::get(all.size(), onnxElem(inputs.front()));
      replaceOp(b, types(), op, fromElements(b, loc, type, all));
      return success();
    }
    SmallVector<OpFoldResult> sizes = getDims(b, loc, inputs.front());
    SmallVector<SmallVector<OpFoldResult>> parts;
    OpFoldResult total = b.getIndexAttr(0);
    for (auto [k, input] : llvm::enumerate(inputs)) {
      parts.push_back(getDims(b, loc, input));
      total = addIndex(b, loc, total, parts.back()[*axis]);
      for (size_t d = 0; d < sizes.size(); ++d) {
        if (static_cast<int64_t>(d) == *axis || k == 0)
          continue;
        auto known = getConstantIntValue(parts.back()[d]);
        bool same = (known && known == getConstantIntValue(sizes[d])) ||
                    types().dims()->equal(op->getOperand(0), d, op->getOperand(k), d);
        if (!same)
          runtimeAssert(b, loc,
                        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                              toIndex(b, loc, parts.back()[d]),
                                              toIndex(b, loc, sizes[d])),
                        "Concat: the inputs' sizes differ");
        if (known)
          sizes[d] = parts.back()[d];
      }
    }
    sizes[*axis] = total;
    Value result = emptyTensor(b, loc, sizes, onnxElem(inputs.front()));
    if (hasZero(sizes)) {
      replaceOp(b, types(), op, result);
      return success();
    }
    OpFoldResult position = b.getIndexAttr(0);
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    for (auto [input, part] : llvm::zip(inputs, parts)) {
      // Nothing to insert; at the end the verifier would refuse the offset.
      if (hasZero(part))
        continue;
      SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
      offsets[*axis] = position;
      Value source = withSizes(b, loc, input, part);
      result = tensor::InsertSliceOp::create(b, loc, source, result, offsets, part, strides);
      position = addIndex(b, loc, position, part[*axis]);
    }
    replaceOp(b, types(), op, result);
    return success();
  }
};

// Numpy's broadcast of the input's shape with the given one.
struct ExpandPattern : OnnxPattern<onnx::ExpandOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ExpandOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    auto target = readTarget(b, loc, op, adaptor.getOperands());
    if (!target)
      return refuse(op, "needs a shape whose number of elements is known");
    SmallVector<OpFoldResult> dims = getDims(b, loc, input);
    int64_t rank = std::max(dims.size(), target->size());
    int64_t skipIn = rank - dims.size(), skipTarget = rank - target->size();
    auto resultType = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    Value one = constIndex(b, loc, 1);
    auto equals = [&](OpFoldResult x, Value y) -> Value {
      return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, toIndex(b, loc, x), y);
    };
    SmallVector<OpFoldResult> sizes;
    SmallVector<Value> pickZero(dims.size()); // i1: this dimension is repeated
    SmallVector<AffineExpr> exprs;
    for (int64_t d = 0; d < rank; ++d) {
      OpFoldResult in = d < skipIn ? OpFoldResult(b.getIndexAttr(1)) : dims[d - skipIn];
      OpFoldResult to = d < skipTarget ? OpFoldResult(b.getIndexAttr(1)) : (*target)[d - skipTarget];
      auto fixedIn = getConstantIntValue(in), fixedTo = getConstantIntValue(to);
      OpFoldResult size;
      bool repeat = false, plain = false;
      if (fixedIn == 1) {
        size = to;
        repeat = fixedTo != 1;
        plain = !repeat;
      } else if (fixedTo == 1 || (fixedIn && fixedIn == fixedTo) ||
                 (d >= skipIn &&
                  types().dims()->equal(op->getOperand(0), d - skipIn, op->getResult(0), d))) {
        size = in;
        plain = true;
      } else {
        Value inIsOne = equals(in, one);
        size = arith::SelectOp::create(b, loc, inIsOne, toIndex(b, loc, to), toIndex(b, loc, in))
                   .getResult();
        Value fits = arith::OrIOp::create(b, loc, equals(to, one), equals(to, toIndex(b, loc, size)));
        runtimeAssert(b, loc, fits, "Expand: the input cannot be broadcast to the shape");
        plain = fixedIn.has_value();
        if (!plain)
          pickZero[d - skipIn] = inIsOne;
      }
      if (resultType && resultType.getRank() == rank && !resultType.isDynamicDim(d))
        size = b.getIndexAttr(resultType.getDimSize(d));
      sizes.push_back(size);
      if (d >= skipIn)
        exprs.push_back(repeat ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(d));
    }
    if (llvm::any_of(pickZero, [](Value v) { return !!v; })) {
      Value zero = constIndex(b, loc, 0);
      replaceOp(b, types(), op,
                createFromIndices(b, loc, sizes, onnxElem(input),
                                  [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
                                    SmallVector<Value> at(indices.drop_front(skipIn));
                                    for (auto [i, pick] : llvm::enumerate(pickZero)) {
                                      if (pick)
                                        at[i] = arith::SelectOp::create(b, loc, pick, zero, at[i]);
                                      else if (isa<AffineConstantExpr>(exprs[i]))
                                        at[i] = zero;
                                    }
                                    return tensor::ExtractOp::create(b, loc, input, at);
                                  }));
      return success();
    }
    Value init = emptyTensor(b, loc, sizes, onnxElem(input));
    SmallVector<AffineMap> maps{AffineMap::get(rank, 0, exprs, b.getContext()),
                                b.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    replaceOp(b, types(), op,
              linalg::GenericOp::create(b, loc, init.getType(), input, init, maps, loops,
                                        [](OpBuilder &b, Location loc, ValueRange args) {
                                          linalg::YieldOp::create(b, loc, args[0]);
                                        })
                  .getResult(0));
    return success();
  }

private:
  /// The elements of the shape. Where only the run knows how many there are, ones before them make them as many as the
  /// result has dimensions.
  static std::optional<SmallVector<OpFoldResult>> readTarget(OpBuilder &b, Location loc, onnx::ExpandOp op,
                                                             ValueRange operands) {
    Value list = operands[1];
    auto type = tensorType(list);
    int64_t rank = rankOf(op->getResult(0)), given = rankOf(operands[0]);
    if (!type || type.getRank() != 1 || type.hasStaticShape() || rank < 0)
      return readShapeTensor(b, loc, op->getOperand(1), list, rank);
    Value count = toIndex(b, loc, getDim(b, loc, list, 0)), all = constIndex(b, loc, rank);
    // A shorter shape leaves the input's rank.
    auto fits = given == rank ? arith::CmpIPredicate::sle : arith::CmpIPredicate::eq;
    runtimeAssert(b, loc, arith::CmpIOp::create(b, loc, fits, count, all),
                  "Expand: the shape has another number of elements than the model implies");
    SmallVector<OpFoldResult> sizes;
    Value zero = constIndex(b, loc, 0), one = constIndex(b, loc, 1);
    for (int64_t d = 0; d < rank; ++d) {
      Value at = arith::SubIOp::create(b, loc, arith::AddIOp::create(b, loc, count, constIndex(b, loc, d)), all);
      Value isThere = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, at, zero);
      auto size = scf::IfOp::create(
          b, loc, isThere,
          [&](OpBuilder &b, Location loc) {
            Value element = tensor::ExtractOp::create(b, loc, list, at);
            scf::YieldOp::create(b, loc, Value(arith::IndexCastOp::create(b, loc, b.getIndexType(), element)));
          },
          [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, one); });
      sizes.push_back(size.getResult(0));
    }
    return sizes;
  }
};

struct TilePattern : OnnxPattern<onnx::TileOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::TileOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    auto repeats =
        readShapeTensor(b, loc, op->getOperand(1), adaptor.getOperands()[1], rankOf(input));
    SmallVector<OpFoldResult> dims = getDims(b, loc, input), sizes;
    if (!repeats || repeats->size() != dims.size())
      return refuse(op, "needs one repeat count for each dimension");
    OpFoldResult zero = b.getIndexAttr(0);
    for (auto [dim, repeat] : llvm::zip(dims, *repeats))
      sizes.push_back(mulIndex(b, loc, dim, maxIndex(b, loc, repeat, zero)));
    Value result = createFromIndices(
        b, loc, sizes, onnxElem(input),
        [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> at;
          for (auto [i, dim, repeat] : llvm::zip(indices, dims, *repeats)) {
            bool once = getConstantIntValue(repeat) == 1;
            // The loop has no iteration where the size is 0.
            at.push_back(once ? Value(i)
                              : Value(arith::RemUIOp::create(b, loc, i, toIndex(b, loc, dim))));
          }
          return tensor::ExtractOp::create(b, loc, input, at);
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

} // namespace

void populateConcatPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ConcatPattern, ExpandPattern, TilePattern>(patterns, converter);
}

} // namespace onnxc
