// Portable bitmaps, graymaps, pixmaps (P1 to P6) and floating-point graymaps (Pf).
#include "image.h"

#include <math.h>

namespace onnxc_images {
namespace {

bool isSpace(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Reader {
  Bytes in;
  int64_t at = 2;

  // Skips blanks and comments. False at the end.
  bool skipBlanks() {
    for (; at < in.size; ++at) {
      if (in.data[at] == '#')
        while (at + 1 < in.size && in.data[at] != '\n' && in.data[at] != '\r')
          ++at;
      else if (!isSpace(in.data[at]))
        return true;
    }
    return false;
  }

  // A number of at most nine digits; with `ends`, a blank stands behind it, which is taken too.
  bool number(int64_t &value, bool ends) {
    if (!skipBlanks())
      return false;
    int digits = 0;
    for (value = 0; at < in.size && in.data[at] >= '0' && in.data[at] <= '9' && digits < 10; ++at, ++digits)
      value = value * 10 + (in.data[at] - '0');
    if (digits == 0 || digits > 9)
      return false;
    bool isEnd = at == in.size;
    if (isEnd ? ends : !isSpace(in.data[at]) && in.data[at] != '#')
      return false;
    at += ends;
    return true;
  }

  // A header's line with a float.
  bool scale(double &value) {
    char text[32];
    size_t length = 0;
    if (!skipBlanks())
      return false;
    while (at < in.size && !isSpace(in.data[at]) && length + 1 < sizeof(text))
      text[length++] = static_cast<char>(in.data[at++]);
    text[length] = 0;
    char *end = nullptr;
    value = strtod(text, &end);
    if (length == 0 || *end != 0 || at >= in.size || !isfinite(value) || value == 0)
      return false;
    ++at;
    return true;
  }
};

bool readBits(Reader &r, bool isPlain, Image &out) {
  int64_t stride = (out.width + 7) / 8;
  for (int64_t y = 0; y < out.height; ++y) {
    if (!isPlain && !r.in.has(r.at, stride))
      return false;
    for (int64_t x = 0; x < out.width; ++x) {
      bool isBlack;
      if (isPlain) {
        if (!r.skipBlanks() || (r.in.data[r.at] != '0' && r.in.data[r.at] != '1'))
          return false;
        isBlack = r.in.data[r.at++] == '1';
      } else {
        isBlack = r.in.data[r.at + x / 8] >> (7 - x % 8) & 1;
      }
      out.row(y)[x] = isBlack ? 0 : 255;
    }
    r.at += isPlain ? 0 : stride;
  }
  return true;
}

bool readSamples(Reader &r, bool isPlain, int64_t maximum, Image &out) {
  // Grey of more than 8 bits is scaled to 16, and clipped like all wide grey.
  double full = maximum > 255 && out.channels == 1 ? 65535 : 255;
  int64_t count = out.height * out.rowBytes();
  int64_t bytes = maximum > 255 ? 2 : 1;
  if (!isPlain && !r.in.has(r.at, count * bytes))
    return false;
  for (int64_t i = 0; i < count; ++i) {
    int64_t value;
    if (isPlain) {
      if (!r.number(value, false) || value > maximum)
        return false;
    } else {
      const uint8_t *p = r.in.data + r.at + i * bytes;
      value = bytes == 2 ? p[0] << 8 | p[1] : p[0];
    }
    out.pixels[i] = clip(static_cast<int64_t>(nearbyint(static_cast<double>(value) / static_cast<double>(maximum) * full)));
  }
  return true;
}

// Floats, bottom row first; the sign of the scale gives the order of bytes.
bool readFloats(Reader &r, Image &out) {
  double scale;
  if (!r.scale(scale) || !r.in.has(r.at, out.width * out.height * 4))
    return false;
  for (int64_t y = out.height - 1; y >= 0; --y)
    for (int64_t x = 0; x < out.width; ++x, r.at += 4) {
      uint32_t bits = little32(r.in.data + r.at);
      if (scale > 0)
        bits = __builtin_bswap32(bits);
      float value;
      memcpy(&value, &bits, sizeof(value));
      out.row(y)[x] = value >= 255 ? 255 : value > 0 ? static_cast<uint8_t>(value) : 0;
    }
  return true;
}

} // namespace

bool decodePnm(Bytes in, Image &out) {
  Reader r{in};
  int64_t width, height, maximum = 1;
  if (!in.has(0, 3) || !isSpace(in.data[2]))
    return false;
  char kind = static_cast<char>(in.data[1]);
  bool isFloat = kind == 'f', isBits = kind == '1' || kind == '4', isColor = kind == '3' || kind == '6';
  bool isPlain = kind >= '1' && kind <= '3';
  if (!isFloat && (kind < '1' || kind > '6'))
    return false;
  if (!r.number(width, true) || !r.number(height, true) || !isSaneSize(width, height))
    return false;
  if (!isFloat && !isBits && (!r.number(maximum, true) || maximum < 1 || maximum > 65535))
    return false;
  // A plain sample takes a byte at least: nothing is allocated for what can't be there.
  int64_t channels = isColor ? 3 : 1;
  if (!in.has(r.at, isBits && !isPlain ? width * height / 8 : width * height * channels))
    return false;
  if (!out.allocate(width, height, static_cast<int32_t>(channels)))
    return false;
  return isFloat ? readFloats(r, out) : isBits ? readBits(r, isPlain, out) : readSamples(r, isPlain, maximum, out);
}

} // namespace onnxc_images
