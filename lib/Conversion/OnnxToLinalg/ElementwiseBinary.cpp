// Binary and variadic math, logic and comparison.
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace onnxc {
namespace {

Value add(Scalar s) { return s.add(s.args[0], s.args[1]); }
Value subtract(Scalar s) { return s.sub(s.args[0], s.args[1]); }
Value multiply(Scalar s) { return s.mul(s.args[0], s.args[1]); }
Value divide(Scalar s) { return s.div(s.args[0], s.args[1]); }
Value maximum(Scalar s) { return s.max(s.args[0], s.args[1]); }
Value minimum(Scalar s) { return s.min(s.args[0], s.args[1]); }
Value equal(Scalar s) { return s.eq(s.args[0], s.args[1]); }
Value less(Scalar s) { return s.lt(s.args[0], s.args[1]); }
Value lessOrEqual(Scalar s) { return s.le(s.args[0], s.args[1]); }
Value greater(Scalar s) { return s.gt(s.args[0], s.args[1]); }
Value greaterOrEqual(Scalar s) { return s.ge(s.args[0], s.args[1]); }
Value bitAnd(Scalar s) { return arith::AndIOp::create(s.b, s.loc, s.args[0], s.args[1]); }
Value bitOr(Scalar s) { return arith::OrIOp::create(s.b, s.loc, s.args[0], s.args[1]); }
Value bitXor(Scalar s) { return arith::XOrIOp::create(s.b, s.loc, s.args[0], s.args[1]); }

Value meanOf(Scalar s, int64_t count) { return s.div(s.args[0], s.num(count)); }

// fmod = 1: C's fmod, the dividend's sign. fmod = 0: Python's %, the divisor's sign.
Value modulo(Scalar s) {
  Value x = s.args[0], y = s.args[1];
  Value rem = s.rem(x, y);
  if (s.attr("fmod", 0) != 0 || (!s.isFloat() && s.isUnsigned()))
    return rem;
  Value zero = s.num(0);
  Value nonZero = arith::XOrIOp::create(s.b, s.loc, s.eq(rem, zero),
                                        arith::ConstantOp::create(s.b, s.loc, s.b.getBoolAttr(true)));
  Value differ = arith::XOrIOp::create(s.b, s.loc, s.lt(rem, zero), s.lt(y, zero));
  return s.select(arith::AndIOp::create(s.b, s.loc, nonZero, differ), s.add(rem, y), rem);
}

// Shifts by the width or more, or by a negative amount, shift everything out; a signed
// number to the right leaves its sign.
Value bitShift(Scalar s) {
  auto direction = s.op->getAttrOfType<StringAttr>("direction");
  bool left = direction && direction.getValue() == "LEFT", keepsSign = !left && !s.isUnsigned();
  Value x = s.args[0], last = s.num(onnxBitWidth(s.elem) - 1);
  // As unsigned numbers negative amounts are large.
  Value inside = arith::CmpIOp::create(s.b, s.loc, arith::CmpIPredicate::ule, s.args[1], last);
  Value amount = s.select(inside, s.args[1], last);
  if (keepsSign)
    return arith::ShRSIOp::create(s.b, s.loc, x, amount);
  Value shifted = left ? Value(arith::ShLIOp::create(s.b, s.loc, x, amount))
                       : Value(arith::ShRUIOp::create(s.b, s.loc, x, amount));
  return s.select(inside, shifted, s.num(0));
}

Value parametricRelu(Scalar s) {
  return s.select(s.lt(s.args[0], s.num(0)), s.mul(s.args[0], s.args[1]), s.args[0]);
}

// Integer base and exponent: by squaring, over the bits of the exponent. A negative exponent
// gives what 1/x^n truncates to.
Value integerPower(OpBuilder &b, Location loc, Value base, Value exponent, const Scalar &s) {
  Value one = s.num(1), zero = s.num(0);
  Type type = base.getType();
  SmallVector<Type> state{type, type, type};
  auto loop = scf::WhileOp::create(
      b, loc, state, ValueRange{one, base, exponent},
      [&](OpBuilder &b, Location loc, ValueRange v) {
        Value more = arith::CmpIOp::create(
            b, loc, s.isUnsigned() ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, v[2], zero);
        scf::ConditionOp::create(b, loc, more, v);
      },
      [&](OpBuilder &b, Location loc, ValueRange v) {
        Value odd = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                          arith::AndIOp::create(b, loc, v[2], one), one);
        Value product = arith::MulIOp::create(b, loc, v[0], v[1]);
        Value square = arith::MulIOp::create(b, loc, v[1], v[1]);
        Value half = arith::ShRUIOp::create(b, loc, v[2], one);
        Value result = arith::SelectOp::create(b, loc, odd, product, v[0]);
        scf::YieldOp::create(b, loc, ValueRange{result, square, half});
      });
  Value power = loop.getResult(0);
  if (s.isUnsigned())
    return power;
  Value odd = s.eq(arith::AndIOp::create(b, loc, exponent, one), one);
  Value ofMinusOne = s.select(odd, s.num(-1), one);
  Value inverse = s.select(s.eq(base, one), one, s.select(s.eq(base, s.num(-1)), ofMinusOne, zero));
  return s.select(s.lt(exponent, zero), inverse, power);
}

// The result has the base's type; the exponent may have any other.
struct PowPattern : OnnxPattern<onnx::PowOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::PowOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value base = op->getOperand(0), exponent = op->getOperand(1);
    Type baseElem = onnxElem(base), exponentElem = onnxElem(exponent);
    SmallVector<Operand> operands{{base, adaptor.getOperands()[0]},
                                  {exponent, adaptor.getOperands()[1]}};
    auto known = getConstantDoubles(exponent);
    std::optional<double> uniform;
    if (known && !known->empty() && llvm::all_equal(*known))
      uniform = known->front();
    Value result = createElementwise(
        rewriter, op.getLoc(), types(), operands, op->getResult(0).getType(),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Scalar s{b, loc, args, baseElem};
          Value x = args[0];
          if (uniform == 2.0)
            return s.mul(x, x);
          if (uniform == 3.0)
            return s.mul(s.mul(x, x), x);
          if (uniform == 0.5 && s.isFloat())
            return math::SqrtOp::create(b, loc, x);
          ScalarCodec baseCodec(baseElem), exponentCodec(exponentElem);
          if (!s.isFloat() && !isFloatElem(exponentElem))
            return integerPower(b, loc, x, convertScalar(b, loc, args[1], exponentCodec, baseCodec), s);
          // Integers with a float exponent are computed as double.
          Type wide = s.isFloat() ? baseCodec.computeType() : Type(b.getF64Type());
          ScalarCodec wideCodec(wide);
          Value p = math::PowFOp::create(b, loc, convertScalar(b, loc, x, baseCodec, wideCodec),
                                         convertScalar(b, loc, args[1], exponentCodec, wideCodec));
          return convertScalar(b, loc, p, wideCodec, baseCodec);
        });
    replaceOp(rewriter, types(), op, result);
    return success();
  }
};

// Elements are only moved: the storage type is enough (strings, complex too).
struct WherePattern : OnnxPattern<onnx::WhereOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::WhereOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    SmallVector<Operand> operands;
    for (auto [original, value] : llvm::zip_equal(op->getOperands(), adaptor.getOperands()))
      operands.emplace_back(original, value);
    Location loc = op.getLoc();
    Broadcast bc = broadcastOperands(rewriter, loc, types(), operands,
                                     dyn_cast<RankedTensorType>(op->getResult(0).getType()));
    Value init = emptyTensor(rewriter, loc, bc.sizes, onnxElem(bc.values[1]));
    SmallVector<AffineMap> maps = bc.maps;
    maps.push_back(rewriter.getMultiDimIdentityMap(bc.sizes.size()));
    SmallVector<utils::IteratorType> loops(bc.sizes.size(), utils::IteratorType::parallel);
    ScalarCodec condition(operands[0].elem);
    Value result =
        linalg::GenericOp::create(rewriter, loc, init.getType(), bc.values, init, maps, loops,
                                  [&](OpBuilder &b, Location loc, ValueRange args) {
                                    Value take = condition.decode(b, loc, args[0]);
                                    Value value = arith::SelectOp::create(b, loc, take, args[1], args[2]);
                                    linalg::YieldOp::create(b, loc, value);
                                  })
            .getResult(0);
    replaceOp(rewriter, types(), op, result);
    return success();
  }
};

// Strings are compared by a kernel; it broadcasts.
struct StringEqualPattern : OnnxPattern<onnx::EqualOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::EqualOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (!isStringElem(onnxElem(op->getOperand(0))))
      return failure();
    SmallVector<Operand> operands;
    for (auto [original, value] : llvm::zip_equal(op->getOperands(), adaptor.getOperands()))
      operands.emplace_back(original, value);
    replaceOp(rewriter, types(), op,
              callKernel(rewriter, op.getLoc(), types(), "StringEqual", operands,
                         op->getResultTypes()));
    return success();
  }
};

} // namespace

void populateElementwiseBinaryPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  Table table{patterns, converter};
  table.add<onnx::AddOp>(add);
  table.add<onnx::SubOp>(subtract);
  table.add<onnx::MulOp>(multiply);
  table.add<onnx::DivOp>(divide);
  table.add<onnx::ModOp>(modulo);
  table.add<onnx::AndOp>(bitAnd);
  table.add<onnx::OrOp>(bitOr);
  table.add<onnx::XorOp>(bitXor);
  table.add<onnx::BitwiseAndOp>(bitAnd);
  table.add<onnx::BitwiseOrOp>(bitOr);
  table.add<onnx::BitwiseXorOp>(bitXor);
  table.add<onnx::BitShiftOp>(bitShift);
  table.add<onnx::EqualOp>(equal);
  table.add<onnx::LessOp>(less);
  table.add<onnx::LessOrEqualOp>(lessOrEqual);
  table.add<onnx::GreaterOp>(greater);
  table.add<onnx::GreaterOrEqualOp>(greaterOrEqual);
  table.add<onnx::PReluOp>(parametricRelu);
  table.addVariadic(onnx::MaxOp::getOperationName(), maximum);
  table.addVariadic(onnx::MinOp::getOperationName(), minimum);
  table.addVariadic(onnx::SumOp::getOperationName(), add);
  table.addVariadic(onnx::MeanOp::getOperationName(), add, meanOf);
  addPatterns<PowPattern, WherePattern, StringEqualPattern>(patterns, converter);
}

} // namespace onnxc
