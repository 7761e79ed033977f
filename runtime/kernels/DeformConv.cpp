// DeformConv in two dimensions: each tap reads the image at its own offset, interpolated.
#include <math.h>

#include "common.h"

using namespace onnxc_k;

namespace {

struct Shape {
  int64_t channels, height, width;          // of the input
  int64_t outChannels, outHeight, outWidth; // of the output
  int64_t kernelHeight, kernelWidth, group, offsetGroup;
  int64_t strides[2], pads[2], dilations[2];
};

// Bilinear with zeros outside.
template <typename T> double readAt(const T *plane, int64_t height, int64_t width, double y, double x) {
  if (!(y > -1 && x > -1 && y < static_cast<double>(height) && x < static_cast<double>(width)))
    return 0;
  auto top = static_cast<int64_t>(floor(y)), left = static_cast<int64_t>(floor(x));
  double dy = y - static_cast<double>(top), dx = x - static_cast<double>(left);
  auto pixel = [&](int64_t r, int64_t c) {
    return r < 0 || c < 0 || r >= height || c >= width ? 0.0 : static_cast<double>(plane[r * width + c]);
  };
  return (1 - dy) * ((1 - dx) * pixel(top, left) + dx * pixel(top, left + 1)) +
         dy * ((1 - dx) * pixel(top + 1, left) + dx * pixel(top + 1, left + 1));
}

// One output position: gathers all taps of all channels, then multiplies by the weights.
template <typename T>
void convolveAt(const Shape &s, const T *x, const T *weights, const T *offsets, const T *mask, const T *bias, T *y,
                int64_t position, double *columns) {
  int64_t taps = s.kernelHeight * s.kernelWidth, points = s.outHeight * s.outWidth;
  int64_t oy = position / s.outWidth, ox = position % s.outWidth, perOffset = s.channels / s.offsetGroup;
  for (int64_t g = 0; g < s.offsetGroup; ++g)
    for (int64_t t = 0; t < taps; ++t) {
      int64_t offset = (g * taps + t) * 2 * points + position;
      double py = static_cast<double>(oy * s.strides[0] - s.pads[0] + t / s.kernelWidth * s.dilations[0]) +
                  static_cast<double>(offsets[offset]);
      double px = static_cast<double>(ox * s.strides[1] - s.pads[1] + t % s.kernelWidth * s.dilations[1]) +
                  static_cast<double>(offsets[offset + points]);
      double scale = mask ? static_cast<double>(mask[(g * taps + t) * points + position]) : 1;
      for (int64_t c = g * perOffset; c < (g + 1) * perOffset; ++c)
        columns[c * taps + t] = scale * readAt(x + c * s.height * s.width, s.height, s.width, py, px);
    }
  int64_t perGroup = s.channels / s.group * taps, outPerGroup = s.outChannels / s.group;
  for (int64_t o = 0; o < s.outChannels; ++o) {
    double sum = bias ? static_cast<double>(bias[o]) : 0;
    const double *column = columns + o / outPerGroup * perGroup;
    for (int64_t k = 0; k < perGroup; ++k)
      sum += column[k] * static_cast<double>(weights[o * perGroup + k]);
    y[o * points + position] = static_cast<T>(static_cast<Acc<T>>(sum));
  }
}

} // namespace

ONNXC_KERNEL(DeformConv) {
  const onnxc_tensor &x = in[0], &w = in[1], &offset = in[2];
  if (x.rank != 4 || w.rank != 4 || offset.rank != 4)
    onnxc_fail(ctx, "DeformConv: only two spatial dimensions are supported");
  AttrArray<int64_t> strides = attrInts(attrs, "strides"), pads = attrInts(attrs, "pads");
  AttrArray<int64_t> dilations = attrInts(attrs, "dilations");
  Shape s = {};
  s.channels = x.dims[1];
  s.height = x.dims[2];
  s.width = x.dims[3];
  s.outChannels = w.dims[0];
  s.kernelHeight = w.dims[2];
  s.kernelWidth = w.dims[3];
  s.group = onnxc_attr_int(attrs, "group", 1);
  s.offsetGroup = onnxc_attr_int(attrs, "offset_group", 1);
  int64_t sizes[2];
  for (int d = 0; d < 2; ++d) {
    s.strides[d] = d < strides.size ? strides[d] : 1;
    s.dilations[d] = d < dilations.size ? dilations[d] : 1;
    s.pads[d] = pads.size == 4 ? pads[d] : 0;
    int64_t padded = x.dims[d + 2] + s.pads[d] + (pads.size == 4 ? pads[d + 2] : 0);
    int64_t span = padded - s.dilations[d] * (w.dims[d + 2] - 1) - 1;
    sizes[d] = span >= 0 && s.strides[d] > 0 ? span / s.strides[d] + 1 : 0;
  }
  s.outHeight = sizes[0];
  s.outWidth = sizes[1];
  int64_t taps = s.kernelHeight * s.kernelWidth, points = s.outHeight * s.outWidth;
  bool hasMask = isPresent(numIn, in, 4), hasBias = isPresent(numIn, in, 3);
  bool fits = s.group > 0 && s.offsetGroup > 0 && s.channels % s.group == 0 && s.channels % s.offsetGroup == 0 &&
              s.outChannels % s.group == 0 && w.dims[1] * s.group == s.channels && offset.dims[0] == x.dims[0] &&
              offset.dims[1] == s.offsetGroup * taps * 2 && offset.dims[2] == s.outHeight &&
              offset.dims[3] == s.outWidth && (!hasBias || onnxc_num_elements(&in[3]) == s.outChannels) &&
              (!hasMask || onnxc_num_elements(&in[4]) * 2 == onnxc_num_elements(&offset));
  if (!fits)
    onnxc_fail(ctx, "DeformConv: the shapes of the inputs do not fit each other");
  Dims dims(x);
  dims.sizes[1] = s.outChannels;
  dims.sizes[2] = s.outHeight;
  dims.sizes[3] = s.outWidth;
  void *to = prepareOut(ctx, out[0], dims);
  dispatchFloat(ctx, "DeformConv", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    double cost = static_cast<double>(s.channels * taps) * (10 + static_cast<double>(s.outChannels));
    parallelFor(ctx, dims.sizes[0] * points, cost, [=](int64_t begin, int64_t end) {
      auto *columns = scratch<double>(ctx, s.channels * taps);
      for (int64_t p = begin; p < end; ++p) {
        int64_t n = p / points;
        convolveAt<T>(s, dataOf<T>(x) + n * s.channels * s.height * s.width, dataOf<T>(w),
                      dataOf<T>(offset) + n * s.offsetGroup * taps * 2 * points,
                      hasMask ? dataOf<T>(in[4]) + n * s.offsetGroup * taps * points : nullptr,
                      hasBias ? dataOf<T>(in[3]) : nullptr, static_cast<T *>(to) + n * s.outChannels * points, p % points,
                      columns);
      }
      onnxc_free(ctx, columns);
    });
  });
  return 0;
}
