// Decoding and encoding of stored scalars. Small floats are done with integer
// and f32 arithmetic, since no CPU target computes with them.
#include "onnxc/Conversion/OnnxToLinalg/ScalarCodec.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

// A float8, float6 or float4 format that f32 holds exactly.
struct SmallFloat {
  unsigned bits, mantissa;
  int bias;
  unsigned maxFinite; // code of the largest finite magnitude
  bool hasInf;        // IEEE infinity follows maxFinite
  bool fnuz;          // the code of -0 is NaN
  bool hasNan;
};

std::optional<SmallFloat> smallFloat(Type t) {
  if (isa<Float8E4M3FNType>(t))
    return SmallFloat{8, 3, 7, 0x7e, false, false, true};
  if (isa<Float8E4M3FNUZType>(t))
    return SmallFloat{8, 3, 8, 0x7f, false, true, true};
  if (isa<Float8E5M2Type>(t))
    return SmallFloat{8, 2, 15, 0x7b, true, false, true};
  if (isa<Float8E5M2FNUZType>(t))
    return SmallFloat{8, 2, 16, 0x7f, false, true, true};
  if (isa<Float6E2M3FNType>(t))
    return SmallFloat{6, 3, 1, 0x1f, false, false, false};
  if (isa<Float6E3M2FNType>(t))
    return SmallFloat{6, 2, 3, 0x1f, false, false, false};
  if (isa<Float4E2M1FNType>(t))
    return SmallFloat{4, 1, 1, 0x7, false, false, false};
  return std::nullopt;
}

// Builds constants and arithmetic at one place.
struct Emit {
  OpBuilder &b;
  Location loc;
  Value i32(uint32_t v) {
    return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(static_cast<int32_t>(v)));
  }
  Value f32(float v) { return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(v)); }
  Value asInt(Value v) { return arith::BitcastOp::create(b, loc, b.getI32Type(), v); }
  Value asFloat(Value v) { return arith::BitcastOp::create(b, loc, b.getF32Type(), v); }
  Value cmp(arith::CmpIPredicate p, Value x, Value y) {
    return arith::CmpIOp::create(b, loc, p, x, y);
  }
  Value select(Value c, Value x, Value y) { return arith::SelectOp::create(b, loc, c, x, y); }
  Value andi(Value x, Value y) { return arith::AndIOp::create(b, loc, x, y); }
  Value ori(Value x, Value y) { return arith::OrIOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, loc, x, y); }
  Value shl(Value x, unsigned n) { return arith::ShLIOp::create(b, loc, x, i32(n)); }
  Value shr(Value x, unsigned n) { return arith::ShRUIOp::create(b, loc, x, i32(n)); }
};

constexpr uint32_t kNan = 0x7fc00000, kInf = 0x7f800000;

// The exponent and mantissa put into f32's fields give the value divided by
// 2^(127 - bias), subnormals included.
Value decodeSmall(Emit e, Value stored, const SmallFloat &f) {
  Value bits = arith::ExtUIOp::create(e.b, e.loc, e.b.getI32Type(), stored);
  uint32_t magMask = (1u << (f.bits - 1)) - 1;
  Value mag = e.andi(bits, e.i32(magMask));
  Value sign = e.shl(e.andi(bits, e.i32(magMask + 1)), 32 - f.bits);
  Value scaled = arith::MulFOp::create(e.b, e.loc, e.asFloat(e.shl(mag, 23 - f.mantissa)),
                                       e.f32(std::ldexp(1.f, 127 - f.bias)));
  Value result = e.asInt(scaled);
  if (f.fnuz) {
    result = e.ori(result, sign);
    Value isNan = e.cmp(arith::CmpIPredicate::eq, bits, e.i32(0x80));
    return e.asFloat(e.select(isNan, e.i32(kNan), result));
  }
  if (f.hasInf)
    result = e.select(e.cmp(arith::CmpIPredicate::eq, mag, e.i32(f.maxFinite + 1)), e.i32(kInf), result);
  if (f.hasNan) {
    unsigned last = f.hasInf ? f.maxFinite + 1 : f.maxFinite;
    result = e.select(e.cmp(arith::CmpIPredicate::ugt, mag, e.i32(last)), e.i32(kNan), result);
  }
  return e.asFloat(e.ori(result, sign));
}

// Rounds to nearest even. Normal results by adding half of the last place to the bits;
// subnormal ones by adding a float whose last place is the format's quantum.
Value encodeSmall(Emit e, Value value, const SmallFloat &f, bool saturate) {
  Value bits = e.asInt(value);
  Value absBits = e.andi(bits, e.i32(0x7fffffff));
  Value sign = e.shr(e.andi(bits, e.i32(0x80000000u)), 32 - f.bits);
  unsigned drop = 23 - f.mantissa;

  Value odd = e.andi(e.shr(absBits, drop), e.i32(1));
  Value rounded = e.add(e.add(absBits, e.i32((1u << (drop - 1)) - 1)), odd);
  Value normal = e.sub(e.shr(rounded, drop), e.i32(static_cast<uint32_t>(127 - f.bias) << f.mantissa));

  float magic = std::ldexp(1.f, 1 - f.bias - static_cast<int>(f.mantissa) + 23);
  Value subnormal = e.sub(
      e.asInt(arith::AddFOp::create(e.b, e.loc, e.asFloat(absBits), e.f32(magic))), e.asInt(e.f32(magic)));
  Value isSmall = e.cmp(arith::CmpIPredicate::ult, absBits,
                        e.asInt(e.f32(std::ldexp(1.f, 1 - f.bias))));
  Value mag = e.select(isSmall, subnormal, normal);

  // IEEE-like E5M2 has many NaNs; this is the quiet one.
  uint32_t nan = f.fnuz ? 0x80 : f.hasInf ? 0x7e : 0x7f;
  uint32_t overflow = f.maxFinite;
  if (!saturate && f.hasNan)
    overflow = f.hasInf ? f.maxFinite + 1 : nan;
  Value tooBig = e.cmp(arith::CmpIPredicate::sgt, mag, e.i32(f.maxFinite));
  mag = e.select(tooBig, e.i32(overflow), mag);
  Value result = e.ori(mag, sign);
  if (f.fnuz) { // there is no -0, and NaN has no sign
    Value plain = e.cmp(arith::CmpIPredicate::eq, e.andi(mag, e.i32(0x7f)), e.i32(0));
    result = e.select(plain, mag, result);
  }
  Value isNan = e.cmp(arith::CmpIPredicate::ugt, absBits, e.i32(kInf));
  Value signBit = e.i32(1u << (f.bits - 1));
  // Without a NaN, a zero of the other sign stands for it (as ml_dtypes has it).
  Value coded = f.fnuz     ? e.i32(nan)
                : f.hasNan ? e.ori(e.i32(nan), sign)
                           : Value(arith::XOrIOp::create(e.b, e.loc, sign, signBit));
  result = e.select(isNan, coded, result);
  return arith::TruncIOp::create(e.b, e.loc, e.b.getI8Type(), result);
}

// float8e8m0: only the exponent; 255 is NaN, there is no sign and no zero.
Value decodeE8M0(Emit e, Value stored) {
  Value bits = arith::ExtUIOp::create(e.b, e.loc, e.b.getI32Type(), stored);
  Value result = e.shl(bits, 23);
  result = e.select(e.cmp(arith::CmpIPredicate::eq, bits, e.i32(0)), e.i32(0x00400000), result);
  result = e.select(e.cmp(arith::CmpIPredicate::eq, bits, e.i32(255)), e.i32(kNan), result);
  return e.asFloat(result);
}

Value encodeE8M0(Emit e, Value value, EncodeOptions options) {
  Value absBits = e.andi(e.asInt(value), e.i32(0x7fffffff));
  Value exponent = e.shr(absBits, 23);
  Value mantissa = e.andi(absBits, e.i32(0x7fffff));
  uint32_t above = 0; // the mantissa from which the exponent grows
  if (options.roundMode == "down")
    above = 0x7fffff;
  else if (options.roundMode == "nearest")
    above = 0x3fffff;
  Value threshold = e.i32(above);
  if (options.roundMode == "nearest") // a tie at the lowest exponent stays there
    threshold = e.select(e.cmp(arith::CmpIPredicate::eq, exponent, e.i32(0)), e.i32(0x400000), threshold);
  Value up = e.cmp(arith::CmpIPredicate::ugt, mantissa, threshold);
  Value rounded = e.add(exponent, arith::ExtUIOp::create(e.b, e.loc, e.b.getI32Type(), up));
  Value tooBig = e.cmp(arith::CmpIPredicate::ugt, rounded, e.i32(254));
  Value result = e.select(tooBig, e.i32(options.saturate ? 254 : 255), rounded);
  Value special = e.cmp(arith::CmpIPredicate::uge, absBits, e.i32(kInf)); // infinity, NaN
  result = e.select(special, e.i32(255), result);
  return arith::TruncIOp::create(e.b, e.loc, e.b.getI8Type(), result);
}

} // namespace

int64_t onnxElemType(Type type) {
  if (!type || isa<NoneType>(type))
    return 0;
  if (isa<onnx::SeqType, onnx::OptType, onnx::MapType>(type))
    return 100;
  return onnx::toOnnxElementType(getElementTypeOrSelf(type));
}

bool isUnsignedElem(Type t) { return t.isUnsignedInteger() || t.isInteger(1); }
bool isStringElem(Type t) { return isa<onnx::StringType>(t); }
bool isBoolElem(Type t) { return t.isInteger(1); }
bool isFloatElem(Type t) { return isa<FloatType>(t); }
bool isIntElem(Type t) { return isa<IntegerType>(t) && !t.isInteger(1); }
unsigned onnxBitWidth(Type t) { return t.getIntOrFloatBitWidth(); }

std::pair<int64_t, uint64_t> intRange(Type t) {
  unsigned width = t.getIntOrFloatBitWidth();
  if (t.isUnsignedInteger())
    return {0, llvm::maxUIntN(width)};
  return {llvm::minIntN(width), static_cast<uint64_t>(llvm::maxIntN(width))};
}

ScalarCodec::ScalarCodec(Type onnxElem) : onnx(onnxElem) {
  MLIRContext *ctx = onnxElem.getContext();
  storage = compute = onnxElem;
  if (auto i = dyn_cast<IntegerType>(onnxElem)) {
    storage = IntegerType::get(ctx, std::max(8u, i.getWidth()));
    compute = isBoolElem(onnxElem) ? IntegerType::get(ctx, 1) : storage;
  } else if (auto f = dyn_cast<FloatType>(onnxElem)) {
    if (f.getWidth() <= 8)
      storage = IntegerType::get(ctx, 8);
    if (f.getWidth() < 32)
      compute = Float32Type::get(ctx);
  } else if (!isa<ComplexType>(onnxElem)) {
    storage = compute = IntegerType::get(ctx, 64);
  }
}

// Extends a sub-byte integer from its low bits.
static Value extendLowBits(OpBuilder &b, Location loc, Value byte, Type onnx) {
  Value shift = arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(8 - onnxBitWidth(onnx)));
  Value high = arith::ShLIOp::create(b, loc, byte, shift);
  if (onnx.isUnsignedInteger())
    return arith::ShRUIOp::create(b, loc, high, shift);
  return arith::ShRSIOp::create(b, loc, high, shift);
}

Value ScalarCodec::decode(OpBuilder &b, Location loc, Value stored) const {
  // A caller's byte may hold anything above the element's bits.
  if (isIntElem(onnx) && onnxBitWidth(onnx) < 8)
    return extendLowBits(b, loc, stored, onnx);
  if (storage == compute)
    return stored;
  if (isBoolElem(onnx)) {
    Value zero = arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(0));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, stored, zero);
  }
  if (isa<Float8E8M0FNUType>(onnx))
    return decodeE8M0({b, loc}, stored);
  if (auto f = smallFloat(onnx))
    return decodeSmall({b, loc}, stored, *f);
  return arith::ExtFOp::create(b, loc, compute, stored);
}

Value ScalarCodec::encode(OpBuilder &b, Location loc, Value computed, EncodeOptions options) const {
  if (isBoolElem(onnx))
    return arith::ExtUIOp::create(b, loc, storage, computed);
  if (isa<Float8E8M0FNUType>(onnx))
    return encodeE8M0({b, loc}, computed, options);
  if (auto f = smallFloat(onnx))
    return encodeSmall({b, loc}, computed, *f, options.saturate);
  if (isIntElem(onnx) && onnxBitWidth(onnx) < 8)
    return extendLowBits(b, loc, computed, onnx);
  if (storage == compute)
    return computed;
  return arith::TruncFOp::create(b, loc, storage, computed);
}

TypedAttr ScalarCodec::storageAttr(double value) const {
  OpBuilder b(onnx.getContext());
  if (isBoolElem(onnx))
    return b.getI8IntegerAttr(value != 0);
  if (auto f = dyn_cast<FloatType>(onnx)) {
    if (f.getWidth() > 8)
      return b.getFloatAttr(storage, value);
    llvm::APFloat small(value);
    bool lossy;
    small.convert(f.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lossy);
    return b.getI8IntegerAttr(small.bitcastToAPInt().getZExtValue());
  }
  if (auto c = dyn_cast<ComplexType>(onnx)) {
    llvm::APFloat real(value), imag(0.0);
    bool lossy;
    const auto &semantics = cast<FloatType>(c.getElementType()).getFloatSemantics();
    real.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &lossy);
    imag.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &lossy);
    return complex::NumberAttr::get(c, real.convertToDouble(), imag.convertToDouble());
  }
  return storageAttrInt(static_cast<int64_t>(value));
}

TypedAttr ScalarCodec::storageAttrInt(int64_t value) const {
  OpBuilder b(onnx.getContext());
  if (isBoolElem(onnx))
    return b.getI8IntegerAttr(value != 0);
  if (auto i = dyn_cast<IntegerType>(storage); i && !isa<FloatType>(onnx))
    return IntegerAttr::get(i, APInt(i.getWidth(), value, /*isSigned=*/true, /*implicitTrunc=*/true));
  return storageAttr(static_cast<double>(value));
}

Value ScalarCodec::zero(OpBuilder &b, Location loc) const {
  if (auto c = dyn_cast<ComplexType>(onnx)) {
    Attribute part = b.getZeroAttr(c.getElementType());
    return complex::ConstantOp::create(b, loc, c, b.getArrayAttr({part, part}));
  }
  return arith::ConstantOp::create(b, loc, storageAttr(0));
}

// Out-of-range values give what x86 gives: the most negative integer. (In LLVM
// IR they would be poison.)
static Value floatToInt(OpBuilder &b, Location loc, Value value, Type onnxTo, Type to) {
  Type ft = value.getType();
  auto constant = [&](double v) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(ft, v));
  };
  auto inRange = [&](double low, double high) -> Value {
    Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGE, value, constant(low));
    Value below = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, value, constant(high));
    return arith::AndIOp::create(b, loc, above, below);
  };
  unsigned width = onnxBitWidth(onnxTo);
  bool wide = width == 64 || (width == 32 && onnxTo.isUnsignedInteger());
  double limit = std::ldexp(1.0, wide ? 63 : 31);
  Type via = b.getIntegerType(wide ? 64 : 32);
  Value safe = arith::SelectOp::create(b, loc, inRange(-limit, limit), value, constant(-limit));
  Value result = arith::FPToSIOp::create(b, loc, via, safe);
  if (width == 64 && onnxTo.isUnsignedInteger()) {
    Value isHigh = inRange(limit, 2 * limit);
    Value high = arith::FPToUIOp::create(
        b, loc, via, arith::SelectOp::create(b, loc, isHigh, value, constant(limit)));
    result = arith::SelectOp::create(b, loc, isHigh, high, result);
  }
  if (via != to)
    result = arith::TruncIOp::create(b, loc, to, result);
  return result;
}

Value convertScalar(OpBuilder &b, Location loc, Value value, const ScalarCodec &from,
                    const ScalarCodec &to) {
  Type src = from.computeType(), dst = to.computeType();
  bool toBool = isBoolElem(to.onnxType());
  if (isa<FloatType>(src)) {
    if (toBool) {
      Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(src, 0.0));
      return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, value, zero);
    }
    if (auto f = dyn_cast<FloatType>(dst)) {
      if (f.getWidth() == src.getIntOrFloatBitWidth())
        return value;
      if (f.getWidth() > src.getIntOrFloatBitWidth())
        return arith::ExtFOp::create(b, loc, dst, value);
      return arith::TruncFOp::create(b, loc, dst, value);
    }
    return floatToInt(b, loc, value, to.onnxType(), dst);
  }
  if (!isa<IntegerType>(src) || src == dst)
    return value;
  if (toBool) {
    Value zero = arith::ConstantOp::create(b, loc, b.getIntegerAttr(src, 0));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value, zero);
  }
  if (isa<FloatType>(dst)) {
    if (from.isUnsigned())
      return arith::UIToFPOp::create(b, loc, dst, value);
    return arith::SIToFPOp::create(b, loc, dst, value);
  }
  unsigned srcWidth = src.getIntOrFloatBitWidth(), dstWidth = dst.getIntOrFloatBitWidth();
  if (srcWidth > dstWidth)
    return arith::TruncIOp::create(b, loc, dst, value);
  if (from.isUnsigned())
    return arith::ExtUIOp::create(b, loc, dst, value);
  return arith::ExtSIOp::create(b, loc, dst, value);
}

} // namespace onnxc
