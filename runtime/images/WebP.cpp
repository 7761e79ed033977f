// WebP by libwebp; of an animation the first frame.
#include "image.h"

#include <webp/decode.h>
#include <webp/demux.h>

namespace onnxc_images {

bool decodeWebP(Bytes in, Image &out) {
  WebPBitstreamFeatures features;
  size_t size = static_cast<size_t>(in.size);
  if (WebPGetFeatures(in.data, size, &features) != VP8_STATUS_OK ||
      !out.allocate(features.width, features.height, 3))
    return false;
  if (!features.has_animation && !features.has_alpha)
    return WebPDecodeRGBInto(in.data, size, out.pixels, static_cast<size_t>(out.rowBytes() * out.height),
                             static_cast<int>(out.rowBytes())) != nullptr;

  // What shows where alpha is 0 is as the frame has it; a frame that is smaller than the canvas lies on black.
  WebPAnimDecoderOptions options;
  WebPData data{in.data, size};
  WebPAnimInfo info;
  uint8_t *rgba = nullptr;
  int timestamp = 0;
  if (!WebPAnimDecoderOptionsInit(&options))
    return false;
  options.color_mode = MODE_RGBA;
  WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
  bool ok = decoder && WebPAnimDecoderGetInfo(decoder, &info) && info.canvas_width == out.width &&
            info.canvas_height == out.height && WebPAnimDecoderGetNext(decoder, &rgba, &timestamp);
  for (int64_t i = 0; ok && i < out.width * out.height; ++i)
    memcpy(out.pixels + 3 * i, rgba + 4 * i, 3);
  WebPAnimDecoderDelete(decoder);
  return ok;
}

} // namespace onnxc_images
