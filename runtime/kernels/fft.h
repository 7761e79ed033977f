// Discrete Fourier transforms of any length, in float or double, of single lines or of several side by side.
#ifndef ONNXC_KERNELS_FFT_H
#define ONNXC_KERNELS_FFT_H

#include "common.h"

namespace onnxc_k {

// V: a number, or a vector of numbers of as many lines.
template <typename V> struct Complex {
  V re, im;
};
template <typename T> struct FftLanes {
  static constexpr int64_t count = 64 / sizeof(T);
  typedef T Vector __attribute__((vector_size(64)));
};

// What transforms of one length share: Stockham's algorithm, a pass for each small factor.
template <typename T> struct FftPlan {
  struct Pass {
    int64_t radix;
    const Complex<T> *roots;    // exp(-2 pi i j / radix)
    const Complex<T> *twiddles; // [radix - 1][what is left of the size]
  };
  static constexpr int32_t kMaxPasses = 64; // of two at least, in 64 bits

  int64_t length;
  int64_t size; // what the passes transform
  int32_t numPasses;
  Pass passes[kMaxPasses];
  // A length with a large prime factor becomes a convolution of size, a power of two (Bluestein, 1970); else null.
  const Complex<T> *chirp, *chirpTransform;
  // [length + 1] exp(-pi i k / length): makes the transform of 2 * length real numbers of that of length complex ones.
  const Complex<T> *halves;
};

// The plan for a length, kept in the instance under a key when it is the first one there.
template <typename T> const FftPlan<T> *fftPlan(onnxc_ctx *ctx, const void *key, int64_t length);

// Elements that a line and its transform's scratch take.
template <typename T> int64_t fftWorkSize(const FftPlan<T> &plan) { return 2 * plan.size; }

// The transform of work[0, length), in place. All of work, fftWorkSize() elements, is overwritten.
// The inverse, times the length: the same with real and imaginary parts exchanged before and after.
// Results do not depend on whether lines are transformed alone or side by side.
template <typename T> void fft(const FftPlan<T> &plan, Complex<T> *work);
template <typename T> void fft(const FftPlan<T> &plan, Complex<typename FftLanes<T>::Vector> *work);

} // namespace onnxc_k

#endif
