// exp that compilers turn into vectors: no table, no branch, no call.
#ifndef ONNXC_KERNELS_VECTOREXP_H
#define ONNXC_KERNELS_VECTOREXP_H

#include <stdint.h>
#include <string.h>

namespace onnxc_k {

// Within 1 ulp or so; 0 below about -708, where results would be subnormal, and infinity above 709.78.
__attribute__((always_inline)) inline double vectorExp(double x) {
  constexpr double kLog2e = 1.4426950408889634, kLn2High = 0.693145751953125, kLn2Low = 1.42860682030941723212e-6;
  constexpr double kRound = 6755399441055744.0; // 1.5 * 2^52: adding it rounds to an integer in the low bits
  double limited = x < -708.0 ? -708.0 : x > 709.79 ? 709.79 : x;
  double shifted = limited * kLog2e + kRound;
  double k = shifted - kRound;
  double r = (limited - k * kLn2High) - k * kLn2Low;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  int64_t bits;
  memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits + 1022) << 52; // 2^(k - 1), in range for k = 1024: the integer's low bits become the exponent
  double scale;
  memcpy(&scale, &bits, sizeof(scale));
  double result = x < -708.0 ? 0.0 : p * scale * 2.0;
  return x != x ? x : result;
}

} // namespace onnxc_k

#endif
