// RoiAlign and MaxRoiPool.
#include <math.h>

#include <algorithm>

#include "cpu.h"
#include "turn.h"

using namespace onnxc_k;

namespace {

// A sample's two pixels along one dimension and their weights; no weight if it lies outside.
struct Line {
  int64_t pixels[2];
  double weights[2];
};

Line lineOf(double at, int64_t size) {
  Line line = {};
  if (at < -1 || at > static_cast<double>(size))
    return line;
  at = at > 0 ? at : 0; // also NaN
  auto low = static_cast<int64_t>(at);
  if (low >= size - 1)
    return {{size - 1, size - 1}, {1, 0}};
  double rest = at - static_cast<double>(low);
  return {{low, low + 1}, {1 - rest, rest}};
}

struct Align {
  int64_t channels, height, width, outHeight, outWidth, samplingRatio;
  double scale, offset;
  bool max, forceSize;
};

// A region of interest in pixels: where it begins, its bins, the samples in each.
struct Region {
  double top, left, binHeight, binWidth;
  int64_t gridY, gridX;
};

Region regionOf(onnxc_ctx *ctx, const Align &a, const double *roi) {
  double left = roi[0] * a.scale - a.offset, top = roi[1] * a.scale - a.offset;
  double width = roi[2] * a.scale - a.offset - left, height = roi[3] * a.scale - a.offset - top;
  if (a.forceSize) {
    width = fmax(width, 1);
    height = fmax(height, 1);
  }
  Region region = {top, left, height / static_cast<double>(a.outHeight), width / static_cast<double>(a.outWidth), 0, 0};
  // By default a sample for each pixel that the bin covers.
  auto samplesOf = [&](double bin) {
    return a.samplingRatio > 0 ? a.samplingRatio : static_cast<int64_t>(ceil(fmin(fmax(bin, 0), 1e6)));
  };
  region.gridY = samplesOf(region.binHeight);
  region.gridX = samplesOf(region.binWidth);
  if (region.gridY > (1 << 24) || region.gridX > (1 << 24) || region.gridY * region.gridX > (1 << 24))
    onnxc_fail(ctx, "RoiAlign: a region of %g x %g pixels takes too many samples", width, height);
  return region;
}

// What one bin reads of each channel, and where its result goes. A is the type of sums; images of T are [C, H, W], or
// turned into [H, W, C] of A.
template <typename A> struct Bin {
  const int64_t *pixels;
  const A *weights;
  int64_t taps, channels;
  A scale; // of the sum
  A *result;
};

constexpr int64_t kChannelsAtOnce = 64;

template <bool max, typename A>
__attribute__((always_inline)) inline void poolChannels(const Bin<A> &bin, const A *image, int64_t count,
                                                        A *__restrict result) {
  A sums[kChannelsAtOnce];
  for (int64_t c = 0; c < count; ++c)
    sums[c] = max ? static_cast<A>(-INFINITY) : 0;
  for (int64_t i = 0; i < bin.taps; ++i) {
    const A *from = image + bin.pixels[i] * bin.channels;
    A weight = bin.weights[i];
    for (int64_t c = 0; c < count; ++c) {
      A part = weight * from[c];
      sums[c] = !max ? sums[c] + part : part > sums[c] ? part : sums[c];
    }
  }
  for (int64_t c = 0; c < count; ++c)
    result[c] = sums[c] * bin.scale;
}
template <bool max, typename A>
__attribute__((always_inline)) inline void poolTurned(const Bin<A> &bin, const A *image) {
  int64_t c = 0;
  for (; c + kChannelsAtOnce <= bin.channels; c += kChannelsAtOnce)
    poolChannels<max>(bin, image + c, kChannelsAtOnce, bin.result + c);
  if (c < bin.channels)
    poolChannels<max>(bin, image + c, bin.channels - c, bin.result + c);
}
__attribute__((always_inline)) inline void poolFloatsBody(const Bin<float> &bin, const float *image, bool max) {
  max ? poolTurned<true>(bin, image) : poolTurned<false>(bin, image);
}
ONNXC_VERSIONS(void, poolFloats, (const Bin<float> &bin, const float *image, bool max), (bin, image, max))
void poolDoubles(const Bin<double> &bin, const double *image, bool max) {
  max ? poolTurned<true>(bin, image) : poolTurned<false>(bin, image);
}

__attribute__((always_inline)) inline void turnFloatsBody(const float *from, int64_t fromStep, int64_t rows,
                                                          int64_t columns, float *to, int64_t toStep) {
  turn(from, fromStep, rows, columns, to, toStep);
}
ONNXC_VERSIONS(void, turnFloats,
               (const float *from, int64_t fromStep, int64_t rows, int64_t columns, float *to, int64_t toStep),
               (from, fromStep, rows, columns, to, toStep))
template <typename T, typename A>
void turnMatrix(const T *from, int64_t fromStep, int64_t rows, int64_t columns, A *to, int64_t toStep) {
  if constexpr (__is_same(T, float) && __is_same(A, float))
    turnFloats(from, fromStep, rows, columns, to, toStep);
  else
    turn(from, fromStep, rows, columns, to, toStep);
}

// From an image as it is.
template <typename T, typename A> void poolPlanes(const Bin<A> &bin, const T *image, int64_t plane, bool max) {
  for (int64_t c = 0; c < bin.channels; ++c, image += plane) {
    A sum = max ? static_cast<A>(-INFINITY) : 0;
    for (int64_t i = 0; i < bin.taps; ++i) {
      A part = bin.weights[i] * static_cast<A>(image[bin.pixels[i]]);
      sum = !max ? sum + part : part > sum ? part : sum;
    }
    bin.result[c] = sum * bin.scale;
  }
}

// One region of interest, all channels; `turned` or `image` is what is read, result [C, bins].
template <typename T, typename A>
void alignRoi(onnxc_ctx *ctx, const Align &a, const Region &region, const T *image, const A *turned, T *result) {
  int64_t bins = a.outHeight * a.outWidth, samples = region.gridY * region.gridX;
  int64_t numRows = a.outHeight * region.gridY, numColumns = a.outWidth * region.gridX;
  auto *rows = scratch<Line>(ctx, numRows + numColumns), *columns = rows + numRows;
  auto place = [](double begin, double size, int64_t i, int64_t grid) {
    return begin + static_cast<double>(i / grid) * size + (static_cast<double>(i % grid) + 0.5) * size / static_cast<double>(grid);
  };
  for (int64_t i = 0; i < numRows; ++i)
    rows[i] = lineOf(place(region.top, region.binHeight, i, region.gridY), a.height);
  for (int64_t i = 0; i < numColumns; ++i)
    columns[i] = lineOf(place(region.left, region.binWidth, i, region.gridX), a.width);
  auto *pixels = scratch<int64_t>(ctx, samples * 4);
  auto *weights = scratch<A>(ctx, samples * 4 + bins * a.channels), *pooled = weights + samples * 4;
  // A region without an extent has no samples: zero.
  bool max = a.max && samples > 0;
  A scale = max || samples == 0 ? 1 : 1 / static_cast<A>(samples);
  for (int64_t bin = 0; bin < bins; ++bin) {
    int64_t taps = 0;
    for (int64_t y = 0; y < region.gridY; ++y) {
      const Line &row = rows[bin / a.outWidth * region.gridY + y];
      for (int64_t x = 0; x < region.gridX; ++x) {
        const Line &column = columns[bin % a.outWidth * region.gridX + x];
        for (int k = 0; k < 4; ++k, ++taps) {
          pixels[taps] = row.pixels[k / 2] * a.width + column.pixels[k % 2];
          weights[taps] = static_cast<A>(row.weights[k / 2] * column.weights[k % 2]);
        }
      }
    }
    Bin<A> work = {pixels, weights, taps, a.channels, scale, pooled + bin * a.channels};
    if (!turned)
      poolPlanes(work, image, a.height * a.width, max);
    else if constexpr (__is_same(A, float))
      poolFloats(work, turned, max);
    else
      poolDoubles(work, turned, max);
  }
  turnMatrix(pooled, a.channels, bins, a.channels, result, bins);
  onnxc_free(ctx, weights);
  onnxc_free(ctx, pixels);
  onnxc_free(ctx, rows);
}

// Images [C, pixels] turned into [pixels, C].
template <typename T, typename A>
A *turnImages(onnxc_ctx *ctx, const T *images, int64_t count, int64_t channels, int64_t pixels) {
  constexpr int64_t kPixels = 64;
  auto *turned = scratch<A>(ctx, count * channels * pixels);
  int64_t blocks = (pixels + kPixels - 1) / kPixels;
  parallelFor(ctx, count * blocks, static_cast<double>(channels * kPixels), [=](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      int64_t first = block % blocks * kPixels, skip = block / blocks * channels * pixels;
      turnMatrix(images + skip + first, pixels, channels, std::min(kPixels, pixels - first),
                 turned + skip + first * channels, channels);
    }
  });
  return turned;
}

} // namespace

ONNXC_KERNEL(RoiAlign) {
  const onnxc_tensor &x = in[0], &rois = in[1];
  if (x.rank != 4 || rois.rank != 2 || rois.dims[1] != 4 || onnxc_num_elements(&in[2]) != rois.dims[0])
    onnxc_fail(ctx, "RoiAlign: the inputs must be [N, C, H, W], [rois, 4] and [rois]");
  bool halfPixel = !attrIs(attrs, "coordinate_transformation_mode", "output_half_pixel");
  Align a = {};
  a.channels = x.dims[1];
  a.height = x.dims[2];
  a.width = x.dims[3];
  a.outHeight = onnxc_attr_int(attrs, "output_height", 1);
  a.outWidth = onnxc_attr_int(attrs, "output_width", 1);
  a.samplingRatio = onnxc_attr_int(attrs, "sampling_ratio", 0);
  a.scale = static_cast<double>(onnxc_attr_float(attrs, "spatial_scale", 1));
  a.offset = halfPixel ? 0.5 : 0;
  a.max = attrIs(attrs, "mode", "max");
  a.forceSize = !halfPixel;
  for (int64_t r = 0; r < rois.dims[0]; ++r)
    if (intAt(in[2], r) < 0 || intAt(in[2], r) >= x.dims[0])
      onnxc_fail(ctx, "RoiAlign: batch index %lld is out of range", static_cast<long long>(intAt(in[2], r)));
  Dims dims(x);
  dims.sizes[0] = rois.dims[0];
  dims.sizes[2] = a.outHeight;
  dims.sizes[3] = a.outWidth;
  void *to = prepareOut(ctx, out[0], dims);
  if (a.height == 0 || a.width == 0)
    onnxc_fail(ctx, "RoiAlign: the image is empty");
  dispatchFloat(ctx, "RoiAlign", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    using A = Acc<T>;
    int64_t numRois = rois.dims[0], plane = a.height * a.width, resultSize = dims.product(1, 4);
    auto *regions = scratch<Region>(ctx, numRois);
    double taps = 0;
    for (int64_t r = 0; r < numRois; ++r) {
      double roi[4];
      for (int i = 0; i < 4; ++i)
        roi[i] = static_cast<double>(dataOf<T>(rois)[r * 4 + i]);
      regions[r] = regionOf(ctx, a, roi);
      taps += static_cast<double>(a.outHeight * a.outWidth * 4) * static_cast<double>(regions[r].gridY * regions[r].gridX);
    }
    // With the channels side by side a pixel is read as vectors: worth it where most pixels are read.
    A *turned = nullptr;
    if (taps >= static_cast<double>(x.dims[0] * plane))
      turned = turnImages<T, A>(ctx, dataOf<T>(x), x.dims[0], a.channels, plane);
    double cost = taps * static_cast<double>(a.channels) / static_cast<double>(std::max<int64_t>(numRois, 1));
    parallelFor(ctx, numRois, turned ? cost / 8 : cost, [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        int64_t skip = intAt(in[2], r) * a.channels * plane;
        alignRoi(ctx, a, regions[r], dataOf<T>(x) + skip, turned ? turned + skip : nullptr,
                 static_cast<T *>(to) + r * resultSize);
      }
    });
    if (turned)
      onnxc_free(ctx, turned);
    onnxc_free(ctx, regions);
  });
  return 0;
}

ONNXC_KERNEL(MaxRoiPool) {
  const onnxc_tensor &x = in[0], &rois = in[1];
  AttrArray<int64_t> pooled = attrInts(attrs, "pooled_shape");
  if (x.rank != 4 || rois.rank != 2 || rois.dims[1] != 5 || pooled.size != 2 || pooled[0] < 1 || pooled[1] < 1)
    onnxc_fail(ctx, "MaxRoiPool: the inputs must be [N, C, H, W] and [rois, 5], the pooled shape of two sizes");
  auto scale = static_cast<double>(onnxc_attr_float(attrs, "spatial_scale", 1));
  int64_t channels = x.dims[1], height = x.dims[2], width = x.dims[3];
  Dims dims(x);
  dims.sizes[0] = rois.dims[0];
  dims.sizes[2] = pooled[0];
  dims.sizes[3] = pooled[1];
  void *to = prepareOut(ctx, out[0], dims);
  dispatchFloat(ctx, "MaxRoiPool", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    T *result = static_cast<T *>(to);
    for (int64_t r = 0; r < rois.dims[0]; ++r) {
      int64_t roi[5];
      for (int i = 0; i < 5; ++i) {
        auto value = static_cast<double>(dataOf<T>(rois)[r * 5 + i]);
        roi[i] = static_cast<int64_t>(i == 0 ? value : round(value * scale));
      }
      if (roi[0] < 0 || roi[0] >= x.dims[0])
        onnxc_fail(ctx, "MaxRoiPool: batch index %lld is out of range", static_cast<long long>(roi[0]));
      auto binHeight = static_cast<double>(std::max<int64_t>(roi[4] - roi[2] + 1, 1)) / static_cast<double>(pooled[0]);
      auto binWidth = static_cast<double>(std::max<int64_t>(roi[3] - roi[1] + 1, 1)) / static_cast<double>(pooled[1]);
      // The bin's pixels, cut at the image.
      auto edge = [](double position, int64_t start, int64_t limit) {
        return std::min(std::max(static_cast<int64_t>(position) + start, int64_t(0)), limit);
      };
      for (int64_t c = 0; c < channels; ++c) {
        const T *plane = dataOf<T>(x) + (roi[0] * channels + c) * height * width;
        for (int64_t by = 0; by < pooled[0]; ++by)
          for (int64_t bx = 0; bx < pooled[1]; ++bx) {
            int64_t y0 = edge(floor(static_cast<double>(by) * binHeight), roi[2], height);
            int64_t y1 = edge(ceil(static_cast<double>(by + 1) * binHeight), roi[2], height);
            int64_t x0 = edge(floor(static_cast<double>(bx) * binWidth), roi[1], width);
            int64_t x1 = edge(ceil(static_cast<double>(bx + 1) * binWidth), roi[1], width);
            double best = y1 <= y0 || x1 <= x0 ? 0 : -INFINITY;
            for (int64_t y = y0; y < y1; ++y)
              for (int64_t xx = x0; xx < x1; ++xx)
                best = fmax(best, static_cast<double>(plane[y * width + xx]));
            *result++ = static_cast<T>(static_cast<Acc<T>>(best));
          }
      }
    }
  });
  return 0;
}
