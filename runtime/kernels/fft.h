// Discrete Fourier transforms of any length, in double.
#ifndef ONNXC_KERNELS_FFT_H
#define ONNXC_KERNELS_FFT_H

#include "common.h"

namespace onnxc_k {

struct Complex {
  double re, im;
};
inline Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
inline Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
inline Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }

// What transforms of one length share. Memory is of the run's pool.
struct FftPlan {
  int64_t length;
  const Complex *roots; // exp(-2 pi i k / length)
  // A length with a large prime factor becomes a convolution of a power of two (Bluestein, 1970).
  int64_t padded; // 0: not so
  const Complex *paddedRoots, *chirp, *chirpTransform;
};

FftPlan makeFftPlan(onnxc_ctx *ctx, int64_t length);
int64_t fftWorkSize(const FftPlan &plan);
// Transforms data in place; inverse divides by the length.
void fft(const FftPlan &plan, bool inverse, Complex *data, Complex *work);

} // namespace onnxc_k

#endif
