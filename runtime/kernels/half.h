// Small floating-point types as storage: wrappers that convert to and from float, so that
// templates over element types need no special cases. Integer arithmetic only.
#ifndef ONNXC_KERNELS_HALF_H
#define ONNXC_KERNELS_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace onnxc_k {

template <typename To, typename From> inline To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// What the all-ones exponent of a small format means.
enum class Special { InfAndNan, NanOnly /* "FN": one NaN, no infinity */, NegZeroNan /* "FNUZ" */, None };

// A format of kBits bits: sign, kExp exponent bits, the rest mantissa.
template <typename Storage, int kBits, int kExp, int kBias, Special kSpecial> struct SmallFloat {
  static constexpr int kMant = kBits - 1 - kExp;
  static constexpr uint32_t kSign = uint32_t(1) << (kBits - 1);
  static constexpr uint32_t kMagnitude = kSign - 1;
  static constexpr uint32_t kMaxExp = (uint32_t(1) << kExp) - 1;
  static constexpr uint32_t kNan = kSpecial == Special::InfAndNan    ? (kMaxExp << kMant | 1u << (kMant - 1))
                                   : kSpecial == Special::NegZeroNan ? kSign
                                                                     : kMagnitude;
  // The largest finite magnitude.
  static constexpr uint32_t kMax = kSpecial == Special::InfAndNan ? (kMaxExp << kMant) - 1
                                   : kSpecial == Special::NanOnly ? kMagnitude - 1
                                                                  : kMagnitude;

  Storage bits;

  SmallFloat() = default;
  explicit SmallFloat(float value) : bits(static_cast<Storage>(encode(value))) {}
  operator float() const { return decode(bits); }

  static float decode(uint32_t bits) {
    uint32_t magnitude = bits & kMagnitude;
    float sign = bits & kSign ? -1.0f : 1.0f;
    if constexpr (kSpecial == Special::InfAndNan) {
      if (magnitude >> kMant == kMaxExp)
        return (magnitude & ((1u << kMant) - 1)) ? NAN : sign * INFINITY;
    } else if constexpr (kSpecial == Special::NanOnly) {
      if (magnitude == kMagnitude)
        return NAN;
    } else if constexpr (kSpecial == Special::NegZeroNan) {
      if (bits == kSign)
        return NAN;
    }
    if constexpr (kBits == 16 && kExp == 8) // bfloat16: the upper half of a float
      return bitCast<float>(bits << 16);
    uint32_t exponent = magnitude >> kMant, mantissa = magnitude & ((1u << kMant) - 1);
    int scale = exponent == 0 ? 1 - kBias - kMant : static_cast<int>(exponent) - kBias - kMant;
    if (exponent != 0)
      mantissa |= 1u << kMant;
    return sign * static_cast<float>(mantissa) * bitCast<float>(static_cast<uint32_t>(scale + 127) << 23);
  }

  // Round to nearest even; beyond the range: infinity, or with saturate (and for formats
  // without infinity) the largest value or NaN as ONNX's Cast says.
  static uint32_t encode(float value, bool saturate = false) {
    uint32_t in = bitCast<uint32_t>(value);
    uint32_t sign = in >> 31 ? kSign : 0;
    uint32_t magnitude = in & 0x7fffffff;
    if (magnitude > 0x7f800000)
      return kSpecial == Special::NegZeroNan ? kSign : kSpecial == Special::None ? kMax : sign | kNan;
    uint32_t overflow = saturate || kSpecial == Special::None ? sign | kMax
                        : kSpecial == Special::InfAndNan      ? sign | kMaxExp << kMant
                        : kSpecial == Special::NegZeroNan     ? kSign
                                                              : sign | kNan;
    if (magnitude == 0x7f800000)
      return overflow;
    int exponent = static_cast<int>(magnitude >> 23) - 127 + kBias;
    uint64_t mantissa = magnitude & 0x7fffff;
    if (magnitude >> 23)
      mantissa |= 0x800000;
    else
      ++exponent;
    int shift = 23 - kMant;
    if (exponent <= 0) {
      shift += 1 - exponent;
      exponent = 0;
    } else {
      --exponent; // the implicit bit adds one below
    }
    if (shift > 40)
      shift = 40;
    uint64_t half = uint64_t(1) << (shift - 1), rest = mantissa & (half * 2 - 1);
    uint64_t rounded = mantissa >> shift;
    rounded += rest > half || (rest == half && (rounded & 1));
    uint64_t result = (static_cast<uint64_t>(exponent) << kMant) + rounded;
    if (result > kMax)
      return overflow;
    if (kSpecial == Special::NegZeroNan && result == 0)
      return 0;
    return sign | static_cast<uint32_t>(result);
  }
};

using F16 = SmallFloat<uint16_t, 16, 5, 15, Special::InfAndNan>;
using BF16 = SmallFloat<uint16_t, 16, 8, 127, Special::InfAndNan>;
using F8E4M3FN = SmallFloat<uint8_t, 8, 4, 7, Special::NanOnly>;
using F8E4M3FNUZ = SmallFloat<uint8_t, 8, 4, 8, Special::NegZeroNan>;
using F8E5M2 = SmallFloat<uint8_t, 8, 5, 15, Special::InfAndNan>;
using F8E5M2FNUZ = SmallFloat<uint8_t, 8, 5, 16, Special::NegZeroNan>;
using F4E2M1 = SmallFloat<uint8_t, 4, 2, 1, Special::None>;

// Only exponents: 2^(bits - 127), 255 is NaN.
struct F8E8M0 {
  uint8_t bits;
  F8E8M0() = default;
  // Rounds up to the next power of two from the half on, as ONNX's Cast does by default.
  explicit F8E8M0(float value) {
    uint32_t in = bitCast<uint32_t>(value);
    uint32_t exponent = in >> 23 & 255;
    if ((in & 0x7fffffff) > 0x7f800000)
      exponent = 255;
    else if (exponent == 255)
      exponent = 254;
    else if ((in & 0x400000) && exponent < 254)
      ++exponent;
    bits = static_cast<uint8_t>(exponent);
  }
  operator float() const {
    return bits == 255 ? NAN : bits == 0 ? bitCast<float>(0x00400000u) : bitCast<float>(uint32_t(bits) << 23);
  }
};

} // namespace onnxc_k

#endif
