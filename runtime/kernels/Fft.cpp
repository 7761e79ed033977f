// See fft.h: decimation in time by the smallest factors, Bluestein for what has a large prime.
#include <math.h>

#include "fft.h"

using namespace onnxc_k;

namespace {

constexpr int64_t kLargestPrime = 31;

int64_t factorOf(int64_t n) {
  if (n % 4 == 0)
    return 4;
  for (int64_t p = 2; p * p <= n; ++p)
    if (n % p == 0)
      return p;
  return n;
}

const Complex *makeRoots(onnxc_ctx *ctx, int64_t n) {
  auto *roots = scratch<Complex>(ctx, n);
  for (int64_t k = 0; k < n; ++k) {
    double angle = -2 * M_PI * static_cast<double>(k) / static_cast<double>(n);
    roots[k] = {cos(angle), sin(angle)};
  }
  return roots;
}

// out[0, n) = transform of in[0], in[stride], ...; roots are those of total = n * stride.
void transform(const Complex *in, Complex *out, int64_t n, int64_t stride, const Complex *roots, int64_t total) {
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  int64_t p = factorOf(n), m = n / p;
  for (int64_t r = 0; r < p; ++r)
    transform(in + r * stride, out + r * m, m, stride * p, roots, total);
  for (int64_t k = 0; k < m; ++k) {
    if (p == 2) {
      Complex a = out[k], b = out[m + k] * roots[k * stride];
      out[k] = a + b;
      out[m + k] = a - b;
      continue;
    }
    if (p == 4) {
      Complex a = out[k], b = out[m + k] * roots[k * stride];
      Complex c = out[2 * m + k] * roots[2 * k * stride], d = out[3 * m + k] * roots[3 * k * stride];
      Complex ac = a + c, amc = a - c, bd = b + d, bmd = b - d;
      Complex turned = {bmd.im, -bmd.re}; // times -i
      out[k] = ac + bd;
      out[m + k] = amc + turned;
      out[2 * m + k] = ac - bd;
      out[3 * m + k] = amc - turned;
      continue;
    }
    Complex terms[kLargestPrime];
    for (int64_t r = 0; r < p; ++r)
      terms[r] = out[r * m + k] * roots[r * k * stride];
    for (int64_t q = 0; q < p; ++q) {
      Complex sum = terms[0];
      for (int64_t r = 1; r < p; ++r)
        sum = sum + terms[r] * roots[r * q % p * (total / p)];
      out[q * m + k] = sum;
    }
  }
}

Complex conjugate(Complex a) { return {a.re, -a.im}; }

void forward(const FftPlan &plan, Complex *data, Complex *work) {
  int64_t n = plan.length, padded = plan.padded;
  if (padded == 0) {
    memcpy(work, data, static_cast<size_t>(n) * sizeof(Complex));
    transform(work, data, n, 1, plan.roots, n);
    return;
  }
  Complex *a = work, *b = work + padded;
  for (int64_t k = 0; k < padded; ++k)
    a[k] = k < n ? data[k] * plan.chirp[k] : Complex{0, 0};
  transform(a, b, padded, 1, plan.paddedRoots, padded);
  // The inverse transform of the product, as the conjugate of the transform of the conjugate.
  for (int64_t k = 0; k < padded; ++k)
    a[k] = conjugate(b[k] * plan.chirpTransform[k]);
  transform(a, b, padded, 1, plan.paddedRoots, padded);
  double scale = 1 / static_cast<double>(padded);
  for (int64_t k = 0; k < n; ++k) {
    Complex c = conjugate(b[k]);
    data[k] = Complex{c.re * scale, c.im * scale} * plan.chirp[k];
  }
}

} // namespace

FftPlan onnxc_k::makeFftPlan(onnxc_ctx *ctx, int64_t length) {
  FftPlan plan = {};
  plan.length = length;
  int64_t rest = length;
  while (rest > 1 && factorOf(rest) <= kLargestPrime)
    rest /= factorOf(rest);
  if (rest <= 1) {
    plan.roots = makeRoots(ctx, length);
    return plan;
  }
  plan.padded = 1;
  while (plan.padded < 2 * length - 1)
    plan.padded *= 2;
  plan.paddedRoots = makeRoots(ctx, plan.padded);
  auto *chirp = scratch<Complex>(ctx, length);
  auto *wrapped = scratch<Complex>(ctx, plan.padded), *transformed = scratch<Complex>(ctx, plan.padded);
  memset(wrapped, 0, static_cast<size_t>(plan.padded) * sizeof(Complex));
  for (int64_t k = 0, square = 0; k < length; ++k) { // square is k * k modulo 2 * length
    double angle = -M_PI * static_cast<double>(square) / static_cast<double>(length);
    chirp[k] = {cos(angle), sin(angle)};
    wrapped[k] = conjugate(chirp[k]);
    if (k > 0)
      wrapped[plan.padded - k] = wrapped[k];
    square = (square + 2 * k + 1) % (2 * length);
  }
  transform(wrapped, transformed, plan.padded, 1, plan.paddedRoots, plan.padded);
  plan.chirp = chirp;
  plan.chirpTransform = transformed;
  return plan;
}

int64_t onnxc_k::fftWorkSize(const FftPlan &plan) { return plan.padded ? 2 * plan.padded : plan.length; }

void onnxc_k::fft(const FftPlan &plan, bool inverse, Complex *data, Complex *work) {
  if (!inverse) {
    forward(plan, data, work);
    return;
  }
  for (int64_t k = 0; k < plan.length; ++k)
    data[k] = conjugate(data[k]);
  forward(plan, data, work);
  double scale = 1 / static_cast<double>(plan.length);
  for (int64_t k = 0; k < plan.length; ++k)
    data[k] = {data[k].re * scale, -data[k].im * scale};
}
