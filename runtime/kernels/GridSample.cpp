// GridSample for any number of spatial dimensions, and AffineGrid.
#include <math.h>

#include "common.h"

using namespace onnxc_k;

namespace {

constexpr int32_t kMaxSpatial = 5;

enum class Mode { Linear, Nearest, Cubic };
enum class Padding { Zeros, Border, Reflection };

struct Sampler {
  Mode mode;
  Padding padding;
  bool alignCorners;
  int32_t rank;
  int64_t sizes[kMaxSpatial], strides[kMaxSpatial];
};

// x mirrored at the borders until it lies between them.
double reflect(double x, double low, double high) {
  double range = high - low;
  if (range <= 0)
    return low;
  double distance = fabs(x - low), flips = floor(distance / range), rest = distance - flips * range;
  return fmod(flips, 2) == 0 ? low + rest : high - rest;
}

// The pixel that an index stands for, -1 for the zero outside.
int64_t pixelOf(const Sampler &s, int32_t d, int64_t i) {
  int64_t n = s.sizes[d];
  if (i >= 0 && i < n)
    return i;
  switch (s.padding) {
  case Padding::Zeros: return -1;
  case Padding::Border: return i < 0 ? 0 : n - 1;
  case Padding::Reflection: {
    double low = s.alignCorners ? 0 : -0.5, high = s.alignCorners ? static_cast<double>(n - 1) : static_cast<double>(n) - 0.5;
    auto mirrored = static_cast<int64_t>(reflect(static_cast<double>(i), low, high));
    return mirrored < 0 ? 0 : mirrored >= n ? n - 1 : mirrored;
  }
  }
  return -1;
}

// What one output position reads in one dimension: up to four pixels (as offsets) and weights.
struct Taps {
  int count;
  int64_t offsets[4]; // -1: the zero outside
  double weights[4];
};

Taps tapsOf(const Sampler &s, int32_t d, double normalized) {
  auto n = static_cast<double>(s.sizes[d]);
  double x = s.alignCorners ? (normalized + 1) / 2 * (n - 1) : ((normalized + 1) * n - 1) / 2;
  if (!(fabs(x) < 1e15)) // NaN and infinity lie outside
    x = x > 0 ? 1e15 : -1e15;
  if (s.mode == Mode::Nearest)
    x = nearbyint(x);
  double low = s.alignCorners ? 0 : -0.5, high = s.alignCorners ? n - 1 : n - 0.5;
  // Cubic taps reach over the border by themselves.
  if (s.mode != Mode::Cubic && (x < low || x > high)) {
    if (s.padding == Padding::Border)
      x = x < 0 ? 0 : x > n - 1 ? n - 1 : x;
    else if (s.padding == Padding::Reflection)
      x = reflect(x, low, high);
  }
  Taps taps = {};
  double base = floor(x), t = x - base;
  auto first = static_cast<int64_t>(base);
  switch (s.mode) {
  case Mode::Nearest:
    taps.count = 1;
    first = static_cast<int64_t>(nearbyint(x));
    taps.weights[0] = 1;
    break;
  case Mode::Linear:
    taps.count = 2;
    taps.weights[0] = 1 - t;
    taps.weights[1] = t;
    break;
  case Mode::Cubic: {
    taps.count = 4;
    --first;
    constexpr double a = -0.75; // Keys' parameter
    auto near = [](double u) { return ((a + 2) * u - (a + 3)) * u * u + 1; };
    auto far = [](double u) { return ((a * u - 5 * a) * u + 8 * a) * u - 4 * a; };
    taps.weights[0] = far(t + 1);
    taps.weights[1] = near(t);
    taps.weights[2] = near(1 - t);
    taps.weights[3] = far(2 - t);
    break;
  }
  }
  for (int i = 0; i < taps.count; ++i) {
    int64_t pixel = pixelOf(s, d, first + i);
    taps.offsets[i] = pixel < 0 ? -1 : pixel * s.strides[d];
  }
  return taps;
}

// The taps of all dimensions multiplied out, zeros left out.
struct Products {
  int count;
  int64_t offsets[1024];
  double weights[1024];
};

void multiplyOut(const Taps *taps, int32_t rank, Products &products) {
  products.count = 1;
  products.offsets[0] = 0;
  products.weights[0] = 1;
  for (int32_t d = 0; d < rank; ++d) {
    // Backwards, so that what is read is not yet overwritten.
    int taken = 0, next = products.count * taps[d].count;
    for (int i = products.count - 1; i >= 0; --i) {
      int64_t offset = products.offsets[i];
      double weight = products.weights[i];
      for (int t = taps[d].count - 1; t >= 0; --t)
        if (taps[d].offsets[t] >= 0) {
          --next;
          ++taken;
          products.offsets[next] = offset + taps[d].offsets[t];
          products.weights[next] = weight * taps[d].weights[t];
        }
    }
    memmove(products.offsets, products.offsets + next, static_cast<size_t>(taken) * sizeof(int64_t));
    memmove(products.weights, products.weights + next, static_cast<size_t>(taken) * sizeof(double));
    products.count = taken;
  }
}

} // namespace

ONNXC_KERNEL(GridSample) {
  const onnxc_tensor &x = in[0], &grid = in[1];
  Sampler s = {};
  s.rank = x.rank - 2;
  if (s.rank < 1 || s.rank > kMaxSpatial || grid.rank != x.rank || grid.dims[grid.rank - 1] != s.rank ||
      grid.dims[0] != x.dims[0])
    onnxc_fail(ctx, "GridSample: the grid does not fit the input (1 to %d spatial dimensions)", kMaxSpatial);
  s.mode = attrIs(attrs, "mode", "nearest")                                          ? Mode::Nearest
           : attrIs(attrs, "mode", "cubic") || attrIs(attrs, "mode", "bicubic") ? Mode::Cubic
                                                                                     : Mode::Linear;
  s.padding = attrIs(attrs, "padding_mode", "border")       ? Padding::Border
              : attrIs(attrs, "padding_mode", "reflection") ? Padding::Reflection
                                                            : Padding::Zeros;
  s.alignCorners = onnxc_attr_int(attrs, "align_corners", 0) != 0;
  int64_t imageSize = 1, channels = x.dims[1];
  for (int32_t d = s.rank - 1; d >= 0; --d) {
    s.sizes[d] = x.dims[d + 2];
    s.strides[d] = imageSize;
    imageSize *= s.sizes[d];
  }
  Dims dims(x);
  for (int32_t d = 0; d < s.rank; ++d)
    dims.sizes[d + 2] = grid.dims[d + 1];
  void *to = prepareOut(ctx, out[0], dims);
  int64_t points = dims.product(2, dims.rank);
  if (imageSize == 0) {
    memset(to, 0, static_cast<size_t>(dims.count() * onnxc_elem_size(x.elem_type)));
    return 0;
  }
  // The grid as double, so that its type needs no template.
  int64_t numCoordinates = onnxc_num_elements(&grid);
  auto *coordinates = scratch<double>(ctx, numCoordinates);
  dispatchFloat(ctx, "GridSample", grid.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    for (int64_t i = 0; i < numCoordinates; ++i)
      coordinates[i] = static_cast<double>(dataOf<T>(grid)[i]);
  });
  dispatchNumber(ctx, "GridSample", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x);
    parallelFor(ctx, dims.sizes[0] * points, static_cast<double>(channels) * 20, [=](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        Taps taps[kMaxSpatial];
        Products products;
        for (int32_t d = 0; d < s.rank; ++d) // the innermost dimension comes first
          taps[d] = tapsOf(s, d, coordinates[p * s.rank + s.rank - 1 - d]);
        multiplyOut(taps, s.rank, products);
        int64_t batch = p / points;
        for (int64_t c = 0; c < channels; ++c) {
          const T *image = from + (batch * channels + c) * imageSize;
          double value = 0;
          for (int i = 0; i < products.count; ++i)
            value += products.weights[i] * static_cast<double>(image[products.offsets[i]]);
          static_cast<T *>(to)[(batch * channels + c) * points + p % points] = static_cast<T>(static_cast<Acc<T>>(value));
        }
      }
    });
  });
  onnxc_free(ctx, coordinates);
  return 0;
}

ONNXC_KERNEL(AffineGrid) {
  const onnxc_tensor &theta = in[0];
  int64_t rank = onnxc_num_elements(&in[1]) - 2; // spatial dimensions
  if (rank < 2 || rank > 3 || theta.rank != 3 || theta.dims[1] != rank || theta.dims[2] != rank + 1 ||
      theta.dims[0] != intAt(in[1], 0))
    onnxc_fail(ctx, "AffineGrid: theta must be [N, 2, 3] for 4 sizes or [N, 3, 4] for 5");
  bool alignCorners = onnxc_attr_int(attrs, "align_corners", 0) != 0;
  Dims dims;
  dims.push(theta.dims[0]);
  for (int64_t d = 0; d < rank; ++d)
    dims.push(intAt(in[1], d + 2));
  int64_t points = dims.product(1, dims.rank);
  dims.push(rank);
  void *to = prepareOut(ctx, out[0], dims);
  dispatchFloat(ctx, "AffineGrid", theta.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    parallelFor(ctx, dims.sizes[0] * points, 10, [=](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        double base[4] = {0, 0, 0, 0};
        int64_t rest = p % points;
        for (int64_t d = rank - 1; d >= 0; --d) {
          int64_t n = dims.sizes[d + 1];
          auto i = static_cast<double>(rest % n), size = static_cast<double>(n);
          rest /= n;
          base[rank - 1 - d] = !alignCorners ? (2 * i + 1) / size - 1 : n > 1 ? 2 * i / (size - 1) - 1 : 0;
        }
        base[rank] = 1;
        const T *matrix = dataOf<T>(theta) + p / points * rank * (rank + 1);
        for (int64_t r = 0; r < rank; ++r) {
          double sum = 0;
          for (int64_t c = 0; c <= rank; ++c)
            sum += static_cast<double>(matrix[r * (rank + 1) + c]) * base[c];
          static_cast<T *>(to)[p * rank + r] = static_cast<T>(static_cast<Acc<T>>(sum));
        }
      }
    });
  });
  return 0;
}
