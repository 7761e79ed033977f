// RoiAlign and MaxRoiPool.
#include <math.h>

#include <algorithm>

#include "common.h"

using namespace onnxc_k;

namespace {

// Four pixels and their weights around a sample point; no weight if it lies outside.
struct Corner {
  int64_t offsets[4];
  double weights[4];
};

Corner cornersOf(double y, double x, int64_t height, int64_t width) {
  Corner corner = {};
  if (y < -1 || y > static_cast<double>(height) || x < -1 || x > static_cast<double>(width))
    return corner;
  y = fmax(y, 0);
  x = fmax(x, 0);
  auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  int64_t bottom = top + 1, right = left + 1;
  if (top >= height - 1) {
    top = bottom = height - 1;
    y = static_cast<double>(top);
  }
  if (left >= width - 1) {
    left = right = width - 1;
    x = static_cast<double>(left);
  }
  double dy = y - static_cast<double>(top), dx = x - static_cast<double>(left);
  int64_t offsets[4] = {top * width + left, top * width + right, bottom * width + left, bottom * width + right};
  double weights[4] = {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx};
  for (int i = 0; i < 4; ++i) {
    corner.offsets[i] = offsets[i];
    corner.weights[i] = weights[i];
  }
  return corner;
}

struct Align {
  int64_t channels, height, width, outHeight, outWidth, samplingRatio;
  double scale, offset;
  bool max, forceSize;
};

// One region of interest, all channels: image and result are its [C, H, W] planes.
template <typename T>
void alignRoi(onnxc_ctx *ctx, const Align &a, const double *roi, const T *image, T *result) {
  double x1 = roi[0] * a.scale - a.offset, y1 = roi[1] * a.scale - a.offset;
  double width = roi[2] * a.scale - a.offset - x1, height = roi[3] * a.scale - a.offset - y1;
  if (a.forceSize) {
    width = fmax(width, 1);
    height = fmax(height, 1);
  }
  double binHeight = height / static_cast<double>(a.outHeight), binWidth = width / static_cast<double>(a.outWidth);
  // By default a sample for each pixel that the bin covers.
  int64_t gridY = a.samplingRatio > 0 ? a.samplingRatio : static_cast<int64_t>(ceil(fmin(fmax(binHeight, 0), 1e6)));
  int64_t gridX = a.samplingRatio > 0 ? a.samplingRatio : static_cast<int64_t>(ceil(fmin(fmax(binWidth, 0), 1e6)));
  if (gridY > (1 << 24) || gridX > (1 << 24) || gridY * gridX > (1 << 24))
    onnxc_fail(ctx, "RoiAlign: a region of %g x %g pixels takes too many samples", width, height);
  int64_t plane = a.height * a.width, bins = a.outHeight * a.outWidth, samples = gridY * gridX;
  auto *corners = scratch<Corner>(ctx, samples);
  for (int64_t bin = 0; bin < bins; ++bin) {
    double top = y1 + static_cast<double>(bin / a.outWidth) * binHeight;
    double left = x1 + static_cast<double>(bin % a.outWidth) * binWidth;
    for (int64_t i = 0; i < samples; ++i) // the same for all channels
      corners[i] = cornersOf(top + (static_cast<double>(i / gridX) + 0.5) * binHeight / static_cast<double>(gridY),
                             left + (static_cast<double>(i % gridX) + 0.5) * binWidth / static_cast<double>(gridX),
                             a.height, a.width);
    for (int64_t c = 0; c < a.channels; ++c) {
      const T *from = image + c * plane;
      double value = a.max && samples > 0 ? -INFINITY : 0;
      for (int64_t i = 0; i < samples; ++i)
        for (int k = 0; k < 4; ++k) {
          double part = corners[i].weights[k] * static_cast<double>(from[corners[i].offsets[k]]);
          value = a.max ? fmax(value, part) : value + part;
        }
      if (!a.max && samples > 0)
        value /= static_cast<double>(samples);
      result[c * bins + bin] = static_cast<T>(static_cast<Acc<T>>(value));
    }
  }
  onnxc_free(ctx, corners);
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
    int64_t resultSize = dims.product(1, 4), imageSize = a.channels * a.height * a.width;
    parallelFor(ctx, rois.dims[0], static_cast<double>(resultSize) * 60, [=](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        double roi[4];
        for (int i = 0; i < 4; ++i)
          roi[i] = static_cast<double>(dataOf<T>(rois)[r * 4 + i]);
        alignRoi(ctx, a, roi, dataOf<T>(x) + intAt(in[2], r) * imageSize, static_cast<T *>(to) + r * resultSize);
      }
    });
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
