// ImageDecoder: decodes, and gives the pixels in the order asked for.
#include "image.h"
#include "kernels/common.h"
#include "streams.h"

using namespace onnxc_k;
using namespace onnxc_images;

namespace {

enum class Order { Rgb, Bgr, Grey };

void copyPixels(const Image &image, Order order, uint8_t *to) {
  int64_t count = image.width * image.height;
  const uint8_t *from = image.pixels;
  bool isGrey = image.channels == 1;
  if (isGrey ? order == Order::Grey : order == Order::Rgb) {
    memcpy(to, from, static_cast<size_t>(count * image.channels));
    return;
  }
  if (order == Order::Grey) {
    for (int64_t i = 0; i < count; ++i)
      to[i] = lumaOf(from + 3 * i);
    return;
  }
  int64_t step = isGrey ? 1 : 3, last = isGrey ? 0 : 2; // grey in colour: three equal channels
  for (int64_t i = 0; i < count; ++i, to += 3, from += step) {
    to[0] = from[last];
    to[1] = from[last / 2];
    to[2] = from[0];
  }
}

} // namespace

ONNXC_KERNEL(ImageDecoder) {
  const onnxc_str *format = onnxc_attr_string(attrs, "pixel_format");
  Order order = Order::Rgb;
  if (attrIs(attrs, "pixel_format", "Grayscale"))
    order = Order::Grey;
  else if (attrIs(attrs, "pixel_format", "BGR"))
    order = Order::Bgr;
  else if (format && !attrIs(attrs, "pixel_format", "RGB"))
    onnxc_fail(ctx, "ImageDecoder: pixel_format is neither RGB nor BGR nor Grayscale");

  prepareStreams();
  Image image;
  Bytes bytes{dataOf<const uint8_t>(in[0]), onnxc_num_elements(&in[0])};
  // What can't be decoded is an empty matrix: so ONNX says.
  if (!decodeImage(bytes, image))
    image.width = image.height = 0;
  Dims dims;
  dims.push(image.height);
  dims.push(image.width);
  dims.push(order == Order::Grey ? 1 : 3);
  auto *pixels = static_cast<uint8_t *>(prepareOut(ctx, out[0], dims));
  copyPixels(image, order, pixels);
  image.release();
  return 0;
}
