// x^y = 2^(y log2 |x|) in f64: f32 has not the bits that the product needs in front of the point.
#include "Functions.h"

#include <limits>

using namespace mlir;

namespace onnxc {

Value expandPow(MathBuilder &m, Value x, Value y) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Value a = m.abs(x);
  // Finite stand-ins for infinite logarithms and exponents: 0 times them is 0, as it has to be.
  Value logarithm = log2Wide(m, m.toWide(a));
  logarithm = m.select(m.eq(a, 0.0), -1e200, logarithm);
  logarithm = m.select(m.eq(a, infinity), 1e200, logarithm);
  Value finite = m.atMost(m.atLeast(y, -1e30), 1e30);
  Value exponent = m.mul(m.toWide(finite), logarithm);
  exponent = m.atMost(m.atLeast(exponent, -200), 200);
  Value result = m.toSingle(exp2Wide(m, exponent));

  // A negative base: odd exponents keep the sign, those that are no integers have no result.
  Value half = m.mul(y, 0.5);
  Value isInteger = m.eq(m.floor(y), y);
  Value isOdd = m.both(isInteger, m.lt(m.floor(half), half));
  Value negative = m.both(m.lt(x, 0.0), m.gt(x, -infinity));
  result = m.select(m.both(negative, m.isNot(isInteger)), std::numeric_limits<double>::quiet_NaN(), result);
  result = m.select(isOdd, m.copySign(result, x), result);
  result = m.select(m.isNaN(x), x, result);
  return m.select(m.either(m.eq(x, 1.0), m.eq(y, 0.0)), 1.0, result);
}

} // namespace onnxc
