// DFT and STFT.
#include "fft.h"

using namespace onnxc_k;

namespace {

// Element i of a tensor of real (parts == 1) or complex (parts == 2) numbers.
template <typename T> Complex loadComplex(const T *data, int64_t i, int64_t parts) {
  return {static_cast<double>(data[i * parts]), parts == 2 ? static_cast<double>(data[i * 2 + 1]) : 0};
}

} // namespace

ONNXC_KERNEL(DFT) {
  const onnxc_tensor &x = in[0];
  if (x.rank < 2)
    onnxc_fail(ctx, "DFT: the input has rank %d", x.rank);
  int64_t parts = x.dims[x.rank - 1];
  if (parts != 1 && parts != 2)
    onnxc_fail(ctx, "DFT: the last dimension is %lld, not 1 or 2", static_cast<long long>(parts));
  bool inverse = onnxc_attr_int(attrs, "inverse", 0) != 0, oneSided = onnxc_attr_int(attrs, "onesided", 0) != 0;
  auto axis = static_cast<int32_t>(
      normalizeAxis(ctx, isPresent(numIn, in, 2) ? intAt(in[2], 0) : onnxc_attr_int(attrs, "axis", -2), x.rank));
  if (axis == x.rank - 1)
    onnxc_fail(ctx, "DFT: the axis is that of the real and imaginary parts");
  int64_t given = x.dims[axis];
  bool toReal = inverse && oneSided;
  int64_t n = isPresent(numIn, in, 1) ? intAt(in[1], 0) : toReal ? 2 * (given - 1) : given;
  if (n < 1)
    onnxc_fail(ctx, "DFT: the length is %lld", static_cast<long long>(n));
  Dims dims(x);
  int64_t results = oneSided && !inverse ? n / 2 + 1 : n, outParts = toReal ? 1 : 2;
  dims.sizes[axis] = results;
  dims.sizes[x.rank - 1] = outParts;
  void *to = prepareOut(ctx, out[0], dims);
  int64_t inner = dims.product(axis + 1, x.rank - 1), lines = dims.product(0, axis) * inner;
  FftPlan plan = makeFftPlan(ctx, n);
  dispatchFloat(ctx, "DFT", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x);
    parallelFor(ctx, lines, static_cast<double>(n) * 20, [=](int64_t begin, int64_t end) {
      auto *line = scratch<Complex>(ctx, n + fftWorkSize(plan));
      for (int64_t l = begin; l < end; ++l) {
        int64_t outer = l / inner, i = l % inner;
        auto load = [&](int64_t k) { return loadComplex(from, (outer * given + k) * inner + i, parts); };
        for (int64_t k = 0; k < n; ++k) {
          if (toReal && k > n / 2) { // the other half is conjugate
            line[k] = n - k < given ? load(n - k) : Complex{0, 0};
            line[k].im = -line[k].im;
          } else {
            line[k] = k < given ? load(k) : Complex{0, 0};
          }
        }
        if (toReal) { // these have no imaginary part in the transform of a real signal
          line[0].im = 0;
          if (n % 2 == 0)
            line[n / 2].im = 0;
        }
        fft(plan, inverse, line, line + n);
        for (int64_t k = 0; k < results; ++k) {
          T *result = static_cast<T *>(to) + ((outer * results + k) * inner + i) * outParts;
          result[0] = static_cast<T>(static_cast<Acc<T>>(line[k].re));
          if (outParts == 2)
            result[1] = static_cast<T>(static_cast<Acc<T>>(line[k].im));
        }
      }
      onnxc_free(ctx, line);
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
  int64_t frame = isPresent(numIn, in, 3) ? intAt(in[3], 0) : hasWindow ? onnxc_num_elements(&in[2]) : length;
  if (step < 1 || frame < 1 || frame > length || (hasWindow && onnxc_num_elements(&in[2]) != frame))
    onnxc_fail(ctx, "STFT: frames of %lld in steps of %lld do not fit a signal of %lld or the window",
               static_cast<long long>(frame), static_cast<long long>(step), static_cast<long long>(length));
  bool oneSided = onnxc_attr_int(attrs, "onesided", 1) != 0 && parts == 1;
  int64_t frames = (length - frame) / step + 1, bins = oneSided ? frame / 2 + 1 : frame;
  Dims dims;
  dims.push(x.dims[0]);
  dims.push(frames);
  dims.push(bins);
  dims.push(2);
  void *to = prepareOut(ctx, out[0], dims);
  FftPlan plan = makeFftPlan(ctx, frame);
  dispatchFloat(ctx, "STFT", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x), *window = hasWindow ? dataOf<T>(in[2]) : nullptr;
    parallelFor(ctx, x.dims[0] * frames, static_cast<double>(frame) * 20, [=](int64_t begin, int64_t end) {
      auto *line = scratch<Complex>(ctx, frame + fftWorkSize(plan));
      for (int64_t f = begin; f < end; ++f) {
        int64_t first = f / frames * length + f % frames * step;
        for (int64_t k = 0; k < frame; ++k) {
          double weight = window ? static_cast<double>(window[k]) : 1;
          Complex value = loadComplex(from, first + k, parts);
          line[k] = {value.re * weight, value.im * weight};
        }
        fft(plan, false, line, line + frame);
        T *result = static_cast<T *>(to) + f * bins * 2;
        for (int64_t k = 0; k < bins; ++k) {
          result[2 * k] = static_cast<T>(static_cast<Acc<T>>(line[k].re));
          result[2 * k + 1] = static_cast<T>(static_cast<Acc<T>>(line[k].im));
        }
      }
      onnxc_free(ctx, line);
    });
  });
  return 0;
}
