// The pattern behind each table entry, and arithmetic that C++ would call undefined.
#include "ElementwiseTable.h"

using namespace mlir;

namespace onnxc {

// x86 traps on a zero divisor and on INT_MIN / -1. A zero divisor gives 0 here.
static std::pair<Value, Value> safeDivisor(const Scalar &s, Value x, Value y) {
  Value isZero = s.eq(y, s.num(0));
  Value divisor = s.select(isZero, s.num(1), y);
  if (!s.isUnsigned()) {
    unsigned width = s.type().getIntOrFloatBitWidth();
    Value lowest = arith::ConstantOp::create(
        s.b, s.loc, s.b.getIntegerAttr(s.type(), APInt::getSignedMinValue(width)));
    Value overflow =
        arith::AndIOp::create(s.b, s.loc, s.eq(x, lowest), s.eq(y, s.num(-1)));
    divisor = s.select(overflow, s.num(1), divisor);
  }
  return {isZero, divisor};
}

Value Scalar::div(Value x, Value y) const {
  if (isFloat())
    return arith::DivFOp::create(b, loc, x, y);
  auto [isZero, divisor] = safeDivisor(*this, x, y);
  Value quotient = isUnsigned() ? Value(arith::DivUIOp::create(b, loc, x, divisor))
                                : Value(arith::DivSIOp::create(b, loc, x, divisor));
  return select(isZero, num(0), quotient);
}

Value Scalar::rem(Value x, Value y) const {
  if (isFloat())
    return arith::RemFOp::create(b, loc, x, y);
  auto [isZero, divisor] = safeDivisor(*this, x, y);
  Value remainder = isUnsigned() ? Value(arith::RemUIOp::create(b, loc, x, divisor))
                                 : Value(arith::RemSIOp::create(b, loc, x, divisor));
  return select(isZero, num(0), remainder);
}

Value Scalar::max(Value x, Value y) const {
  if (isFloat())
    return arith::MaximumFOp::create(b, loc, x, y);
  return isUnsigned() ? Value(arith::MaxUIOp::create(b, loc, x, y))
                      : Value(arith::MaxSIOp::create(b, loc, x, y));
}

Value Scalar::min(Value x, Value y) const {
  if (isFloat())
    return arith::MinimumFOp::create(b, loc, x, y);
  return isUnsigned() ? Value(arith::MinUIOp::create(b, loc, x, y))
                      : Value(arith::MinSIOp::create(b, loc, x, y));
}

double Scalar::attr(StringRef name, double fallback) const {
  Attribute value = op->getAttr(name);
  if (auto f = dyn_cast_or_null<FloatAttr>(value))
    return f.getValueAsDouble();
  if (auto i = dyn_cast_or_null<IntegerAttr>(value))
    return i.getInt();
  return fallback;
}

namespace {

struct TablePattern : ConversionPattern {
  TablePattern(const OnnxTypeConverter &converter, StringRef name, MLIRContext *ctx, ScalarFn fn,
               bool fold, Value (*finish)(Scalar, int64_t))
      : ConversionPattern(converter, name, /*benefit=*/1, ctx), fn(fn), fold(fold), finish(finish) {
  }

  LogicalResult matchAndRewrite(Operation *op, ArrayRef<Value> converted,
                                ConversionPatternRewriter &rewriter) const override {
    auto &types = static_cast<const OnnxTypeConverter &>(*getTypeConverter());
    SmallVector<Operand> operands;
    for (auto [original, value] : llvm::zip_equal(op->getOperands(), converted)) {
      Type elem = onnxElem(original);
      if (!elem || !elem.isIntOrFloat())
        return types.refuse(op, "has an operand that is not a tensor of numbers");
      operands.emplace_back(original, value);
    }
    if (operands.empty())
      return types.refuse(op, "has no operands");
    Type elem = operands.front().elem;
    Value result = createElementwise(
        rewriter, op->getLoc(), types, operands, op->getResult(0).getType(),
        [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
          if (!fold)
            return fn(Scalar{b, loc, args, elem, op});
          Value value = args.front();
          for (Value next : args.drop_front())
            value = fn(Scalar{b, loc, ValueRange{value, next}, elem, op});
          return finish ? finish(Scalar{b, loc, value, elem, op}, args.size()) : value;
        });
    replaceOp(rewriter, types, op, result);
    return success();
  }

  ScalarFn fn;
  bool fold;
  Value (*finish)(Scalar, int64_t);
};

} // namespace

void Table::add(StringRef opName, ScalarFn fn) {
  patterns.add<TablePattern>(converter, opName, patterns.getContext(), fn, false, nullptr);
}

void Table::addVariadic(StringRef opName, ScalarFn combine, Value (*finish)(Scalar, int64_t)) {
  patterns.add<TablePattern>(converter, opName, patterns.getContext(), combine, true, finish);
}

} // namespace onnxc
