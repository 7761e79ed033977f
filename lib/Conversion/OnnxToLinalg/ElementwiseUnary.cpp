// Unary math and logic. Costly functions stay math ops on f32/f64; later passes
// approximate them.
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

template <typename MathOp>
Value floatOp(Scalar s) {
  return MathOp::create(s.b, s.loc, s.args[0]);
}

Value absolute(Scalar s) {
  if (s.isFloat())
    return math::AbsFOp::create(s.b, s.loc, s.args[0]);
  if (s.isUnsigned())
    return s.args[0];
  return s.select(s.lt(s.args[0], s.num(0)), s.sub(s.num(0), s.args[0]), s.args[0]);
}

Value negate(Scalar s) {
  if (s.isFloat())
    return arith::NegFOp::create(s.b, s.loc, s.args[0]);
  return s.sub(s.num(0), s.args[0]);
}

Value sign(Scalar s) {
  Value x = s.args[0];
  if (s.isUnsigned())
    return s.select(s.eq(x, s.num(0)), x, s.num(1));
  Value result = s.select(s.lt(x, s.num(0)), s.num(-1), s.num(0));
  result = s.select(s.gt(x, s.num(0)), s.num(1), result);
  if (s.isFloat()) // NaN stays NaN
    result = s.select(s.isNan(x), x, result);
  return result;
}

Value reciprocal(Scalar s) { return s.div(s.num(1), s.args[0]); }

Value logicalNot(Scalar s) { return arith::XOrIOp::create(s.b, s.loc, s.args[0], s.num(1)); }

Value bitwiseNot(Scalar s) { return arith::XOrIOp::create(s.b, s.loc, s.args[0], s.num(-1)); }

Value isNan(Scalar s) { return s.isNan(s.args[0]); }

// Half to even; integers are unchanged.
Value roundEven(Scalar s) {
  return s.isFloat() ? Value(math::RoundEvenOp::create(s.b, s.loc, s.args[0])) : s.args[0];
}
Value ceiling(Scalar s) {
  return s.isFloat() ? Value(math::CeilOp::create(s.b, s.loc, s.args[0])) : s.args[0];
}
Value flooring(Scalar s) {
  return s.isFloat() ? Value(math::FloorOp::create(s.b, s.loc, s.args[0])) : s.args[0];
}

// Not all have a float version only: Erf and the like take integers too.
template <typename MathOp>
Value throughFloat(Scalar s) {
  if (s.isFloat())
    return floatOp<MathOp>(s);
  ScalarCodec f32{Float32Type::get(s.b.getContext())}, self{s.elem};
  Value x = convertScalar(s.b, s.loc, s.args[0], self, f32);
  return convertScalar(s.b, s.loc, MathOp::create(s.b, s.loc, x), f32, self);
}

struct IsInfPattern : OnnxPattern<onnx::IsInfOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::IsInfOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    bool negative = op.getDetectNegative() != 0, positive = op.getDetectPositive() != 0;
    Value input = op->getOperand(0);
    Value result = createElementwise(
        rewriter, op.getLoc(), types(), Operand(input, adaptor.getOperands()[0]),
        op->getResult(0).getType(), [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          Scalar s{b, loc, args, onnxElem(input)};
          Value inf = s.num(std::numeric_limits<double>::infinity());
          Value minusInf = s.num(-std::numeric_limits<double>::infinity());
          Value isPositive = s.eq(args[0], inf), isNegative = s.eq(args[0], minusInf);
          Value none = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
          return arith::OrIOp::create(b, loc, positive ? isPositive : none,
                                      negative ? isNegative : none);
        });
    replaceOp(rewriter, types(), op, result);
    return success();
  }
};

} // namespace

void populateElementwiseUnaryPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  Table table{patterns, converter};
  table.add<onnx::AbsOp>(absolute);
  table.add<onnx::NegOp>(negate);
  table.add<onnx::SignOp>(sign);
  table.add<onnx::ReciprocalOp>(reciprocal);
  table.add<onnx::NotOp>(logicalNot);
  table.add<onnx::BitwiseNotOp>(bitwiseNot);
  table.add<onnx::IsNaNOp>(isNan);
  table.add<onnx::RoundOp>(roundEven);
  table.add<onnx::CeilOp>(ceiling);
  table.add<onnx::FloorOp>(flooring);
  table.add<onnx::SqrtOp>(throughFloat<math::SqrtOp>);
  table.add<onnx::ExpOp>(throughFloat<math::ExpOp>);
  table.add<onnx::LogOp>(throughFloat<math::LogOp>);
  table.add<onnx::ErfOp>(throughFloat<math::ErfOp>);
  table.add<onnx::SinOp>(throughFloat<math::SinOp>);
  table.add<onnx::CosOp>(throughFloat<math::CosOp>);
  table.add<onnx::TanOp>(throughFloat<math::TanOp>);
  table.add<onnx::AsinOp>(throughFloat<math::AsinOp>);
  table.add<onnx::AcosOp>(throughFloat<math::AcosOp>);
  table.add<onnx::AtanOp>(throughFloat<math::AtanOp>);
  table.add<onnx::SinhOp>(throughFloat<math::SinhOp>);
  table.add<onnx::CoshOp>(throughFloat<math::CoshOp>);
  table.add<onnx::TanhOp>(throughFloat<math::TanhOp>);
  table.add<onnx::AsinhOp>(throughFloat<math::AsinhOp>);
  table.add<onnx::AcoshOp>(throughFloat<math::AcoshOp>);
  table.add<onnx::AtanhOp>(throughFloat<math::AtanhOp>);
  addPatterns<IsInfPattern>(patterns, converter);
}

} // namespace onnxc
