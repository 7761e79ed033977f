// BMP: Windows' headers and OS/2's first, palettes, 16, 24 and 32 bits with the usual masks, run lengths. Reads what
// Pillow reads.
#include "image.h"

namespace onnxc_images {
namespace {

enum Compression : uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };

struct Header {
  int64_t width, height, pixelsAt;
  uint32_t bits, compression = kRaw;
  bool isTopDown = false;
  uint32_t masks[4] = {0, 0, 0, 0}; // red, green, blue, alpha
  int64_t paletteAt = 0, colors = 0, colorBytes = 4;
};

bool readHeader(Bytes in, Header &h) {
  if (!in.has(0, 18))
    return false;
  h.pixelsAt = little32(in.data + 10);
  int64_t size = little32(in.data + 14);
  const uint8_t *p = in.data + 14;
  if (size == 12) {
    if (!in.has(14, size))
      return false;
    h.width = little16(p + 4);
    h.height = little16(p + 6);
    h.bits = little16(p + 10);
    h.colorBytes = 3;
  } else {
    if ((size != 40 && size != 52 && size != 56 && size != 64 && size != 108 && size != 124) || !in.has(14, size))
      return false;
    h.width = static_cast<int32_t>(little32(p + 4));
    int64_t height = static_cast<int32_t>(little32(p + 8));
    h.isTopDown = height < 0;
    h.height = h.isTopDown ? -height : height;
    h.bits = little16(p + 14);
    h.compression = little32(p + 16);
    h.colors = little32(p + 32);
  }
  h.paletteAt = 14 + size;
  if (h.compression == kBitFields) {
    // After a header of 40 bytes stand three masks, in longer ones they are fields.
    int masks = size >= 56 ? 4 : 3;
    if (!in.has(14 + 40, masks * 4))
      return false;
    for (int i = 0; i < masks; ++i)
      h.masks[i] = little32(p + 40 + 4 * i);
    if (size == 40)
      h.paletteAt += 12;
  }
  if (h.bits <= 8 && h.colors == 0)
    h.colors = int64_t(1) << h.bits;
  if (h.pixelsAt == 0)
    h.pixelsAt = h.paletteAt + (h.bits <= 8 ? h.colors * h.colorBytes : 0);
  return isSaneSize(h.width, h.height);
}

int64_t strideOf(const Header &h) { return (h.width * h.bits + 31) / 32 * 4; }

// Whether all rows are there: nothing is allocated for an image whose pixels are not. The last row's padding may miss.
bool hasRows(Bytes in, const Header &h) {
  return in.has(h.pixelsAt, (h.height - 1) * strideOf(h) + (h.width * h.bits + 7) / 8);
}

// The pixels' numbers in the palette, one a byte, bottom row first as in the file.
void readIndices(Bytes in, const Header &h, uint8_t *to) {
  int64_t stride = strideOf(h);
  uint32_t perByte = 8 / h.bits, mask = (1u << h.bits) - 1;
  for (int64_t y = 0; y < h.height; ++y) {
    int64_t at = h.pixelsAt + y * stride;
    for (int64_t x = 0; x < h.width; ++x) {
      uint32_t shift = static_cast<uint32_t>(perByte - 1 - x % perByte) * h.bits;
      to[y * h.width + x] = static_cast<uint8_t>((in.data[at + x / perByte] >> shift) & mask);
    }
  }
}

// The same from run lengths; `to` holds zeros, which is what is not coded.
bool readRuns(Bytes in, const Header &h, uint8_t *to) {
  bool isRle4 = h.compression == kRle4;
  int64_t at = h.pixelsAt, x = 0, y = 0;
  auto put = [&](uint8_t value) {
    if (x < h.width)
      to[y * h.width + x++] = value;
  };
  while (y < h.height) {
    if (!in.has(at, 2))
      return false;
    int64_t count = in.data[at];
    uint8_t code = in.data[at + 1];
    at += 2;
    if (count > 0) {
      for (int64_t i = 0; i < count; ++i)
        put(isRle4 ? (i % 2 ? code & 15 : code >> 4) : code);
      if (x == h.width && y + 1 == h.height)
        return true; // some writers leave the end out
    } else if (code == 0) {
      x = 0;
      ++y;
    } else if (code == 1) {
      return true;
    } else if (code == 2) {
      if (!in.has(at, 2))
        return false;
      x += in.data[at];
      y += in.data[at + 1];
      at += 2;
      if (x > h.width)
        return false;
    } else {
      int64_t bytes = isRle4 ? (code + 1) / 2 : code;
      if (!in.has(at, bytes))
        return false;
      for (int64_t i = 0; i < code; ++i)
        put(isRle4 ? (i % 2 ? in.data[at + i / 2] & 15 : in.data[at + i / 2] >> 4) : in.data[at + i]);
      at += bytes + bytes % 2;
      if (x == h.width && y + 1 == h.height)
        return true;
    }
  }
  return true;
}

bool decodePalette(Bytes in, const Header &h, Image &out) {
  bool isRuns = h.compression == kRle8 || h.compression == kRle4;
  if (h.colors < 1 || h.colors > 65536 || !in.has(h.paletteAt, h.colors * h.colorBytes) ||
      (!isRuns && !hasRows(in, h)) || !out.allocate(h.width, h.height, 3))
    return false;
  uint8_t palette[256][3] = {};
  for (int64_t i = 0; i < h.colors && i < 256; ++i)
    for (int c = 0; c < 3; ++c)
      palette[i][c] = in.data[h.paletteAt + i * h.colorBytes + 2 - c];
  // The indices are read into the end of the image, which the colours then overwrite from its start.
  uint8_t *indices = out.pixels + 2 * h.width * h.height;
  if (!isRuns)
    readIndices(in, h, indices);
  else if (!readRuns(in, h, indices))
    return false;
  for (int64_t i = 0; i < h.width * h.height; ++i)
    memcpy(out.pixels + 3 * i, palette[indices[i]], 3);
  return true;
}

// A channel's bits of a pixel, widened to 8 bits.
struct Channel {
  int shift = 0;
  uint32_t max = 0;

  bool open(uint32_t mask) {
    if (mask == 0)
      return false;
    shift = __builtin_ctz(mask);
    max = mask >> shift;
    return (max & (max + 1)) == 0 && max <= 255; // one run of bits
  }
  uint8_t of(uint32_t pixel) const { return static_cast<uint8_t>((pixel >> shift & max) * 255 / max); }
};

bool decodeColors(Bytes in, const Header &h, Image &out) {
  uint32_t masks[3] = {0xff0000, 0xff00, 0xff};
  if (h.bits == 16) {
    masks[0] = 0x7c00;
    masks[1] = 0x3e0;
    masks[2] = 0x1f;
  }
  // All zero says nothing.
  if (h.compression == kBitFields && (h.masks[0] | h.masks[1] | h.masks[2] | h.masks[3]) != 0)
    memcpy(masks, h.masks, sizeof(masks));
  Channel channels[3];
  for (int c = 0; c < 3; ++c)
    if (!channels[c].open(masks[c]))
      return false;
  if (!hasRows(in, h) || !out.allocate(h.width, h.height, 3))
    return false;
  int64_t bytes = h.bits / 8;
  for (int64_t y = 0; y < h.height; ++y) {
    int64_t at = h.pixelsAt + y * strideOf(h);
    uint8_t *to = out.row(y);
    for (int64_t x = 0; x < h.width; ++x, at += bytes) {
      uint32_t pixel = little16(in.data + at);
      for (int64_t i = 2; i < bytes; ++i)
        pixel |= static_cast<uint32_t>(in.data[at + i]) << (8 * i);
      for (int c = 0; c < 3; ++c)
        *to++ = channels[c].of(pixel);
    }
  }
  return true;
}

void flip(Image &image) {
  for (int64_t top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom) {
    uint8_t *a = image.row(top), *b = image.row(bottom);
    for (int64_t i = 0; i < image.rowBytes(); ++i) {
      uint8_t keep = a[i];
      a[i] = b[i];
      b[i] = keep;
    }
  }
}

} // namespace

bool decodeBmp(Bytes in, Image &out) {
  Header h;
  if (!readHeader(in, h))
    return false;
  bool isPalette = h.bits == 1 || h.bits == 4 || h.bits == 8;
  bool isColors = h.bits == 16 || h.bits == 24 || h.bits == 32;
  bool isKnown = isPalette ? h.compression == kRaw || (h.compression == kRle8 && h.bits == 8) ||
                                 (h.compression == kRle4 && h.bits == 4)
                           : isColors && (h.compression == kRaw || h.compression == kBitFields);
  if (!isKnown || !(isPalette ? decodePalette(in, h, out) : decodeColors(in, h, out)))
    return false;
  if (!h.isTopDown)
    flip(out);
  return true;
}

} // namespace onnxc_images
