// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: scales and zero points per tensor, per
// axis or per block of an axis.
#include "ElementwiseTable.h"
#include "Quantized.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

// The operands of a quantizing op as inputs of one linalg.generic; blocked parameters, and
// lists that may turn out to have one element, are read at a computed position instead.
struct QuantOp {
  const OnnxTypeConverter &types;
  Operation *op;
  SmallVector<Value> converted;
  ConversionPatternRewriter &b;
  int64_t axis = -1, block = 0;

  LogicalResult init() {
    int64_t rank = rankOf(converted[0]);
    auto attr = op->getAttrOfType<IntegerAttr>("axis");
    auto blockAttr = op->getAttrOfType<IntegerAttr>("block_size");
    block = blockAttr ? blockAttr.getInt() : 0;
    if (block < 0)
      return types.refuse(op, "has a negative block_size");
    for (unsigned i : {1u, 2u}) {
      if (onnx::isNone(op->getOperand(i)) || isScalar(i))
        continue;
      auto normal = normalizeAxis(attr ? attr.getInt() : 1, rank);
      if (!normal && rankOf(converted[i]) == 1) { // then it must be one number
        Type one = RankedTensorType::get({1}, onnxElem(converted[i]));
        if (!tensorType(converted[i]).isDynamicDim(0))
          return types.refuse(op, "has an axis outside of the input's rank");
        converted[i] = castTensor(b, op->getLoc(), converted[i], one);
        continue;
      }
      if (!normal)
        return types.refuse(op, "has an axis outside of the input's rank");
      axis = *normal;
      int64_t expected = block ? rank : 1;
      if (rankOf(converted[i]) != expected)
        return types.refuse(op, "has a scale or zero point of a rank that does not fit");
      checkSizes(converted[i]);
    }
    return success();
  }

  bool isScalar(unsigned i) const {
    auto type = tensorType(converted[i]);
    return type.getRank() == 0 || (type.hasStaticShape() && type.getNumElements() == 1);
  }

  static Value isOne(OpBuilder &b, Location loc, Value list) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                 toIndex(b, loc, getDim(b, loc, list, 0)), constIndex(b, loc, 1));
  }

  // Whether a list may hold one value for the whole tensor at run time.
  bool mayBeScalar(unsigned i) const {
    return !block && !isScalar(i) && tensorType(converted[i]).isDynamicDim(0) &&
           !(types.dims() && types.dims()->equal(op->getOperand(i), 0, op->getOperand(0), axis));
  }

  bool isRead(unsigned i) const { return !isScalar(i) && (block || mayBeScalar(i)); }

  // The parameter must cover the input.
  void checkSizes(Value parameter) const {
    Location loc = op->getLoc();
    SmallVector<OpFoldResult> sizes = getDims(b, loc, converted[0]);
    for (auto [d, size] : llvm::enumerate(sizes)) {
      bool isAxis = static_cast<int64_t>(d) == axis;
      if (!block && !isAxis)
        continue;
      OpFoldResult needed =
          isAxis && block ? ceilDivIndex(b, loc, size, b.getIndexAttr(block)) : size;
      OpFoldResult given = getDim(b, loc, parameter, block ? d : 0);
      if (isEqualConstantIntOrValue(needed, given))
        continue;
      Value enough = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                           toIndex(b, loc, given), toIndex(b, loc, needed));
      if (!block)
        enough = arith::OrIOp::create(b, loc, enough, isOne(b, loc, parameter));
      runtimeAssert(b, loc, enough, "a scale or zero point does not cover the input");
    }
  }

  using Body = function_ref<Value(OpBuilder &, Location, Value x, Value scale, Value zero)>;

  // `body` gets decoded values; zero is null if there is no zero point.
  Value build(Body body, EncodeOptions options = {}) const {
    Location loc = op->getLoc();
    Value input = converted[0];
    int64_t rank = rankOf(input);
    ScalarCodec out = codecOf(op->getResult(0));
    SmallVector<Value> inputs{input};
    SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank)};
    SmallVector<int> position(3, -1); // in inputs
    for (unsigned i : {1u, 2u}) {
      if (onnx::isNone(op->getOperand(i)) || isRead(i))
        continue;
      position[i] = inputs.size();
      inputs.push_back(converted[i]);
      SmallVector<AffineExpr> exprs;
      if (isScalar(i))
        exprs.assign(rankOf(converted[i]), b.getAffineConstantExpr(0));
      else
        exprs.push_back(b.getAffineDimExpr(axis));
      maps.push_back(AffineMap::get(rank, 0, exprs, b.getContext()));
    }
    maps.push_back(maps.front());
    Value init = emptyTensor(b, loc, getDims(b, loc, input), out.storageType());
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               b, loc, init.getType(), inputs, init, maps, loops,
               [&](OpBuilder &b, Location loc, ValueRange args) {
                 SmallVector<Value> v(3);
                 v[0] = codecOf(op->getOperand(0)).decode(b, loc, args[0]);
                 for (unsigned i : {1u, 2u}) {
                   if (onnx::isNone(op->getOperand(i)))
                     continue;
                   Value stored = position[i] >= 0 ? args[position[i]] : blockElement(b, loc, i);
                   v[i] = codecOf(op->getOperand(i)).decode(b, loc, stored);
                 }
                 Value result = body(b, loc, v[0], v[1], v[2]);
                 linalg::YieldOp::create(b, loc, out.encode(b, loc, result, options));
               })
        .getResult(0);
  }

  Value blockElement(OpBuilder &b, Location loc, unsigned i) const {
    SmallVector<Value> at;
    if (!block) {
      Value index = linalg::IndexOp::create(b, loc, axis);
      at.push_back(arith::SelectOp::create(b, loc, isOne(b, loc, converted[i]),
                                           constIndex(b, loc, 0), index));
      return tensor::ExtractOp::create(b, loc, converted[i], at);
    }
    for (int64_t d = 0, rank = rankOf(converted[0]); d < rank; ++d) {
      Value index = linalg::IndexOp::create(b, loc, d);
      if (d == axis)
        index = arith::DivUIOp::create(b, loc, index, constIndex(b, loc, block));
      at.push_back(index);
    }
    return tensor::ExtractOp::create(b, loc, converted[i], at);
  }
};

struct QuantizePattern : OnnxPattern<onnx::QuantizeLinearOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::QuantizeLinearOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    QuantOp q{types(), op, llvm::to_vector(adaptor.getOperands()), b};
    if (failed(q.init()))
      return failure();
    Type outElem = onnxElem(op->getResult(0));
    if (isIntElem(outElem) && onnxBitWidth(outElem) > 16)
      return refuse(op, "cannot quantize to integers of more than 16 bits");
    EncodeOptions options;
    options.saturate = op.getSaturate() != 0;
    ScalarCodec in = codecOf(op->getOperand(0)), scaleCodec = codecOf(op->getOperand(1));
    Type wide = in.onnxType().isF64() ? Type(b.getF64Type()) : Type(b.getF32Type());
    ScalarCodec work(wide);
    Value result = q.build(
        [&](OpBuilder &b, Location loc, Value x, Value scale, Value zero) -> Value {
          Value ratio = arith::DivFOp::create(b, loc, convertScalar(b, loc, x, in, work),
                                              convertScalar(b, loc, scale, scaleCodec, work));
          ScalarCodec zeroCodec = isIntElem(outElem) ? ScalarCodec(b.getI32Type()) : work;
          if (zero)
            zero = convertScalar(b, loc, zero, codecOf(op->getOperand(2)), zeroCodec);
          if (isIntElem(outElem))
            return roundToInt(b, loc, ratio, zero, outElem);
          if (zero)
            ratio = arith::AddFOp::create(b, loc, ratio, zero);
          return convertScalar(b, loc, ratio, work, ScalarCodec(outElem));
        },
        options);
    replaceOp(b, types(), op, result);
    return success();
  }
};

struct DequantizePattern : OnnxPattern<onnx::DequantizeLinearOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::DequantizeLinearOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    QuantOp q{types(), op, llvm::to_vector(adaptor.getOperands()), b};
    if (failed(q.init()))
      return failure();
    ScalarCodec in = codecOf(op->getOperand(0)), scaleCodec = codecOf(op->getOperand(1));
    ScalarCodec out = codecOf(op->getResult(0)), work(b.getF32Type());
    Value result = q.build([&](OpBuilder &b, Location loc, Value x, Value scale, Value zero) -> Value {
      // The difference of two integers is exact, in 64 bits for int32.
      Value difference;
      if (zero && isIntElem(in.onnxType())) {
        bool isWide = onnxBitWidth(in.onnxType()) >= 32;
        ScalarCodec integer(isWide ? b.getI64Type() : b.getI32Type());
        difference = arith::SubIOp::create(
            b, loc, convertScalar(b, loc, x, in, integer),
            convertScalar(b, loc, zero, codecOf(op->getOperand(2)), integer));
        difference = convertScalar(b, loc, difference, integer, work);
      } else {
        difference = convertScalar(b, loc, x, in, work);
        if (zero)
          difference = arith::SubFOp::create(
              b, loc, difference, convertScalar(b, loc, zero, codecOf(op->getOperand(2)), work));
      }
      Value y = arith::MulFOp::create(b, loc, difference,
                                      convertScalar(b, loc, scale, scaleCodec, work));
      return convertScalar(b, loc, y, work, out);
    });
    replaceOp(b, types(), op, result);
    return success();
  }
};

// Scale and zero point from the range of the data, which always includes 0.
struct DynamicQuantizePattern : OnnxPattern<onnx::DynamicQuantizeLinearOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::DynamicQuantizeLinearOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    if (!onnxElem(input).isF32())
      return refuse(op, "needs a float input");
    Value low = extremum(b, loc, input, /*isMax=*/false);
    Value high = extremum(b, loc, input, /*isMax=*/true);
    Type f32 = b.getF32Type(), ui8 = IntegerType::get(b.getContext(), 8, IntegerType::Unsigned);
    auto scalarOf = [&](Type t) { return RankedTensorType::get({}, t); };
    SmallVector<Operand> limits{{low, f32}, {high, f32}};
    Value scale = createElementwise(
        b, loc, types(), limits, scalarOf(f32), [](OpBuilder &b, Location loc, ValueRange v) {
          Scalar s{b, loc, v, b.getF32Type()};
          Value span = s.select(s.eq(v[0], v[1]), s.num(1), s.sub(v[1], v[0]));
          return s.div(span, s.num(255));
        });
    SmallVector<Operand> forZero{{low, f32}, {scale, f32}};
    Value point = createElementwise(
        b, loc, types(), forZero, scalarOf(ui8), [&](OpBuilder &b, Location loc, ValueRange v) {
          Scalar s{b, loc, v, b.getF32Type()};
          return roundToInt(b, loc, s.div(s.sub(s.num(0), v[0]), v[1]), Value(), ui8);
        });
    SmallVector<Operand> operands{{op->getOperand(0), input}, {scale, f32}, {point, ui8}};
    Value result = createElementwise(
        b, loc, types(), operands, op->getResult(0).getType(),
        [&](OpBuilder &b, Location loc, ValueRange v) {
          Value ratio = arith::DivFOp::create(b, loc, v[0], v[1]);
          Value zero = convertScalar(b, loc, v[2], ScalarCodec(ui8), ScalarCodec(b.getI32Type()));
          return roundToInt(b, loc, ratio, zero, ui8);
        });
    replaceOp(b, types(), op, {result, scale, point});
    return success();
  }

  /// The least or greatest of 0 and all elements (0-d). Rows first: their work is parallel, and can
  /// join what computes the rows.
  static Value extremum(OpBuilder &b, Location loc, Value input, bool isMax) {
    auto reduce = [&](Value from, int64_t kept) {
      int64_t rank = rankOf(from);
      SmallVector<OpFoldResult> sizes = getDims(b, loc, from);
      sizes.resize(kept);
      Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0));
      Value init = filled(b, loc, sizes, zero);
      AffineMap all = b.getMultiDimIdentityMap(rank);
      SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::reduction);
      std::fill_n(loops.begin(), kept, utils::IteratorType::parallel);
      return linalg::GenericOp::create(
                 b, loc, TypeRange{init.getType()}, from, ValueRange{init},
                 ArrayRef<AffineMap>{all, AffineMap::get(rank, 0, all.getResults().take_front(kept), b.getContext())},
                 loops,
                 [&](OpBuilder &b, Location loc, ValueRange args) {
                   Value v = isMax ? Value(arith::MaximumFOp::create(b, loc, args[0], args[1]))
                                   : Value(arith::MinimumFOp::create(b, loc, args[0], args[1]));
                   linalg::YieldOp::create(b, loc, v);
                 })
          .getResult(0);
    };
    int64_t rank = rankOf(input);
    if (rank >= 2)
      input = reduce(input, rank - 1);
    return reduce(input, 0);
  }
};

} // namespace

void populateQuantizationPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<QuantizePattern, DequantizePattern, DynamicQuantizePattern>(patterns, converter);
}

} // namespace onnxc
