// Logarithms, and the inverse hyperbolic functions made of them.
//
// x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2); log(1 + f) = f - f^2 / 2 + f^3 P(f), where only f
// needs all its bits.
#include "Coefficients.h"
#include "Functions.h"

#include <limits>

using namespace mlir;

namespace onnxc {

using namespace coefficients;
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kRootHalf = 0x3f3504f3; // the bits of sqrt(1/2)
constexpr int64_t kMantissa = 0x7fffff;

struct Parts {
  Value k; // an integer
  Value mantissa;
};

Parts split(MathBuilder &m, Value positive) {
  Value shifted = m.subInt(m.bits(positive), kRootHalf);
  Value mantissa = m.fromBits(m.addInt(m.andInt(shifted, kMantissa), kRootHalf));
  return {m.shiftRightSigned(shifted, 23), mantissa};
}

/// The same of a value that may be below the normal range; k as f32.
Parts splitAny(MathBuilder &m, Value x) {
  Value isTiny = m.lt(x, 0x1p-126);
  Parts parts = split(m, m.select(isTiny, m.mul(x, 0x1p23), x));
  Value k = m.intToFloat(parts.k);
  return {m.select(isTiny, m.sub(k, 23.0), k), m.sub(parts.mantissa, 1.0)};
}

/// -f^2 / 2 + f^3 P(f) + start
Value tail(MathBuilder &m, Value f, Value start) {
  Value square = m.mul(f, f);
  Value p = m.polynomial(f, kLog);
  Value cube = m.mul(square, f);
  Value sum = start ? m.fma(cube, p, start) : m.mul(cube, p);
  return m.fma(square, -0.5, sum);
}

/// k ln 2 + log(1 + f)
Value join(MathBuilder &m, Value k, Value f) {
  Value low = m.add(f, tail(m, f, m.mul(k, kLn2Low)));
  return m.fma(k, kLn2High, low);
}

/// The logarithm's values at `lowest` (where it has its pole), below, at infinity and NaN.
Value special(MathBuilder &m, Value x, double lowest, Value result) {
  result = m.select(m.lt(x, kInfinity), result, x);
  result = m.select(m.lt(x, lowest), kNaN, result);
  return m.select(m.eq(x, lowest), -kInfinity, result);
}

/// The logarithm to a base, with 1 / ln(base) and log(2) to that base in two parts each.
Value logTo(MathBuilder &m, Value x, double scaleHigh, double scaleLow, double twoHigh,
            double twoLow) {
  Parts parts = splitAny(m, x);
  Value f = parts.mantissa;
  Value low = m.fma(parts.k, twoLow, m.mul(tail(m, f, Value()), scaleHigh));
  low = m.fma(f, scaleLow, low);
  low = m.fma(f, scaleHigh, low);
  return special(m, x, 0, m.fma(parts.k, twoHigh, low));
}

/// The natural logarithm of a positive, finite value in f64.
Value logWide(MathBuilder &m, Value x) { return m.mul(log2Wide(m, x), 0x1.62e42fefa39efp-1); }

} // namespace

Value expandLog(MathBuilder &m, Value x) {
  Parts parts = splitAny(m, x);
  return special(m, x, 0, join(m, parts.k, parts.mantissa));
}

Value expandLog2(MathBuilder &m, Value x) { return logTo(m, x, kLog2EHigh, kLog2ELow, 1, 0); }

Value expandLog10(MathBuilder &m, Value x) {
  return logTo(m, x, kLog10EHigh, kLog10ELow, kLog10Of2High, kLog10Of2Low);
}

// What 1 + x loses in rounding is added to f.
Value expandLog1p(MathBuilder &m, Value x) {
  Value u = m.add(x, 1.0);
  Value lost = m.sub(x, m.sub(u, 1.0));
  Parts parts = split(m, u);
  // 2^-k; zero where it would leave the range, as then nothing of 1 is left in u.
  Value exponent = m.subInt(m.int32(0x3f800000), m.shiftLeft(parts.k, 23));
  Value scale = m.fromBits(arith::MaxSIOp::create(m.b, m.loc, exponent, m.int32(0)));
  Value f = m.fma(lost, scale, m.sub(parts.mantissa, 1.0));
  Value result = join(m, m.intToFloat(parts.k), f);
  return m.copySign(special(m, x, -1, result), x);
}

Value log2Wide(MathBuilder &m, Value x) {
  constexpr int64_t root = 0x3fe6a09e667f3bcd; // the bits of sqrt(1/2)
  Value bits = m.bits(x);
  Value shifted = m.subInt(bits, root);
  Value mantissa = m.addInt(m.andInt(shifted, 0x000fffffffffffff), root);
  // The exponent plus 2048, a positive number, becomes the low bits of a double of which 2^52 is taken off.
  Value k = m.shiftRight(m.addInt(shifted, int64_t{2048} << 52), 52);
  Value number = m.sub(m.fromBits(m.orInt(k, int64_t{0x433} << 52)), 0x1p52 + 2048);
  Value f = m.sub(m.fromBits(mantissa), 1.0);
  return m.fma(f, m.polynomial(f, kLog2Wide), number);
}

// In f64, where sums and roots lose nothing that matters, but near zero.
Value expandAsinh(MathBuilder &m, Value x) {
  Value a = m.abs(x), w = m.toWide(a);
  Value inner = m.add(w, m.sqrt(m.fma(w, w, 1.0)));
  Value large = m.toSingle(logWide(m, inner));
  large = m.select(m.lt(a, kInfinity), large, a);
  Value small = m.fma(m.mul(m.mul(a, a), -1.0 / 6), a, a);
  return m.copySign(m.select(m.lt(a, 0x1p-10), small, large), x);
}

Value expandAcosh(MathBuilder &m, Value x) {
  Value w = m.toWide(x);
  Value inner = m.add(w, m.sqrt(m.sub(m.mul(w, w), 1.0)));
  Value result = m.toSingle(logWide(m, inner));
  result = m.select(m.lt(x, kInfinity), result, x);
  return m.select(m.lt(x, 1.0), kNaN, result);
}

Value expandAtanh(MathBuilder &m, Value x) {
  Value a = m.abs(x), w = m.toWide(a);
  Value ratio = m.div(m.add(w, 1.0), m.sub(1.0, w));
  Value large = m.toSingle(m.mul(logWide(m, ratio), 0.5));
  Value small = m.fma(m.mul(m.mul(a, a), 1.0 / 3), a, a);
  Value result = m.select(m.lt(a, 0x1p-10), small, large);
  result = m.select(m.eq(a, 1.0), kInfinity, result);
  result = m.select(m.lt(a, kInfinity), result, a);
  return m.copySign(m.select(m.gt(a, 1.0), kNaN, result), x);
}

} // namespace onnxc
