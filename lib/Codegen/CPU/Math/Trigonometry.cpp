// Trigonometric functions and their inverses.
//
// x = n pi / 2 + r. Up to 2^15 pi / 2 is taken off in three parts, or in f64 where products are rounded. Beyond,
// which is rare, the bits of 2 / pi that matter are multiplied in integers (Payne and Hanek, 1983).
#include "Coefficients.h"
#include "Functions.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;

namespace onnxc {

using namespace coefficients;
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = 0x1p15;
constexpr double kRound = 0x1.8p23;

struct Reduced {
  Value quadrant; // i32, n: its two low bits
  Value r;        // f32, or f64 if asked for
};

Reduced reduceSmall(MathBuilder &m, Value x, bool wide) {
  Value sum = m.fma(x, 0x1.45f306p-1, kRound);
  Value n = m.sub(sum, kRound);
  if (wide || !m.isFused()) {
    Value wideN = m.toWide(n);
    Value r = m.sub(m.toWide(x), m.mul(wideN, kHalfPiWide1));
    r = m.sub(r, m.mul(wideN, kHalfPiWide2));
    return {m.bits(sum), wide ? r : m.toSingle(r)};
  }
  Value r = m.fma(n, -kHalfPi1, x); // exact
  r = m.fma(n, -kHalfPi2, r);
  return {m.bits(sum), m.fma(n, -kHalfPi3, r)};
}

/// For |x| >= 2^15: x = mantissa * 2^e; of the bits of 2 / pi, those before position e - 2 make multiples of 4, and the
/// 96 from there on are enough.
Reduced reduceLarge(MathBuilder &m, Value x, bool wide) {
  Value bits = m.andInt(m.bits(x), 0x7fffffff);
  Value mantissa = m.extend(m.orInt(m.andInt(bits, 0x7fffff), 0x800000));
  Value position = m.subInt(m.shiftRight(bits, 23), 120);
  Value word = m.shiftRight(position, 5);
  Value offset = m.extend(m.andInt(position, 31));
  // Four words from `word` on.
  SmallVector<Value> words;
  for (unsigned i = 0; i < 4; ++i) {
    Value picked = m.int64(kTwoOverPi[i]);
    for (unsigned start = 1; start + i < std::size(kTwoOverPi); ++start)
      picked = m.select(m.eqInt(word, start), m.int64(kTwoOverPi[start + i]), picked);
    words.push_back(picked);
  }
  constexpr int64_t low = 0xffffffff;
  auto shifted = [&](unsigned i) {
    Value pair = m.orInt(m.shiftLeft(words[i], 32), words[i + 1]);
    return m.shiftRight(m.shiftLeft(pair, offset), 32);
  };
  Value product = m.mulInt(mantissa, shifted(2));
  Value middle = m.addInt(m.mulInt(mantissa, shifted(1)), m.shiftRight(product, 32));
  Value high = m.addInt(m.mulInt(mantissa, shifted(0)), m.shiftRight(middle, 32));
  // |x| 2 / pi modulo 4 in units of 2^-62.
  Value turns = m.orInt(m.shiftLeft(high, 32), m.andInt(middle, low));
  Value n = m.shiftRight(m.addInt(turns, int64_t{1} << 61), 62);
  Value rest = m.subInt(turns, m.shiftLeft(n, 62));
  Value r = m.mul(m.intToWide(rest), 0x1.921fb54442d18p-62);
  // The sign; nothing for infinity and NaN.
  Value isNegative = m.lt(x, 0.0);
  n = m.truncate(n);
  n = m.select(isNegative, m.subInt(m.int32(0), n), n);
  r = m.select(isNegative, m.neg(r), r);
  r = m.select(m.isNot(m.lt(m.abs(x), kInfinity)), std::numeric_limits<double>::quiet_NaN(), r);
  return {n, wide ? r : m.toSingle(r)};
}

Reduced reduce(MathBuilder &m, Value x, bool wide) {
  Reduced small = reduceSmall(m, x, wide);
  Value isSmall = m.lt(m.abs(x), kLargest);
  Value isLarge = m.isNot(isSmall);
  SmallVector<Type> types{small.quadrant.getType(), small.r.getType()};
  auto large = scf::IfOp::create(m.b, m.loc, types, m.rarelyAny(isLarge), /*withElse=*/true);
  OpBuilder::InsertionGuard guard(m.b);
  m.b.setInsertionPointToStart(large.thenBlock());
  Reduced own = reduceLarge(m, x, wide);
  scf::YieldOp::create(m.b, m.loc,
                       ValueRange{m.select(isSmall, small.quadrant, own.quadrant),
                                  m.select(isSmall, small.r, own.r)});
  m.b.setInsertionPointToStart(large.elseBlock());
  scf::YieldOp::create(m.b, m.loc, ValueRange{small.quadrant, small.r});
  return {large.getResult(0), large.getResult(1)};
}

/// The sine `turn` quarter turns further.
Value sineAfter(MathBuilder &m, Value x, int64_t turn) {
  Reduced reduced = reduce(m, x, /*wide=*/false);
  Value r = reduced.r, z = m.mul(r, r);
  Value sine = m.fma(m.mul(r, z), m.polynomial(z, kSin), r);
  Value cosine = m.fma(m.mul(z, z), m.polynomial(z, kCos), m.fma(z, -0.5, 1.0));
  Value quadrant = turn ? m.addInt(reduced.quadrant, turn) : reduced.quadrant;
  Value isOdd = m.neInt(m.andInt(quadrant, 1), 0);
  Value value = m.select(isOdd, cosine, sine);
  Value sign = m.shiftLeft(m.andInt(quadrant, 2), 30);
  return m.fromBits(m.xorInt(m.bits(value), sign));
}

/// x + x z P(z) with z = x^2 (or what stands for it)
Value oddSeries(MathBuilder &m, Value x, Value z, ArrayRef<double> coefficients) {
  return m.fma(m.mul(x, z), m.polynomial(z, coefficients), x);
}

/// asin of |x| up to 1/2; beyond, of sqrt((1 - |x|) / 2), which is (pi / 2 - asin |x|) / 2.
struct HalfAngle {
  Value isLarge, angle;
};
HalfAngle halfAngle(MathBuilder &m, Value a) {
  Value isLarge = m.gt(a, 0.5);
  Value z = m.select(isLarge, m.fma(a, -0.5, 0.5), m.mul(a, a));
  Value s = m.select(isLarge, m.sqrt(z), a);
  return {isLarge, oddSeries(m, s, z, kAsin)};
}

} // namespace

Value expandSin(MathBuilder &m, Value x) {
  // Tiny values are their own sine; zeros keep their sign.
  return m.select(m.lt(m.abs(x), 0x1p-13), x, sineAfter(m, x, 0));
}

Value expandCos(MathBuilder &m, Value x) { return sineAfter(m, x, 1); }

// Its slope lets errors of r grow: what r loses in f32 is added to the terms after the first.
Value expandTan(MathBuilder &m, Value x) {
  Reduced reduced = reduce(m, x, /*wide=*/true);
  Value r = m.toSingle(reduced.r);
  Value lost = m.toSingle(m.sub(reduced.r, m.toWide(r)));
  Value z = m.mul(r, r);
  Value rest = m.fma(m.mul(r, z), m.polynomial(z, kTan), m.fma(lost, z, lost));
  Value tangent = m.add(r, rest);
  Value isOdd = m.neInt(m.andInt(reduced.quadrant, 1), 0);
  Value result = m.select(isOdd, m.div(-1.0, tangent), tangent);
  return m.select(m.lt(m.abs(x), 0x1p-13), x, result);
}

Value expandAsin(MathBuilder &m, Value x) {
  HalfAngle half = halfAngle(m, m.abs(x));
  Value twice = m.add(half.angle, half.angle);
  Value large = m.add(m.sub(kHalfPi1, twice), kHalfPi2);
  return m.copySign(m.select(half.isLarge, large, half.angle), x);
}

Value expandAcos(MathBuilder &m, Value x) {
  HalfAngle half = halfAngle(m, m.abs(x));
  Value twice = m.add(half.angle, half.angle);
  Value behind = m.sub(2 * kHalfPi1, m.sub(twice, 2 * kHalfPi2));
  Value large = m.select(m.lt(x, 0.0), behind, twice);
  Value small = m.sub(kHalfPi1, m.sub(m.copySign(half.angle, x), kHalfPi2));
  return m.select(half.isLarge, large, small);
}

Value expandAtan(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value isLarge = m.gt(a, 1.0);
  Value y = m.select(isLarge, m.div(1.0, a), a);
  Value angle = oddSeries(m, y, m.mul(y, y), kAtan);
  Value large = m.add(m.sub(kHalfPi1, angle), kHalfPi2);
  return m.copySign(m.select(isLarge, large, angle), x);
}

} // namespace onnxc
