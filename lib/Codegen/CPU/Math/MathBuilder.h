// Arithmetic on f32 and f64, single or in vectors, as the expansions of elementary functions write it.
// Every method makes operations; all values have the shape of the function's operand, so the same code
// gives the same bits for a scalar, a vector, and a lane of either.
#ifndef ONNXC_CODEGEN_CPU_MATH_MATHBUILDER_H
#define ONNXC_CODEGEN_CPU_MATH_MATHBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace onnxc {

class MathBuilder {
public:
  using Value = mlir::Value;

  /// `like`: the operand's type, f32 or a vector of it. `fused`: the machine multiplies and adds in
  /// one instruction.
  MathBuilder(mlir::OpBuilder &b, mlir::Location loc, mlir::Type like, bool fused)
      : b(b), loc(loc), like(like), fused(fused) {}

  mlir::OpBuilder &b;
  mlir::Location loc;

  bool isFused() const { return fused; }
  mlir::Type withElement(mlir::Type element) const {
    auto vector = mlir::dyn_cast<mlir::VectorType>(like);
    return vector ? mlir::Type(vector.clone(element)) : element;
  }

  // ---- constants ----

  Value num(double value) { return constant(b.getF32FloatAttr(value)); }
  Value wide(double value) { return constant(b.getF64FloatAttr(value)); }
  Value int32(int32_t value) { return constant(b.getI32IntegerAttr(value)); }
  Value int64(int64_t value) { return constant(b.getI64IntegerAttr(value)); }

  // ---- floating point; constants take the other operand's type ----

  Value add(Value x, Value y) { return mlir::arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return mlir::arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return mlir::arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return mlir::arith::DivFOp::create(b, loc, x, y); }
  Value add(Value x, double y) { return add(x, alike(x, y)); }
  Value sub(Value x, double y) { return sub(x, alike(x, y)); }
  Value sub(double x, Value y) { return sub(alike(y, x), y); }
  Value mul(Value x, double y) { return mul(x, alike(x, y)); }
  Value div(double x, Value y) { return div(alike(y, x), y); }
  /// x * y + z. Where the machine has no such instruction the product is rounded, too.
  Value fma(Value x, Value y, Value z) {
    if (!fused)
      return add(mul(x, y), z);
    return mlir::math::FmaOp::create(b, loc, x, y, z);
  }
  Value fma(Value x, double y, Value z) { return fma(x, alike(x, y), z); }
  Value fma(Value x, Value y, double z) { return fma(x, y, alike(x, z)); }
  Value fma(Value x, double y, double z) { return fma(x, alike(x, y), alike(x, z)); }
  Value neg(Value x) { return mlir::arith::NegFOp::create(b, loc, x); }
  Value abs(Value x) { return mlir::math::AbsFOp::create(b, loc, x); }
  Value sqrt(Value x) { return mlir::math::SqrtOp::create(b, loc, x); }
  Value floor(Value x) { return mlir::math::FloorOp::create(b, loc, x); }
  Value copySign(Value magnitude, Value sign) {
    return mlir::math::CopySignOp::create(b, loc, magnitude, sign);
  }
  Value lt(Value x, Value y) { return cmp(mlir::arith::CmpFPredicate::OLT, x, y); }
  Value lt(Value x, double y) { return lt(x, alike(x, y)); }
  Value gt(Value x, double y) { return cmp(mlir::arith::CmpFPredicate::OGT, x, alike(x, y)); }
  Value eq(Value x, double y) { return eq(x, alike(x, y)); }
  Value eq(Value x, Value y) { return cmp(mlir::arith::CmpFPredicate::OEQ, x, y); }
  Value isNaN(Value x) { return cmp(mlir::arith::CmpFPredicate::UNO, x, x); }
  Value select(Value condition, Value yes, Value no) {
    return mlir::arith::SelectOp::create(b, loc, condition, yes, no);
  }
  Value select(Value condition, double yes, Value no) {
    return select(condition, alike(no, yes), no);
  }
  /// At least or at most a bound; NaN stays.
  Value atLeast(Value x, double bound) { return select(lt(x, bound), bound, x); }
  Value atMost(Value x, double bound) { return select(gt(x, bound), bound, x); }
  /// The polynomial with these coefficients, lowest power first.
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients);

  Value toWide(Value x) {
    return mlir::arith::ExtFOp::create(b, loc, withElement(b.getF64Type()), x);
  }
  Value toSingle(Value x) {
    return mlir::arith::TruncFOp::create(b, loc, withElement(b.getF32Type()), x);
  }

  // ---- integers ----

  /// The bits of an f32 or f64, and back.
  Value bits(Value x);
  Value fromBits(Value x);
  Value addInt(Value x, Value y) { return mlir::arith::AddIOp::create(b, loc, x, y); }
  Value subInt(Value x, Value y) { return mlir::arith::SubIOp::create(b, loc, x, y); }
  Value mulInt(Value x, Value y) { return mlir::arith::MulIOp::create(b, loc, x, y); }
  Value andInt(Value x, Value y) { return mlir::arith::AndIOp::create(b, loc, x, y); }
  Value orInt(Value x, Value y) { return mlir::arith::OrIOp::create(b, loc, x, y); }
  Value xorInt(Value x, Value y) { return mlir::arith::XOrIOp::create(b, loc, x, y); }
  Value addInt(Value x, int64_t y) { return addInt(x, alike(x, y)); }
  Value subInt(Value x, int64_t y) { return subInt(x, alike(x, y)); }
  Value andInt(Value x, int64_t y) { return andInt(x, alike(x, y)); }
  Value orInt(Value x, int64_t y) { return orInt(x, alike(x, y)); }
  Value shiftLeft(Value x, Value by) { return mlir::arith::ShLIOp::create(b, loc, x, by); }
  Value shiftLeft(Value x, int64_t by) { return shiftLeft(x, alike(x, by)); }
  Value shiftRight(Value x, int64_t by) {
    return mlir::arith::ShRUIOp::create(b, loc, x, alike(x, by));
  }
  Value shiftRightSigned(Value x, int64_t by) {
    return mlir::arith::ShRSIOp::create(b, loc, x, alike(x, by));
  }
  Value eqInt(Value x, int64_t y) {
    return mlir::arith::CmpIOp::create(b, loc, mlir::arith::CmpIPredicate::eq, x, alike(x, y));
  }
  Value neInt(Value x, int64_t y) {
    return mlir::arith::CmpIOp::create(b, loc, mlir::arith::CmpIPredicate::ne, x, alike(x, y));
  }
  Value intToFloat(Value x) {
    return mlir::arith::SIToFPOp::create(b, loc, withElement(b.getF32Type()), x);
  }
  Value intToWide(Value x) {
    return mlir::arith::SIToFPOp::create(b, loc, withElement(b.getF64Type()), x);
  }
  Value extend(Value x) { // unsigned, to 64 bits
    return mlir::arith::ExtUIOp::create(b, loc, withElement(b.getI64Type()), x);
  }
  Value truncate(Value x) { // to 32 bits
    return mlir::arith::TruncIOp::create(b, loc, withElement(b.getI32Type()), x);
  }

  // ---- conditions ----

  Value both(Value x, Value y) { return mlir::arith::AndIOp::create(b, loc, x, y); }
  Value either(Value x, Value y) { return mlir::arith::OrIOp::create(b, loc, x, y); }
  Value isNot(Value x);
  /// An i1: whether the condition holds in a lane. Told to be rare.
  Value rarelyAny(Value condition);

private:
  Value constant(mlir::TypedAttr value);
  Value alike(Value x, double value) {
    return mlir::getElementTypeOrSelf(x.getType()).isF64() ? wide(value) : num(value);
  }
  Value alike(Value x, int64_t value) {
    return mlir::getElementTypeOrSelf(x.getType()).isInteger(64) ? int64(value)
                                                                  : int32(static_cast<int32_t>(value));
  }
  Value cmp(mlir::arith::CmpFPredicate predicate, Value x, Value y) {
    return mlir::arith::CmpFOp::create(b, loc, predicate, x, y);
  }

  mlir::Type like;
  bool fused;
};

} // namespace onnxc

#endif
