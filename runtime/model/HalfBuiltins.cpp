// Conversions of half types that LLVM calls on targets without instructions for them, under
// compiler-rt's names. In integer arithmetic: a conversion here must not become a
// call of itself. Both half types travel in the register of _Float16.
#include <stdint.h>
#include <string.h>

namespace {

using Half = _Float16;

template <typename To, typename From> To bitsOf(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// A double to a 16-bit format, round to nearest even.
template <int kExponentBits> uint16_t truncate(double value) {
  constexpr int kMantissaBits = 15 - kExponentBits;
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr uint16_t kInfinity = ((1 << kExponentBits) - 1) << kMantissaBits;
  uint64_t bits = bitsOf<uint64_t>(value);
  auto sign = static_cast<uint16_t>(bits >> 63 << 15);
  uint64_t mantissa = bits & ((uint64_t(1) << 52) - 1);
  int exponent = static_cast<int>(bits >> 52 & 0x7ff);
  if (exponent == 0x7ff) {
    if (mantissa == 0)
      return sign | kInfinity;
    return static_cast<uint16_t>(sign | kInfinity | 1 << (kMantissaBits - 1) | mantissa >> (52 - kMantissaBits));
  }
  int to = exponent - 1023 + kBias;
  if (to > 2 * kBias)
    return sign | kInfinity;
  int shift = 52 - kMantissaBits;
  if (exponent != 0)
    mantissa |= uint64_t(1) << 52;
  if (to <= 0) {
    shift += 1 - to;
    to = 0;
    if (shift > 54)
      return sign;
  } else {
    --to; // the implicit bit adds one below
  }
  uint64_t rest = mantissa & ((uint64_t(1) << shift) - 1), half = uint64_t(1) << (shift - 1);
  uint64_t rounded = mantissa >> shift;
  rounded += rest > half || (rest == half && (rounded & 1));
  return static_cast<uint16_t>(sign | ((uint64_t(to) << kMantissaBits) + rounded));
}

float extendHalf(uint16_t bits) {
  uint32_t sign = uint32_t(bits >> 15) << 31, exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 31)
    return bitsOf<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {
    if (mantissa == 0)
      return bitsOf<float>(sign);
    int shift = __builtin_clz(mantissa) - 21;
    mantissa = mantissa << shift & 0x3ff;
    exponent = static_cast<uint32_t>(1 - shift);
  }
  return bitsOf<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

} // namespace

extern "C" {
__attribute__((weak)) Half __truncsfhf2(float x) { return bitsOf<Half>(truncate<5>(double(x))); }
__attribute__((weak)) Half __truncdfhf2(double x) { return bitsOf<Half>(truncate<5>(x)); }
__attribute__((weak)) Half __truncsfbf2(float x) { return bitsOf<Half>(truncate<8>(double(x))); }
__attribute__((weak)) Half __truncdfbf2(double x) { return bitsOf<Half>(truncate<8>(x)); }
__attribute__((weak)) float __extendhfsf2(Half x) { return extendHalf(bitsOf<uint16_t>(x)); }
__attribute__((weak)) float __extendbfsf2(Half x) {
  return bitsOf<float>(uint32_t(bitsOf<uint16_t>(x)) << 16);
}
}
