// Shape and Size, and the tensors that are made from sizes and positions alone.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

Value indexToI64(OpBuilder &b, Location loc, OpFoldResult size) {
  if (auto constant = getConstantIntValue(size))
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(*constant));
  return arith::IndexCastOp::create(b, loc, b.getI64Type(), cast<Value>(size));
}

struct ShapePattern : OnnxPattern<onnx::ShapeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ShapeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    auto position = [&](StringRef name, int64_t fallback) {
      auto attr = op->getAttrOfType<IntegerAttr>(name);
      int64_t at = attr ? attr.getInt() : fallback;
      return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    SmallVector<Value> sizes;
    for (int64_t d = position("start", 0), end = position("end", rank); d < end; ++d)
      sizes.push_back(indexToI64(b, op.getLoc(), getDim(b, op.getLoc(), input, d)));
    auto type = RankedTensorType::get(sizes.size(), b.getI64Type());
    replaceOp(b, types(), op,
              tensor::FromElementsOp::create(b, op.getLoc(), type, sizes).getResult());
    return success();
  }
};

struct SizePattern : OnnxPattern<onnx::SizeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::SizeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    OpFoldResult size = productIndex(b, loc, getDims(b, loc, adaptor.getOperands()[0]));
    auto type = RankedTensorType::get({}, b.getI64Type());
    Value result = tensor::FromElementsOp::create(b, loc, type, indexToI64(b, loc, size));
    replaceOp(b, types(), op, result);
    return success();
  }
};

struct ConstantOfShapePattern : OnnxPattern<onnx::ConstantOfShapeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ConstantOfShapeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    auto sizes = readShapeTensor(b, loc, op->getOperand(0), adaptor.getOperands()[0],
                                 rankOf(op->getResult(0)));
    if (!sizes)
      return refuse(op, "needs a shape whose number of elements is known");
    Type elem = onnxElem(op->getResult(0));
    ScalarCodec codec(elem);
    TypedAttr fill = codec.storageAttr(0);
    if (auto given = op->getAttrOfType<ElementsAttr>("value")) {
      auto bits = getRawInts(given);
      if (!bits || bits->size() != 1)
        return refuse(op, "needs a value of one number");
      APInt value = bits->front();
      if (auto i = dyn_cast<IntegerType>(codec.storageType())) {
        bool zero = isUnsignedElem(elem) || isa<FloatType>(elem);
        fill = IntegerAttr::get(i, zero ? value.zextOrTrunc(i.getWidth())
                                        : value.sextOrTrunc(i.getWidth()));
      } else {
        auto f = cast<FloatType>(codec.storageType());
        fill = FloatAttr::get(f, APFloat(f.getFloatSemantics(), value));
      }
    }
    // A size below 0 must not reach an allocation.
    for (OpFoldResult &size : *sizes)
      size = maxIndex(b, loc, size, b.getIndexAttr(0));
    Value scalar = arith::ConstantOp::create(b, loc, fill);
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    replaceOp(b, types(), op, filled(b, loc, refineSizes(b, type, *sizes), scalar));
    return success();
  }
};

// start, start + delta, ...; the count is computed in double for floats.
struct RangePattern : OnnxPattern<onnx::RangeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::RangeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    ScalarCodec codec = codecOf(op->getResult(0));
    SmallVector<Value> v; // start, limit, delta
    SmallVector<std::optional<SmallVector<int64_t>>> constants;
    for (auto [original, value] : llvm::zip(op->getOperands(), adaptor.getOperands())) {
      v.push_back(codec.decode(b, loc, readScalar(b, loc, value)));
      constants.push_back(getConstantInts(original));
    }
    OpFoldResult count;
    bool isFloat = isFloatElem(codec.onnxType());
    auto startAt = constants[0], deltaAt = constants[2];
    if (isFloat) {
      ScalarCodec f64(b.getF64Type());
      SmallVector<Value> d;
      for (Value x : v)
        d.push_back(convertScalar(b, loc, x, codec, f64));
      Value steps = arith::DivFOp::create(b, loc, arith::SubFOp::create(b, loc, d[1], d[0]), d[2]);
      Value zero = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(0));
      // A delta of 0 gives NaN or infinity: no elements.
      Value limit = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(1e15));
      steps = math::CeilOp::create(b, loc, steps);
      Value valid = arith::AndIOp::create(
          b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, steps, zero),
          arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, steps, limit));
      steps = arith::SelectOp::create(b, loc, valid, steps, zero);
      Value whole = arith::FPToSIOp::create(b, loc, b.getI64Type(), steps);
      count = arith::IndexCastOp::create(b, loc, b.getIndexType(), whole).getResult();
    } else {
      SmallVector<OpFoldResult> d;
      for (auto [x, constant] : llvm::zip(v, constants)) {
        if (constant && constant->size() == 1)
          d.push_back(b.getIndexAttr(constant->front()));
        else if (codec.isUnsigned())
          d.push_back(arith::IndexCastUIOp::create(b, loc, b.getIndexType(), x).getResult());
        else
          d.push_back(arith::IndexCastOp::create(b, loc, b.getIndexType(), x).getResult());
      }
      count = maxIndex(b, loc, ceilDivIndex(b, loc, subIndex(b, loc, d[1], d[0]), d[2]),
                       b.getIndexAttr(0));
    }
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    SmallVector<OpFoldResult> sizes = refineSizes(b, type, count);
    Value result = createFromIndices(
        b, loc, sizes, codec.storageType(),
        [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          Value i = arith::IndexCastOp::create(b, loc, b.getI64Type(), indices[0]);
          i = convertScalar(b, loc, i, ScalarCodec(b.getI64Type()), codec);
          Value x = isFloat ? Value(arith::AddFOp::create(b, loc, v[0],
                                                          arith::MulFOp::create(b, loc, i, v[2])))
                            : Value(arith::AddIOp::create(b, loc, v[0],
                                                          arith::MulIOp::create(b, loc, i, v[2])));
          return codec.encode(b, loc, x);
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

struct EyeLikePattern : OnnxPattern<onnx::EyeLikeOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::EyeLikeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = getDims(b, loc, adaptor.getOperands()[0]);
    if (sizes.size() != 2)
      return refuse(op, "needs an input of rank 2");
    ScalarCodec codec = codecOf(op->getResult(0));
    Value one = arith::ConstantOp::create(b, loc, codec.storageAttr(1)), zero = codec.zero(b, loc);
    Value shift = constIndex(b, loc, static_cast<int64_t>(op.getK()));
    Value result = createFromIndices(
        b, loc, sizes, codec.storageType(),
        [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          Value column = arith::AddIOp::create(b, loc, i[0], shift);
          Value on = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, i[1], column);
          return arith::SelectOp::create(b, loc, on, one, zero);
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

struct OneHotPattern : OnnxPattern<onnx::OneHotOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::OneHotOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value indices = adaptor.getOperands()[0], values = adaptor.getOperands()[2];
    auto axis = normalizeAxis(op.getAxis(), rankOf(indices) + 1);
    if (!axis)
      return refuse(op, "has an axis outside of the result's rank");
    ScalarCodec in = codecOf(op->getOperand(0)), depthCodec = codecOf(op->getOperand(1));
    ScalarCodec i64(b.getI64Type());
    Value depth = depthCodec.decode(b, loc, readScalar(b, loc, adaptor.getOperands()[1]));
    depth = convertScalar(b, loc, depth, depthCodec, i64);
    OpFoldResult size;
    auto constant = getConstantDoubles(op->getOperand(1));
    if (constant && constant->size() == 1)
      size = b.getIndexAttr(static_cast<int64_t>(constant->front()));
    else
      size = arith::IndexCastOp::create(b, loc, b.getIndexType(), depth).getResult();
    size = maxIndex(b, loc, size, b.getIndexAttr(0));
    SmallVector<OpFoldResult> sizes = getDims(b, loc, indices);
    sizes.insert(sizes.begin() + *axis, size);
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    sizes = refineSizes(b, type, sizes);
    Value off = tensor::ExtractOp::create(b, loc, values, constIndex(b, loc, 0));
    Value on = tensor::ExtractOp::create(b, loc, values, constIndex(b, loc, 1));
    int64_t rank = sizes.size();
    SmallVector<AffineExpr> exprs;
    for (int64_t d = 0; d < rank; ++d)
      if (d != *axis)
        exprs.push_back(b.getAffineDimExpr(d));
    Value init = emptyTensor(b, loc, sizes, onnxElem(values));
    SmallVector<AffineMap> maps{AffineMap::get(rank, 0, exprs, b.getContext()),
                                b.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    Value result =
        linalg::GenericOp::create(
            b, loc, init.getType(), indices, init, maps, loops,
            [&](OpBuilder &b, Location loc, ValueRange args) {
              Value at = convertScalar(b, loc, in.decode(b, loc, args[0]), in, i64);
              Value zero = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
              Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, at, zero);
              at = arith::SelectOp::create(b, loc, negative, arith::AddIOp::create(b, loc, at, depth), at);
              Value here = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                      linalg::IndexOp::create(b, loc, *axis));
              Value hit = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, at, here);
              linalg::YieldOp::create(b, loc, arith::SelectOp::create(b, loc, hit, on, off).getResult());
            })
            .getResult(0);
    replaceOp(b, types(), op, result);
    return success();
  }
};

// Elements on the other side of diagonal k become 0.
struct TriluPattern : OnnxPattern<onnx::TriluOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::TriluOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    if (rank < 2)
      return refuse(op, "needs an input of rank 2 or more");
    Value k = constIndex(b, loc, 0);
    if (!onnx::isNone(op->getOperand(1)))
      k = arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                     readScalar(b, loc, adaptor.getOperands()[1]));
    bool upper = op.getUpper() != 0;
    Value zero = codecOf(op->getOperand(0)).zero(b, loc);
    Value init = emptyTensor(b, loc, getDims(b, loc, input), onnxElem(input));
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    Value result =
        linalg::GenericOp::create(
            b, loc, init.getType(), input, init, maps, loops,
            [&](OpBuilder &b, Location loc, ValueRange args) {
              Value row = linalg::IndexOp::create(b, loc, rank - 2);
              Value column = linalg::IndexOp::create(b, loc, rank - 1);
              Value edge = arith::AddIOp::create(b, loc, row, k);
              Value keep = arith::CmpIOp::create(
                  b, loc, upper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle, column, edge);
              linalg::YieldOp::create(b, loc,
                                      arith::SelectOp::create(b, loc, keep, args[0], zero).getResult());
            })
            .getResult(0);
    replaceOp(b, types(), op, result);
    return success();
  }
};

} // namespace

void populateShapePatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ShapePattern, SizePattern>(patterns, converter);
}

void populateGeneratorPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ConstantOfShapePattern, RangePattern, EyeLikePattern, OneHotPattern, TriluPattern>(
      patterns, converter);
}

} // namespace onnxc
