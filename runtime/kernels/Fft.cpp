// See fft.h: decimation in frequency by the smallest factors, Bluestein for what has a large prime.
#include <math.h>

#include "cpu.h"
#include "fft.h"

// Fused multiply-add would make results depend on the CPU and on the number of lanes.
#pragma clang fp contract(off)

#define ONNXC_INLINE __attribute__((always_inline)) inline

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

template <typename V> ONNXC_INLINE Complex<V> operator+(Complex<V> a, Complex<V> b) {
  return {a.re + b.re, a.im + b.im};
}
template <typename V> ONNXC_INLINE Complex<V> operator-(Complex<V> a, Complex<V> b) {
  return {a.re - b.re, a.im - b.im};
}
template <typename V, typename T> ONNXC_INLINE Complex<V> times(Complex<V> a, Complex<T> w) {
  return {a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}

// ---- butterflies: the transform of P numbers, in place ----

template <typename V> ONNXC_INLINE void butterfly2(Complex<V> *x) {
  Complex<V> a = x[0], b = x[1];
  x[0] = a + b;
  x[1] = a - b;
}

template <typename V> ONNXC_INLINE void butterfly4(Complex<V> *x) {
  Complex<V> even = x[0] + x[2], evenLess = x[0] - x[2], odd = x[1] + x[3], d = x[1] - x[3];
  Complex<V> turned = {d.im, -d.re}; // times -i
  x[0] = even + odd;
  x[1] = evenLess + turned;
  x[2] = even - odd;
  x[3] = evenLess - turned;
}

// An odd p: terms q and p - q have the same cosine and opposite sines.
template <typename V, typename T>
ONNXC_INLINE void butterflyOdd(int64_t p, const Complex<T> *roots, Complex<V> *x) {
  Complex<V> sums[kLargestPrime / 2 + 1], differences[kLargestPrime / 2 + 1];
  Complex<V> first = x[0], total = x[0];
  for (int64_t q = 1; q <= p / 2; ++q) {
    sums[q] = x[q] + x[p - q];
    differences[q] = x[q] - x[p - q];
    total = total + sums[q];
  }
  x[0] = total;
  for (int64_t j = 1; j <= p / 2; ++j) {
    Complex<V> even = first, odd = {};
    for (int64_t q = 1; q <= p / 2; ++q) {
      Complex<T> w = roots[j * q % p];
      even = {even.re + sums[q].re * w.re, even.im + sums[q].im * w.re};
      Complex<V> term = {differences[q].im * w.im, differences[q].re * w.im};
      odd = q == 1 ? term : odd + term;
    }
    x[j] = {even.re - odd.re, even.im + odd.im};
    x[p - j] = {even.re + odd.re, even.im - odd.im};
  }
}

// ---- passes ----

// in: [before][P][left], out: [P][before][left]. P is 0 for a radix known at run time.
template <int P, typename V, typename T>
ONNXC_INLINE void pass(const typename FftPlan<T>::Pass &step, int64_t before, int64_t left,
                       const Complex<V> *in, Complex<V> *out) {
  const int64_t p = P > 0 ? P : step.radix;
  Complex<V>
      x[P > 0 ? P : kLargestPrime];
  for (int64_t k = 0; k < before; ++k)
    for (int64_t i = 0; i < left; ++i) {
      for (int64_t j = 0; j < p; ++j)
        x[j] = in[i + left * (j + p * k)];
      if constexpr (P == 2)
        butterfly2(x);
      else if constexpr (P == 4)
        butterfly4(x);
      else
        butterflyOdd(p, step.roots, x);
      out[i + left * k] = x[0];
      if (i == 0) { // its twiddles are one
        for (int64_t j = 1; j < p; ++j)
          out[left * (k + before * j)] = x[j];
        continue;
      }
      for (int64_t j = 1; j < p; ++j)
        out[i + left * (k + before * j)] = times(x[j], step.twiddles[(j - 1) * left + i]);
    }
}

// Transforms a[0, size), with b as scratch; the result is in the one that is returned.
template <typename V, typename T>
ONNXC_INLINE Complex<V> *passes(const FftPlan<T> &plan, Complex<V> *a, Complex<V> *b) {
  int64_t before = 1, left = plan.size;
  for (int32_t s = 0; s < plan.numPasses; ++s) {
    const auto &step = plan.passes[s];
    left /= step.radix;
    switch (step.radix) {
    case 2:
      pass<2, V, T>(step, before, left, a, b);
      break;
    case 3:
      pass<3, V, T>(step, before, left, a, b);
      break;
    case 4:
      pass<4, V, T>(step, before, left, a, b);
      break;
    case 5:
      pass<5, V, T>(step, before, left, a, b);
      break;
    default:
      pass<0, V, T>(step, before, left, a, b);
    }
    before *= step.radix;
    Complex<V> *swapped = a;
    a = b;
    b = swapped;
  }
  return a;
}

using FloatLanes = Complex<FftLanes<float>::Vector>;
using DoubleLanes = Complex<FftLanes<double>::Vector>;
ONNXC_INLINE FloatLanes *floatLanesBody(const FftPlan<float> &plan, FloatLanes *a, FloatLanes *b) {
  return passes(plan, a, b);
}
ONNXC_VERSIONS(FloatLanes *, floatLanes, (const FftPlan<float> &plan, FloatLanes *a, FloatLanes *b),
               (plan, a, b))

// The other ones are rarely used, and not worth the code's size.
Complex<float> *transform(const FftPlan<float> &plan, Complex<float> *a, Complex<float> *b) {
  return passes(plan, a, b);
}
Complex<double> *transform(const FftPlan<double> &plan, Complex<double> *a, Complex<double> *b) {
  return passes(plan, a, b);
}
FloatLanes *transform(const FftPlan<float> &plan, FloatLanes *a, FloatLanes *b) {
  return floatLanes(plan, a, b);
}
DoubleLanes *transform(const FftPlan<double> &plan, DoubleLanes *a, DoubleLanes *b) {
  return passes(plan, a, b);
}

template <typename V, typename T> void transformLine(const FftPlan<T> &plan, Complex<V> *work) {
  int64_t n = plan.length, size = plan.size;
  Complex<V> *other = work + size;
  if (!plan.chirp) {
    Complex<V> *result = transform(plan, work, other);
    if (result != work)
      memcpy(work, result, static_cast<size_t>(n) * sizeof(Complex<V>));
    return;
  }
  for (int64_t k = 0; k < n; ++k)
    work[k] = times(work[k], plan.chirp[k]);
  memset(static_cast<void *>(work + n), 0, static_cast<size_t>(size - n) * sizeof(Complex<V>));
  Complex<V> *result = transform(plan, work, other);
  // The inverse transform of the product, by exchanged parts.
  for (int64_t k = 0; k < size; ++k) {
    Complex<V> product = times(result[k], plan.chirpTransform[k]);
    result[k] = {product.im, product.re};
  }
  result = transform(plan, result, result == work ? other : work);
  T scale = T(1) / static_cast<T>(size);
  for (int64_t k = 0; k < n; ++k)
    work[k] = times(Complex<V>{result[k].im * scale, result[k].re * scale}, plan.chirp[k]);
}

// ---- plans ----

template <typename T> Complex<T> root(int64_t k, int64_t n) { // exp(-2 pi i k / n)
  double angle = -2 * M_PI * static_cast<double>(k % n) / static_cast<double>(n);
  return {static_cast<T>(cos(angle)), static_cast<T>(sin(angle))};
}

template <typename T> Complex<T> *table(onnxc_ctx *ctx, int64_t count, bool keep) {
  auto *result = scratch<Complex<T>>(ctx, count);
  if (keep)
    onnxc_keep(ctx, nullptr, result);
  return result;
}

template <typename T> void makePasses(onnxc_ctx *ctx, FftPlan<T> &plan, bool keep) {
  int32_t count = 0;
  for (int64_t rest = plan.size; rest > 1; rest /= plan.passes[count++].radix)
    plan.passes[count].radix = factorOf(rest);
  // A single two stands where its twiddles do most: at the front.
  for (int32_t s = count - 1; s > 0; --s)
    if (plan.passes[s].radix == 2 && plan.passes[s - 1].radix == 4) {
      plan.passes[s].radix = 4;
      plan.passes[s - 1].radix = 2;
    }
  plan.numPasses = count;
  int64_t before = 1, left = plan.size;
  for (int32_t s = 0; s < count; ++s) {
    int64_t p = plan.passes[s].radix;
    left /= p;
    auto *roots = table<T>(ctx, p, keep), *twiddles = table<T>(ctx, (p - 1) * left, keep);
    for (int64_t j = 0; j < p; ++j)
      roots[j] = root<T>(j, p);
    for (int64_t j = 1; j < p; ++j)
      for (int64_t i = 0; i < left; ++i)
        twiddles[(j - 1) * left + i] = root<T>(j * before * i, plan.size);
    plan.passes[s].roots = roots;
    plan.passes[s].twiddles = twiddles;
    before *= p;
  }
}

template <typename T> void makeChirp(onnxc_ctx *ctx, FftPlan<T> &plan, bool keep) {
  int64_t n = plan.length;
  auto *chirp = table<T>(ctx, n, keep), *transformed = table<T>(ctx, fftWorkSize(plan), keep);
  memset(static_cast<void *>(transformed), 0, static_cast<size_t>(plan.size) * sizeof(Complex<T>));
  for (int64_t k = 0, square = 0; k < n; ++k) { // square is k * k modulo 2 * n
    chirp[k] = root<T>(square, 2 * n);
    transformed[k] = {chirp[k].re, -chirp[k].im};
    if (k > 0)
      transformed[plan.size - k] = transformed[k];
    square = (square + 2 * k + 1) % (2 * n);
  }
  plan.chirp = nullptr;
  plan.length = plan.size; // the chirp's own transform has nothing to convolve with
  fft(plan, transformed);
  plan.length = n;
  plan.chirp = chirp;
  plan.chirpTransform = transformed;
}

template <typename T> struct KeptPlan {
  int64_t elementSize; // nodes of several types may share a key
  FftPlan<T> plan;
};

} // namespace

template <typename T>
const FftPlan<T> *onnxc_k::fftPlan(onnxc_ctx *ctx, const void *key, int64_t length) {
  auto *kept = static_cast<const KeptPlan<T> *>(onnxc_kept(ctx, key));
  if (kept && kept->elementSize == static_cast<int64_t>(sizeof(T)) && kept->plan.length == length)
    return &kept->plan;
  bool keep = !kept;
  auto *made = scratch<KeptPlan<T>>(ctx, 1);
  made->elementSize = sizeof(T);
  FftPlan<T> &plan = made->plan;
  plan = {};
  plan.length = plan.size = length;
  int64_t rest = length;
  while (rest > 1 && factorOf(rest) <= kLargestPrime)
    rest /= factorOf(rest);
  if (rest > 1) {
    plan.size = 1;
    while (plan.size < 2 * length - 1)
      plan.size *= 2;
  }
  makePasses(ctx, plan, keep);
  if (rest > 1)
    makeChirp(ctx, plan, keep);
  auto *halves = table<T>(ctx, length + 1, keep);
  for (int64_t k = 0; k <= length; ++k)
    halves[k] = root<T>(k, 2 * length);
  plan.halves = halves;
  if (keep)
    onnxc_keep(ctx, key, made);
  return &plan;
}

template <> void onnxc_k::fft(const FftPlan<float> &plan, Complex<float> *work) {
  transformLine(plan, work);
}
template <> void onnxc_k::fft(const FftPlan<double> &plan, Complex<double> *work) {
  transformLine(plan, work);
}
template <> void onnxc_k::fft(const FftPlan<float> &plan, FloatLanes *work) {
  transformLine(plan, work);
}
template <> void onnxc_k::fft(const FftPlan<double> &plan, DoubleLanes *work) {
  transformLine(plan, work);
}
template const FftPlan<float> *onnxc_k::fftPlan(onnxc_ctx *ctx, const void *key, int64_t length);
template const FftPlan<double> *onnxc_k::fftPlan(onnxc_ctx *ctx, const void *key, int64_t length);
