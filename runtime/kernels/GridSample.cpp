// GridSample for any number of spatial dimensions, and AffineGrid.
#include <math.h>

#include "cpu.h"
#include "turn.h"

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

// Points that are sampled together. What they read is `taps` pixels each (of all dimensions multiplied out), tap after
// tap: places in the image (-1: the zero outside) and weights.
constexpr int64_t kPointsOfBlock = 64, kPlacesOfBlock = 8192;

struct Block {
  int64_t points, taps;
  int64_t *places;
  double *weights;
  float *singles; // the weights for images of floats
  bool inside;    // no tap is the zero outside
};

int tapsOfMode(Mode mode) { return mode == Mode::Nearest ? 1 : mode == Mode::Linear ? 2 : 4; }

// The pixels of one dimension and their weights, for coordinates that are `step` apart.
template <Mode mode>
__attribute__((always_inline)) inline void tapsOf(const Sampler &s, int32_t d, const double *coordinates, int64_t step,
                                                  int64_t points, int64_t *pixels, double *weights) {
  auto n = static_cast<double>(s.sizes[d]);
  double low = s.alignCorners ? 0 : -0.5, high = s.alignCorners ? n - 1 : n - 0.5;
  double scale = s.alignCorners ? (n - 1) / 2 : n / 2, shift = s.alignCorners ? 0 : 0.5;
  double at[kPointsOfBlock];
#pragma clang loop vectorize(assume_safety)
  for (int64_t p = 0; p < points; ++p) {
    double x = (coordinates[p * step] + 1) * scale - shift;
    x = fabs(x) < 1e15 ? x : x > 0 ? 1e15 : -1e15; // NaN and infinity lie outside
    at[p] = mode == Mode::Nearest ? rint(x) : x;
  }
  // Cubic taps reach over the border by themselves.
  if (mode != Mode::Cubic && s.padding == Padding::Border)
    for (int64_t p = 0; p < points; ++p)
      at[p] = at[p] < 0 ? 0 : at[p] > n - 1 ? n - 1 : at[p];
  if (mode != Mode::Cubic && s.padding == Padding::Reflection)
    for (int64_t p = 0; p < points; ++p)
      if (at[p] < low || at[p] > high)
        at[p] = reflect(at[p], low, high);
  for (int64_t p = 0; p < points; ++p) {
    double base = mode == Mode::Nearest ? rint(at[p]) : floor(at[p]), t = at[p] - base;
    auto first = static_cast<int64_t>(base);
    switch (mode) {
    case Mode::Nearest:
      weights[p] = 1;
      break;
    case Mode::Linear:
      weights[p] = 1 - t;
      weights[kPointsOfBlock + p] = t;
      break;
    case Mode::Cubic: {
      --first;
      constexpr double a = -0.75; // Keys' parameter
      auto near = [](double u) { return ((a + 2) * u - (a + 3)) * u * u + 1; };
      auto far = [](double u) { return ((a * u - 5 * a) * u + 8 * a) * u - 4 * a; };
      weights[p] = far(t + 1);
      weights[kPointsOfBlock + p] = near(t);
      weights[2 * kPointsOfBlock + p] = near(1 - t);
      weights[3 * kPointsOfBlock + p] = far(2 - t);
      break;
    }
    }
    for (int i = 0; i < tapsOfMode(mode); ++i)
      pixels[i * kPointsOfBlock + p] = first + i;
  }
  for (int64_t i = 0; i < tapsOfMode(mode) * kPointsOfBlock; i += kPointsOfBlock)
    if (s.padding == Padding::Zeros)
      for (int64_t p = i; p < i + points; ++p)
        pixels[p] = pixels[p] >= 0 && pixels[p] < s.sizes[d] ? pixels[p] : -1;
    else
      for (int64_t p = i; p < i + points; ++p)
        pixels[p] = pixelOf(s, d, pixels[p]);
}

// Fills a block from the coordinates of its first point on. Dimensions are multiplied in from the outermost on.
__attribute__((always_inline)) inline void fillBlockBody(const Sampler &s, const double *coordinates, Block &block) {
  int64_t pixels[4 * kPointsOfBlock];
  double weights[4 * kPointsOfBlock];
  block.taps = 1;
  for (int64_t p = 0; p < block.points; ++p) {
    block.places[p] = 0;
    block.weights[p] = 1;
  }
  int count = tapsOfMode(s.mode);
  for (int32_t d = 0; d < s.rank; ++d, block.taps *= count) {
    const double *first = coordinates + (s.rank - 1 - d); // the innermost dimension comes first
    if (s.mode == Mode::Nearest)
      tapsOf<Mode::Nearest>(s, d, first, s.rank, block.points, pixels, weights);
    else if (s.mode == Mode::Linear)
      tapsOf<Mode::Linear>(s, d, first, s.rank, block.points, pixels, weights);
    else
      tapsOf<Mode::Cubic>(s, d, first, s.rank, block.points, pixels, weights);
    // Backwards, so that what is read is not yet overwritten.
    for (int64_t tap = block.taps - 1; tap >= 0; --tap)
      for (int t = count - 1; t >= 0; --t) {
        int64_t *to = block.places + (tap * count + t) * block.points;
        double *weightTo = block.weights + (tap * count + t) * block.points;
        const int64_t *from = block.places + tap * block.points, *pixel = pixels + t * kPointsOfBlock;
        const double *weightFrom = block.weights + tap * block.points, *weight = weights + t * kPointsOfBlock;
        int64_t stride = s.strides[d], points = block.points;
#pragma clang loop vectorize(assume_safety) // from is to, or does not meet it
        for (int64_t p = 0; p < points; ++p) {
          int64_t place = from[p] + pixel[p] * stride;
          to[p] = (from[p] | pixel[p]) < 0 ? -1 : place;
          weightTo[p] = weightFrom[p] * weight[p];
        }
      }
  }
  int64_t least = 0;
  for (int64_t i = 0; i < block.points * block.taps; ++i) {
    block.singles[i] = static_cast<float>(block.weights[i]);
    least = block.places[i] < least ? block.places[i] : least;
  }
  block.inside = least == 0;
}
ONNXC_VERSIONS(void, fillBlock, (const Sampler &s, const double *coordinates, Block &block), (s, coordinates, block))

// One channel's values at the points of a block.
template <typename T> void sampleAny(const Block &block, const T *image, T *to) {
  for (int64_t p = 0; p < block.points; ++p) {
    double value = 0;
    for (int64_t tap = 0; tap < block.taps; ++tap) {
      int64_t place = block.places[tap * block.points + p];
      value += block.weights[tap * block.points + p] * (place < 0 ? 0.0 : static_cast<double>(image[place]));
    }
    to[p] = static_cast<T>(static_cast<Acc<T>>(value));
  }
}

// The same for floats, by far the most frequent, without a branch where no tap is outside.
template <int taps, bool inside>
__attribute__((always_inline)) inline void sampleTaps(const Block &block, const float *__restrict image,
                                                      float *__restrict to) {
  const int64_t *__restrict places = block.places;
  const float *__restrict weights = block.singles;
  int64_t n = block.points;
  for (int64_t p = 0; p < n; ++p) {
    float value = 0;
#pragma clang loop unroll(full)
    for (int tap = 0; tap < taps; ++tap) {
      int64_t i = tap * n + p, place = places[i];
      value += weights[i] * (!inside && place < 0 ? 0.0f : image[place]);
    }
    to[p] = value;
  }
}
__attribute__((always_inline)) inline void sampleFloatsBody(const Block &block, const float *image, float *to) {
  if (block.taps == 1)
    block.inside ? sampleTaps<1, true>(block, image, to) : sampleTaps<1, false>(block, image, to);
  else
    block.inside ? sampleTaps<4, true>(block, image, to) : sampleTaps<4, false>(block, image, to);
}
ONNXC_VERSIONS(void, sampleFloats, (const Block &block, const float *image, float *to), (block, image, to))

template <int64_t lanes>
__attribute__((always_inline)) inline void sampleChannels(const Block &block, int64_t p, const float *image, int64_t pixels,
                                                          int64_t step, float *__restrict sampled) {
  float sums[lanes] = {};
  for (int64_t i = p; i < block.taps * block.points; i += block.points) {
    const float *from = image + (block.places[i] < 0 ? pixels : block.places[i]) * step;
    float weight = block.singles[i];
    for (int64_t lane = 0; lane < lanes; ++lane)
      sums[lane] += weight * from[lane];
  }
  for (int64_t lane = 0; lane < lanes; ++lane)
    sampled[lane] = sums[lane];
}

// All channels at once, of an image of floats that is turned: its pixels have `step` channels side by side (a multiple of
// kTurnedAtOnce), and the one behind the last is zero. `sampled` is [points, step].
__attribute__((always_inline)) inline void sampleTurnedBody(const Block &block, const float *image, int64_t pixels,
                                                            int64_t step, int64_t channels, float *__restrict sampled,
                                                            float *to, int64_t toStep) {
  int64_t n = block.points;
  for (int64_t p = 0; p < n; ++p, sampled += step) {
    int64_t c = 0;
    for (; c + 4 * kTurnedAtOnce <= step; c += 4 * kTurnedAtOnce)
      sampleChannels<4 * kTurnedAtOnce>(block, p, image + c, pixels, step, sampled + c);
    for (; c + 2 * kTurnedAtOnce <= step; c += 2 * kTurnedAtOnce)
      sampleChannels<2 * kTurnedAtOnce>(block, p, image + c, pixels, step, sampled + c);
    for (; c < step; c += kTurnedAtOnce)
      sampleChannels<kTurnedAtOnce>(block, p, image + c, pixels, step, sampled + c);
  }
  sampled -= n * step;
  turn(sampled, step, n, channels, to, toStep);
}
ONNXC_VERSIONS(void, sampleTurned,
               (const Block &block, const float *image, int64_t pixels, int64_t step, int64_t channels, float *sampled,
                float *to, int64_t toStep),
               (block, image, pixels, step, channels, sampled, to, toStep))

__attribute__((always_inline)) inline void turnPixelsBody(const float *from, int64_t pixels, int64_t channels, int64_t count,
                                                          float *to, int64_t step) {
  turn(from, pixels, channels, count, to, step);
}
ONNXC_VERSIONS(void, turnPixels,
               (const float *from, int64_t pixels, int64_t channels, int64_t count, float *to, int64_t step),
               (from, pixels, channels, count, to, step))

// The images [N, C, pixels] as sampleTurned reads them.
float *turnImages(onnxc_ctx *ctx, const float *images, int64_t count, int64_t channels, int64_t pixels, int64_t step) {
  constexpr int64_t kPixels = 64;
  auto *turned = scratch<float>(ctx, count * (pixels + 1) * step);
  int64_t blocks = (pixels + kPixels - 1) / kPixels;
  parallelFor(ctx, count * blocks, static_cast<double>(channels * kPixels) / 8, [=](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      int64_t image = block / blocks, first = block % blocks * kPixels, left = pixels - first;
      float *to = turned + image * (pixels + 1) * step, *pixel = to + first * step;
      left = left < kPixels ? left : kPixels;
      if (step > channels)
        memset(pixel, 0, static_cast<size_t>(left * step) * sizeof(float));
      turnPixels(images + image * channels * pixels + first, pixels, channels, left, pixel, step);
      if (first == 0)
        memset(to + pixels * step, 0, static_cast<size_t>(step) * sizeof(float));
    }
  });
  return turned;
}

template <typename T> void sample(const Block &block, const T *image, T *to) {
  if constexpr (__is_same(T, float))
    if (block.taps == 1 || block.taps == 4)
      return sampleFloats(block, image, to);
  sampleAny(block, image, to);
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
  void *result = prepareOut(ctx, out[0], dims);
  int64_t points = dims.product(2, dims.rank);
  if (imageSize == 0) {
    memset(result, 0, static_cast<size_t>(dims.count() * onnxc_elem_size(x.elem_type)));
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
    int64_t taps = 1, batches = dims.sizes[0];
    for (int32_t d = 0; d < s.rank; ++d)
      taps *= tapsOfMode(s.mode);
    // With the channels side by side a pixel is read as vectors: worth it where most pixels are read.
    int64_t step = (channels + kTurnedAtOnce - 1) / kTurnedAtOnce * kTurnedAtOnce;
    float *turned = nullptr;
    if constexpr (__is_same(T, float))
      if (2 * channels >= kTurnedAtOnce && points >= imageSize / taps)
        turned = turnImages(ctx, from, batches, channels, imageSize, step);
    parallelFor(ctx, batches * points, static_cast<double>(channels) * 2 + 20, [=](int64_t begin, int64_t end) {
      int64_t most = kPlacesOfBlock / taps < kPointsOfBlock ? kPlacesOfBlock / taps : kPointsOfBlock;
      Block block = {0, taps, scratch<int64_t>(ctx, most * taps), scratch<double>(ctx, most * taps),
                     scratch<float>(ctx, most * taps), false};
      float *sampled = turned ? scratch<float>(ctx, most * step) : nullptr;
      for (int64_t p = begin; p < end; p += block.points) {
        int64_t batch = p / points, left = (batch + 1) * points;
        left = (left < end ? left : end) - p; // to the end of the image
        block.points = left < most ? left : most;
        fillBlock(s, coordinates + p * s.rank, block);
        T *to = static_cast<T *>(result) + batch * channels * points + p % points;
        if constexpr (__is_same(T, float))
          if (turned) {
            sampleTurned(block, turned + batch * (imageSize + 1) * step, imageSize, step, channels, sampled, to, points);
            continue;
          }
        for (int64_t c = 0; c < channels; ++c)
          sample(block, from + (batch * channels + c) * imageSize, to + c * points);
      }
      onnxc_free(ctx, block.places);
      onnxc_free(ctx, block.weights);
      onnxc_free(ctx, block.singles);
      if (sampled)
        onnxc_free(ctx, sampled);
    });
    if (turned)
      onnxc_free(ctx, turned);
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
