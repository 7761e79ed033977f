// What the decoders of ImageDecoder share. Each file decodes one format (or family) from bytes that nobody has checked
// into 8-bit grey or RGB. A colour model that has neither is converted as Pillow's Image.convert does, because ONNX's
// reference evaluator, and the expected values of its tests, are Pillow's: alpha is dropped, 16-bit and wider grey is
// clipped, other 16-bit samples keep their high byte.
#ifndef ONNXC_IMAGES_IMAGE_H
#define ONNXC_IMAGES_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

namespace onnxc_images {

// The encoded stream.
struct Bytes {
  const uint8_t *data;
  int64_t size;

  bool has(int64_t at, int64_t count) const { return at >= 0 && count >= 0 && at <= size && count <= size - at; }
  bool startsWith(const char *prefix, int64_t count) const {
    return has(0, count) && memcmp(data, prefix, static_cast<size_t>(count)) == 0;
  }
};

// Little-endian numbers; the caller has checked that they are there.
inline uint32_t little16(const uint8_t *p) { return p[0] | static_cast<uint32_t>(p[1]) << 8; }
inline uint32_t little32(const uint8_t *p) { return little16(p) | little16(p + 2) << 16; }

// More pixels than this are refused before anything is allocated: the largest image that Pillow opens.
constexpr int64_t kMaxPixels = 178956970;

inline bool isSaneSize(int64_t width, int64_t height) {
  return width > 0 && height > 0 && width <= kMaxPixels && height <= kMaxPixels / width;
}

// A decoded image: 1 (grey) or 3 (RGB) bytes a pixel, rows without gaps. Decoders leave it by longjmp, so it has no
// destructor: decodeImage frees it.
struct Image {
  uint8_t *pixels = nullptr;
  int64_t width = 0, height = 0;
  int32_t channels = 0;

  // Black pixels. False where the size is not sane or memory is short.
  bool allocate(int64_t newWidth, int64_t newHeight, int32_t newChannels) {
    if (!isSaneSize(newWidth, newHeight))
      return false;
    release();
    pixels = static_cast<uint8_t *>(calloc(static_cast<size_t>(newWidth * newHeight), static_cast<size_t>(newChannels)));
    width = newWidth;
    height = newHeight;
    channels = newChannels;
    return pixels != nullptr;
  }
  void release() {
    free(pixels);
    pixels = nullptr;
  }
  int64_t rowBytes() const { return width * channels; }
  uint8_t *row(int64_t y) const { return pixels + y * rowBytes(); }
};

inline uint8_t clip(int64_t value) { return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value); }

// a * b / 255, rounded.
inline int32_t mulDiv255(int32_t a, int32_t b) {
  int32_t product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

// ITU-R 601-2 luma in 16-bit fixed point.
inline uint8_t lumaOf(const uint8_t *rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

inline void cmykToRgb(const uint8_t *cmyk, uint8_t *rgb) {
  int32_t light = 255 - cmyk[3];
  for (int i = 0; i < 3; ++i)
    rgb[i] = clip(light - mulDiv255(cmyk[i], light));
}

// The decoders. False: the stream can't be decoded; `out` may then hold a part of it.
using Decoder = bool (*)(Bytes in, Image &out);
bool decodeJpeg(Bytes in, Image &out);
bool decodePng(Bytes in, Image &out);
bool decodeWebP(Bytes in, Image &out);
bool decodeTiff(Bytes in, Image &out);
bool decodeJpeg2000(Bytes in, Image &out);
bool decodeBmp(Bytes in, Image &out);
bool decodePnm(Bytes in, Image &out);

// Finds the format by its signature. False where no decoder takes the stream; `out` holds no memory then.
bool decodeImage(Bytes in, Image &out);

} // namespace onnxc_images

#endif
