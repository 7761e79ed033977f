// DFT and STFT.
#include "fft.h"

using namespace onnxc_k;

namespace {

constexpr int64_t kLongest = int64_t{1} << 40; // longer ones have no memory anyway
// Longer lines are transformed one by one: side by side they would leave the caches.
constexpr int64_t kLongestSideBySide = 8192;

// Sums of float16 and bfloat16 are in float.
template <typename T> struct FourierOf { using Type = float; };
template <> struct FourierOf<double> { using Type = double; };

// Element i of a tensor of real (parts == 1) or complex (parts == 2) numbers.
template <typename C, typename T> Complex<C> loadComplex(const T *data, int64_t i, int64_t parts) {
  return {static_cast<C>(data[i * parts]), parts == 2 ? static_cast<C>(data[i * 2 + 1]) : 0};
}

// Transforms lines of the plan's length. fill(line, put) calls put(k, value) for each element,
// take(line, get) gets the bins by get(k).
template <typename C, typename Fill, typename Take>
void transformLines(onnxc_ctx *ctx, const FftPlan<C> &plan, int64_t lines, Fill fill, Take take) {
  constexpr int64_t lanes = FftLanes<C>::count;
  int64_t blocks = (lines + lanes - 1) / lanes;
  parallelFor(
      ctx, blocks, static_cast<double>(plan.size * lanes) * 4,
      [=, &plan](int64_t begin, int64_t end) {
        bool sideBySide = plan.size <= kLongestSideBySide;
        C *memory = scratch<C>(ctx, 2 * fftWorkSize(plan) * (sideBySide ? lanes : 1));
        for (int64_t b = begin; b < end; ++b) {
          int64_t first = b * lanes, count = lines - first < lanes ? lines - first : lanes;
          if (sideBySide && count > 2) { // unused lanes cost less than further passes
            auto *work = reinterpret_cast<Complex<typename FftLanes<C>::Vector> *>(memory);
            memset(memory, 0, static_cast<size_t>(2 * plan.length * lanes) * sizeof(C));
            for (int64_t l = 0; l < count; ++l)
              fill(first + l, [=](int64_t k, Complex<C> value) {
                memory[2 * k * lanes + l] = value.re;
                memory[(2 * k + 1) * lanes + l] = value.im;
              });
            fft(plan, work);
            for (int64_t l = 0; l < count; ++l)
              take(first + l, [=](int64_t k) {
                return Complex<C>{memory[2 * k * lanes + l], memory[(2 * k + 1) * lanes + l]};
              });
            continue;
          }
          auto *work = reinterpret_cast<Complex<C> *>(memory);
          for (int64_t l = 0; l < count; ++l) {
            fill(first + l, [=](int64_t k, Complex<C> value) { work[k] = value; });
            fft(plan, work);
            take(first + l, [=](int64_t k) { return work[k]; });
          }
        }
        onnxc_free(ctx, memory);
      });
}

// Bin k <= n / 2 of a line of n = 2 * half real numbers, of which element 2k is the real part of
// element k of the transformed line, element 2k + 1 the imaginary one.
template <typename C, typename Get>
Complex<C> binOfReal(const FftPlan<C> &plan, int64_t k, Get get) {
  int64_t half = plan.length;
  Complex<C> a = get(k == half ? 0 : k), b = get(k == 0 ? 0 : half - k);
  if (k == 0)
    return {a.re + a.im, 0};
  if (k == half)
    return {b.re - b.im, 0};
  Complex<C> even = {(a.re + b.re) / 2, (a.im - b.im) / 2},
             odd = {(a.im + b.im) / 2, (b.re - a.re) / 2};
  Complex<C> w = plan.halves[k];
  return {even.re + (odd.re * w.re - odd.im * w.im), even.im + (odd.re * w.im + odd.im * w.re)};
}

// Transforms lines of n real numbers, load(line, k), to the bins 0 ... n / 2: store(line, bin,
// value).
template <typename C, typename Load, typename Store>
void transformRealLines(onnxc_ctx *ctx, const void *key, int64_t n, int64_t lines, Load load,
                        Store store) {
  bool even = n % 2 == 0;
  const FftPlan<C> &plan = *fftPlan<C>(ctx, key, even ? n / 2 : n);
  transformLines(
      ctx, plan, lines,
      [=, &plan](int64_t line, auto put) {
        for (int64_t k = 0; k < plan.length; ++k)
          put(k, even ? Complex<C>{load(line, 2 * k), load(line, 2 * k + 1)}
                      : Complex<C>{load(line, k), 0});
      },
      [=, &plan](int64_t line, auto get) {
        for (int64_t k = 0; k <= n / 2; ++k)
          store(line, k,
                even     ? binOfReal(plan, k, get)
                : k == 0 ? Complex<C>{get(0).re, 0}
                         : get(k));
      });
}

template <typename T, typename C> void storeComplex(T *to, Complex<C> value) {
  to[0] = static_cast<T>(value.re);
  to[1] = static_cast<T>(value.im);
}

} // namespace

ONNXC_KERNEL(DFT) {
  const onnxc_tensor &x = in[0];
  if (x.rank < 2)
    onnxc_fail(ctx, "DFT: the input has rank %d", x.rank);
  int64_t parts = x.dims[x.rank - 1];
  if (parts != 1 && parts != 2)
    onnxc_fail(ctx, "DFT: the last dimension is %lld, not 1 or 2", static_cast<long long>(parts));
  bool inverse = onnxc_attr_int(attrs, "inverse", 0) != 0,
       oneSided = onnxc_attr_int(attrs, "onesided", 0) != 0;
  auto axis = static_cast<int32_t>(normalizeAxis(
      ctx, isPresent(numIn, in, 2) ? intAt(in[2], 0) : onnxc_attr_int(attrs, "axis", -2), x.rank));
  if (axis == x.rank - 1)
    onnxc_fail(ctx, "DFT: the axis is that of the real and imaginary parts");
  int64_t given = x.dims[axis];
  bool toReal = inverse && oneSided;
  int64_t n = isPresent(numIn, in, 1) ? intAt(in[1], 0) : toReal ? 2 * (given - 1) : given;
  if (n < 1 || n > kLongest)
    onnxc_fail(ctx, "DFT: the length is %lld", static_cast<long long>(n));
  Dims dims(x);
  int64_t results = oneSided && !inverse ? n / 2 + 1 : n, outParts = toReal ? 1 : 2;
  dims.sizes[axis] = results;
  dims.sizes[x.rank - 1] = outParts;
  void *to = prepareOut(ctx, out[0], dims);
  int64_t inner = dims.product(axis + 1, x.rank - 1), lines = dims.product(0, axis) * inner;
  dispatchFloat(ctx, "DFT", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    using C = typename FourierOf<T>::Type;
    const T *from = dataOf<T>(x);
    auto load = [=](int64_t line, int64_t k) {
      return k < given
                 ? loadComplex<C>(from, (line / inner * given + k) * inner + line % inner, parts)
                 : Complex<C>{0, 0};
    };
    auto resultAt = [=](int64_t line, int64_t k) {
      return static_cast<T *>(to) +
             ((line / inner * results + k) * inner + line % inner) * outParts;
    };
    if (parts == 1 && !inverse) {
      transformRealLines<C>(
          ctx, attrs, n, lines, [=](int64_t line, int64_t k) { return load(line, k).re; },
          [=](int64_t line, int64_t k, Complex<C> value) {
            storeComplex(resultAt(line, k), value);
            if (!oneSided && k > 0 && 2 * k != n) // the other half is conjugate
              storeComplex(resultAt(line, n - k), Complex<C>{value.re, -value.im});
          });
      return;
    }
    const FftPlan<C> &plan = *fftPlan<C>(ctx, attrs, n);
    C scale = C(1) / static_cast<C>(n);
    transformLines(
        ctx, plan, lines,
        [=](int64_t line, auto put) {
          for (int64_t k = 0; k < n; ++k) {
            Complex<C> value;
            if (toReal) {
              value = load(line, k > n / 2 ? n - k : k);
              if (k > n / 2) // the other half is conjugate
                value.im = -value.im;
              else if (k == 0 || 2 * k == n) // no imaginary part in the transform of a real signal
                value.im = 0;
            } else {
              value = load(line, k);
            }
            put(k, inverse ? Complex<C>{value.im, value.re} : value);
          }
        },
        [=](int64_t line, auto get) {
          for (int64_t k = 0; k < results; ++k) {
            Complex<C> value = get(k);
            if (inverse)
              value = {value.im * scale, value.re * scale};
            if (toReal)
              *resultAt(line, k) = static_cast<T>(value.re);
            else
              storeComplex(resultAt(line, k), value);
          }
        });
  });
  return 0;
}

ONNXC_KERNEL(STFT) {
  const onnxc_tensor &x = in[0];
  if (x.rank != 2 && x.rank != 3)
    onnxc_fail(ctx, "STFT: the signal has rank %d", x.rank);
  int64_t parts = x.rank == 3 ? x.dims[2] : 1, length = x.dims[1];
  if (parts != 1 && parts != 2)
    onnxc_fail(ctx, "STFT: the last dimension is %lld, not 1 or 2", static_cast<long long>(parts));
  int64_t step = intAt(in[1], 0);
  bool hasWindow = isPresent(numIn, in, 2);
  int64_t frame = isPresent(numIn, in, 3) ? intAt(in[3], 0)
                  : hasWindow             ? onnxc_num_elements(&in[2])
                                          : length;
  if (step < 1 || frame < 1 || frame > length || (hasWindow && onnxc_num_elements(&in[2]) != frame))
    onnxc_fail(ctx,
               "STFT: frames of %lld in steps of %lld do not fit a signal of %lld or the window",
               static_cast<long long>(frame), static_cast<long long>(step),
               static_cast<long long>(length));
  bool oneSided = onnxc_attr_int(attrs, "onesided", 1) != 0 && parts == 1;
  int64_t frames = (length - frame) / step + 1, bins = oneSided ? frame / 2 + 1 : frame;
  Dims dims;
  dims.push(x.dims[0]);
  dims.push(frames);
  dims.push(bins);
  dims.push(2);
  void *to = prepareOut(ctx, out[0], dims);
  dispatchFloat(ctx, "STFT", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    using C = typename FourierOf<T>::Type;
    const T *from = dataOf<T>(x), *window = hasWindow ? dataOf<T>(in[2]) : nullptr;
    int64_t lines = x.dims[0] * frames;
    auto load = [=](int64_t line, int64_t k) {
      Complex<C> value =
          loadComplex<C>(from, line / frames * length + line % frames * step + k, parts);
      C weight = window ? static_cast<C>(window[k]) : 1;
      return Complex<C>{value.re * weight, value.im * weight};
    };
    auto resultAt = [=](int64_t line, int64_t k) {
      return static_cast<T *>(to) + (line * bins + k) * 2;
    };
    if (parts == 1) {
      transformRealLines<C>(
          ctx, attrs, frame, lines, [=](int64_t line, int64_t k) { return load(line, k).re; },
          [=](int64_t line, int64_t k, Complex<C> value) {
            storeComplex(resultAt(line, k), value);
            if (!oneSided && k > 0 && 2 * k != frame) // the other half is conjugate
              storeComplex(resultAt(line, frame - k), Complex<C>{value.re, -value.im});
          });
      return;
    }
    transformLines(
        ctx, *fftPlan<C>(ctx, attrs, frame), lines,
        [=](int64_t line, auto put) {
          for (int64_t k = 0; k < frame; ++k)
            put(k, load(line, k));
        },
        [=](int64_t line, auto get) {
          for (int64_t k = 0; k < bins; ++k)
            storeComplex(resultAt(line, k), get(k));
        });
  });
  return 0;
}
