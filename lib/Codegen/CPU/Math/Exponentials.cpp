// Exponential functions: e^x, what is made of it, and erf.
//
// x = k ln 2 + r. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum, from
// where a shift puts it into an exponent: no conversion, no rounding instruction. ln 2 is taken off in
// two parts, of which the first times k is exact.
#include "Coefficients.h"
#include "Functions.h"

using namespace mlir;

namespace onnxc {

using namespace coefficients;
namespace {

constexpr double kRound = 0x1.8p23;
/// The exponent's offset, so that the shifted sum is a power of two.
constexpr double kBias = 127;

/// 2^k of a sum that has k + 127 in its low bits.
Value powerOfTwo(MathBuilder &m, Value sum) {
  return m.fromBits(m.shiftLeft(m.bits(sum), 23));
}

/// y = factor * x is k ln 2 + r. Here `sum` has k + bias in its low bits, p = (e^r - 1) / factor, and with
/// s = 2^k, e^y - 1 = factor * s * p + (s - 1).
struct ReducedExpM1 {
  Value sum, p;
};
ReducedExpM1 reduceExpM1(MathBuilder &m, Value x, double factor, double bias) {
  Value sum = m.fma(x, factor * kLog2EHigh, kRound + bias);
  Value k = m.sub(sum, kRound + bias);
  Value r = m.fma(k, -kLn2High / factor, x);
  r = m.fma(k, -kLn2Low / factor, r);
  SmallVector<double> scaled;
  double power = 1;
  for (double c : kExpM1)
    scaled.push_back(c * (power *= factor));
  return {sum, m.fma(m.polynomial(r, scaled), m.mul(r, r), r)};
}

/// e^|x| in f64, at most e^100, which is more than f32 holds.
Value expWide(MathBuilder &m, Value x) {
  return exp2Wide(m, m.mul(m.toWide(m.atMost(x, 100)), 0x1.71547652b82fep+0));
}

} // namespace

// 2^x = p * 2^k, k in the low bits of the sum.
Value exp2Wide(MathBuilder &m, Value x) {
  constexpr double round = 0x1.8p52 + 1023;
  Value sum = m.add(x, round);
  Value r = m.sub(x, m.sub(sum, round));
  Value power = m.fromBits(m.shiftLeft(m.bits(sum), 52));
  return m.mul(m.polynomial(r, kExp2Wide), power);
}

// p * s * s with s = 2^k, k half the exponent: s neither overflows nor is below the normal range, so that the
// last product alone rounds. |r| <= ln 2 asks for one more coefficient.
Value expandExp(MathBuilder &m, Value x) {
  x = m.atMost(m.atLeast(x, -104), 90);
  Value sum = m.fma(x, kLog2EHigh / 2, kRound + kBias);
  Value k = m.sub(sum, kRound + kBias);
  Value r = m.fma(k, -2 * kLn2High, x);
  r = m.fma(k, -2 * kLn2Low, r);
  Value s = powerOfTwo(m, sum);
  return m.mul(m.mul(m.polynomial(r, kExp), s), s);
}

Value expandExp2(MathBuilder &m, Value x) {
  x = m.atMost(m.atLeast(x, -152), 130);
  Value sum = m.fma(x, 0.5, kRound + kBias);
  Value k = m.sub(sum, kRound + kBias);
  Value r = m.sub(x, m.add(k, k)); // exact
  Value scaled = m.fma(r, kLn2High, m.mul(r, kLn2Low));
  Value s = powerOfTwo(m, sum);
  return m.mul(m.mul(m.polynomial(scaled, kExp), s), s);
}

Value expandExpM1(MathBuilder &m, Value x) {
  Value y = m.atMost(m.atLeast(x, -18), 89);
  // Half the power of two, which is finite up to the largest result.
  ReducedExpM1 reduced = reduceExpM1(m, y, 1, kBias - 1);
  Value s = powerOfTwo(m, reduced.sum);
  Value half = m.fma(s, reduced.p, m.sub(s, 0.5));
  return m.copySign(m.add(half, half), x);
}

// With h = (e^2|x| - 1) / 2: h / (h + 1), written as n - n * n / (h + 1), where n is h, or 1 if h is large: what the
// quotient loses is then small beside n.
Value expandTanh(MathBuilder &m, Value x) {
  Value y = m.atMost(m.abs(x), 9.1);
  ReducedExpM1 reduced = reduceExpM1(m, y, 2, kBias);
  Value s = powerOfTwo(m, reduced.sum);
  Value half = m.fma(s, reduced.p, m.fma(s, 0.5, -0.5));
  Value isLarge = m.gt(y, 0.5);
  Value start = m.select(isLarge, 1.0, half);
  Value ratio = m.div(start, m.add(half, 1.0));
  return m.copySign(m.fma(m.neg(start), ratio, start), x);
}

// (e^|x| -+ e^-|x|) / 2 in f64; near zero the series in x.
Value expandSinh(MathBuilder &m, Value x) {
  Value a = m.abs(x), e = expWide(m, a);
  Value large = m.toSingle(m.mul(m.sub(e, m.div(1.0, e)), 0.5));
  Value z = m.mul(x, x);
  Value small = m.fma(m.mul(m.polynomial(z, kSinh), z), a, a);
  return m.copySign(m.select(m.lt(a, 1.0), small, large), x);
}

Value expandCosh(MathBuilder &m, Value x) {
  Value e = expWide(m, m.abs(x));
  return m.toSingle(m.mul(m.add(e, m.div(1.0, e)), 0.5));
}

// Up to 1 a polynomial; beyond, 1 - 2^q(|x|), where q is the logarithm of erfc.
Value expandErf(MathBuilder &m, Value x) {
  Value a = m.abs(x);
  Value small = m.fma(m.polynomial(m.mul(x, x), kErf), x, x);
  Value logarithm = m.polynomial(m.atMost(a, 4), kErfTail);
  Value sum = m.add(logarithm, kRound + kBias);
  Value r = m.sub(logarithm, m.sub(sum, kRound + kBias));
  Value power = m.polynomial(r, kExp2Short);
  Value large = m.fma(m.neg(power), powerOfTwo(m, sum), 1.0);
  return m.select(m.lt(a, 1.0), small, m.copySign(large, x));
}

} // namespace onnxc
