// TIFF by libtiff: the first image of the file. Samples are read as they are stored and converted here; only YCbCr that
// is not JPEG goes through libtiff's conversion to RGBA.
#include "image.h"

#include <math.h>
#include <stdarg.h>

#include <tiffio.h>

namespace onnxc_images {
namespace {

// ---- the file in memory ----

struct Source {
  Bytes in;
  int64_t at = 0;
};

tmsize_t read(thandle_t handle, void *to, tmsize_t count) {
  auto &source = *static_cast<Source *>(handle);
  int64_t left = source.in.size - source.at;
  int64_t bytes = count < left ? count : left;
  if (bytes <= 0)
    return 0;
  memcpy(to, source.in.data + source.at, static_cast<size_t>(bytes));
  source.at += bytes;
  return bytes;
}
tmsize_t write(thandle_t, void *, tmsize_t) { return 0; }
toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto &source = *static_cast<Source *>(handle);
  int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source.at : source.in.size, to;
  if (__builtin_add_overflow(base, static_cast<int64_t>(offset), &to) || to < 0)
    return static_cast<toff_t>(-1);
  source.at = to;
  return static_cast<toff_t>(to);
}
int close(thandle_t) { return 0; }
toff_t size(thandle_t handle) { return static_cast<toff_t>(static_cast<Source *>(handle)->in.size); }
int map(thandle_t, void **, toff_t *) { return 0; }
void unmap(thandle_t, void *, toff_t) {}
int ignore(TIFF *, void *, const char *, const char *, va_list) { return 1; }

// What one strip or tile, or any other of libtiff's blocks, may take.
constexpr tmsize_t kMaxBlock = tmsize_t(1) << 30;

// ---- samples ----

// One sample of a row as 8 bits. `isRaw`: its bits are a number in a palette, not a brightness.
struct Samples {
  int bits, format;
  bool isRaw, isWideGrey;

  bool isKnown() const {
    switch (format) {
    case SAMPLEFORMAT_UINT:
      return bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16 || (isWideGrey && (bits == 12 || bits == 32));
    case SAMPLEFORMAT_INT:
      return isWideGrey && (bits == 8 || bits == 16 || bits == 32);
    case SAMPLEFORMAT_IEEEFP:
      return isWideGrey && bits == 32;
    }
    return false;
  }

  uint8_t at(const uint8_t *row, int64_t i) const {
    if (bits < 8) {
      int64_t perByte = 8 / bits, mask = (1 << bits) - 1;
      int64_t value = row[i / perByte] >> ((perByte - 1 - i % perByte) * bits) & mask;
      return static_cast<uint8_t>(isRaw ? value : value * (255 / mask));
    }
    if (bits == 8)
      return row[i];
    if (bits == 12) {
      const uint8_t *p = row + i / 2 * 3;
      return clip(i % 2 ? (p[1] & 15) << 8 | p[2] : p[0] << 4 | p[1] >> 4);
    }
    if (bits == 16) {
      uint16_t value;
      memcpy(&value, row + 2 * i, 2);
      if (!isWideGrey)
        return static_cast<uint8_t>(value >> 8);
      return format == SAMPLEFORMAT_INT ? clip(static_cast<int16_t>(value)) : clip(value);
    }
    if (format == SAMPLEFORMAT_IEEEFP) {
      float value;
      memcpy(&value, row + 4 * i, 4);
      return value >= 255 ? 255 : value > 0 ? static_cast<uint8_t>(value) : 0;
    }
    int32_t value; // unsigned ones too, as Pillow has them
    memcpy(&value, row + 4 * i, 4);
    return clip(value);
  }
};

// ---- the image ----

template <typename T> T field(TIFF *tif, uint32_t tag, T fallback) {
  T value = fallback;
  return TIFFGetFieldDefaulted(tif, tag, &value) ? value : fallback;
}

struct Layout {
  int64_t width, height;
  uint16_t photometric, compression, planar, samplesPerPixel, bits, format, orientation;
  bool hasAlpha = false, isPremultiplied = false;
};

bool readLayout(TIFF *tif, Layout &l) {
  uint32_t width = 0, height = 0;
  if (!TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &height) ||
      !isSaneSize(width, height))
    return false;
  l.width = width;
  l.height = height;
  l.compression = field<uint16_t>(tif, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  l.planar = field<uint16_t>(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  l.samplesPerPixel = field<uint16_t>(tif, TIFFTAG_SAMPLESPERPIXEL, 1);
  l.bits = field<uint16_t>(tif, TIFFTAG_BITSPERSAMPLE, 1);
  l.format = field<uint16_t>(tif, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  l.orientation = field<uint16_t>(tif, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (!TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &l.photometric))
    l.photometric = PHOTOMETRIC_MINISWHITE;
  if (l.compression == COMPRESSION_OJPEG)
    l.photometric = PHOTOMETRIC_YCBCR;
  uint16_t extras = 0, *kinds = nullptr;
  if (TIFFGetField(tif, TIFFTAG_EXTRASAMPLES, &extras, &kinds) && extras > 0) {
    l.hasAlpha = kinds[0] == EXTRASAMPLE_ASSOCALPHA || kinds[0] == EXTRASAMPLE_UNASSALPHA;
    l.isPremultiplied = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
  }
  return TIFFIsCODECConfigured(l.compression);
}

// Reads the first `channels` samples of each pixel into `to`, 8 bits each.
bool readSamples(TIFF *tif, const Layout &l, const Samples &samples, int64_t channels, uint8_t *to) {
  bool isTiled = TIFFIsTiled(tif), isSeparate = l.planar == PLANARCONFIG_SEPARATE;
  uint32_t blockWidth = static_cast<uint32_t>(l.width), blockHeight = static_cast<uint32_t>(l.height);
  if (isTiled) {
    if (!TIFFGetField(tif, TIFFTAG_TILEWIDTH, &blockWidth) || !TIFFGetField(tif, TIFFTAG_TILELENGTH, &blockHeight))
      return false;
  } else {
    TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &blockHeight);
  }
  if (blockWidth == 0 || blockHeight == 0)
    return false;
  if (!isTiled && blockHeight > l.height)
    blockHeight = static_cast<uint32_t>(l.height);
  tmsize_t rowBytes = isTiled ? TIFFTileRowSize(tif) : TIFFScanlineSize(tif);
  tmsize_t blockBytes = isTiled ? TIFFTileSize(tif) : TIFFStripSize(tif);
  int64_t perPixel = isSeparate ? 1 : l.samplesPerPixel;
  // What is read below lies inside the block.
  if (rowBytes <= 0 || blockBytes <= 0 || blockBytes > kMaxBlock ||
      rowBytes < (static_cast<int64_t>(blockWidth) * perPixel * l.bits + 7) / 8 || blockBytes / rowBytes < blockHeight)
    return false;
  auto *block = static_cast<uint8_t *>(calloc(1, static_cast<size_t>(blockBytes)));
  if (!block)
    return false;
  bool ok = true;
  int64_t planes = isSeparate ? channels : 1;
  for (int64_t plane = 0; ok && plane < planes; ++plane)
    for (int64_t y = 0; ok && y < l.height; y += blockHeight)
      for (int64_t x = 0; ok && x < l.width; x += blockWidth) {
        auto column = static_cast<uint32_t>(x), line = static_cast<uint32_t>(y);
        auto sample = static_cast<uint16_t>(plane);
        int64_t rows = l.height - y < blockHeight ? l.height - y : blockHeight;
        int64_t columns = l.width - x < blockWidth ? l.width - x : blockWidth;
        tmsize_t wanted = isTiled ? blockBytes : rowBytes * rows;
        tmsize_t got = isTiled
                           ? TIFFReadEncodedTile(tif, TIFFComputeTile(tif, column, line, 0, sample), block, wanted)
                           : TIFFReadEncodedStrip(tif, TIFFComputeStrip(tif, line, sample), block, wanted);
        ok = got == wanted;
        for (int64_t r = 0; ok && r < rows; ++r) {
          const uint8_t *row = block + r * rowBytes;
          uint8_t *pixel = to + ((y + r) * l.width + x) * channels + plane;
          for (int64_t c = 0; c < columns; ++c, pixel += channels)
            for (int64_t s = 0; s < (isSeparate ? 1 : channels); ++s)
              pixel[s] = samples.at(row, c * perPixel + s);
        }
      }
  free(block);
  return ok;
}

uint8_t unpremultiply(uint8_t value, uint8_t alpha) { return alpha ? clip(255 * value / alpha) : 0; }

bool decodeRgba(TIFF *tif, const Layout &l, Image &out) {
  char message[1024] = "";
  TIFFRGBAImage rgba;
  if (!TIFFRGBAImageOK(tif, message) || !TIFFRGBAImageBegin(&rgba, tif, 1, message))
    return false;
  rgba.orientation = rgba.req_orientation = ORIENTATION_TOPLEFT; // turned below
  auto *raster = static_cast<uint32_t *>(calloc(static_cast<size_t>(l.width * l.height), 4));
  bool ok = raster && out.allocate(l.width, l.height, 3) &&
            TIFFRGBAImageGet(&rgba, raster, static_cast<uint32_t>(l.width), static_cast<uint32_t>(l.height));
  TIFFRGBAImageEnd(&rgba);
  for (int64_t i = 0; ok && i < l.width * l.height; ++i) {
    out.pixels[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    out.pixels[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    out.pixels[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
  free(raster);
  return ok;
}

bool decodeSamples(TIFF *tif, const Layout &l, Image &out) {
  bool isGrey = l.photometric == PHOTOMETRIC_MINISWHITE || l.photometric == PHOTOMETRIC_MINISBLACK ||
                (l.photometric == PHOTOMETRIC_YCBCR && l.samplesPerPixel == 1);
  bool isPalette = l.photometric == PHOTOMETRIC_PALETTE, isCmyk = l.photometric == PHOTOMETRIC_SEPARATED;
  bool isRgb = l.photometric == PHOTOMETRIC_RGB || l.photometric == PHOTOMETRIC_YCBCR;
  if (!isGrey && !isPalette && !isCmyk && !isRgb)
    return false;
  int64_t colors = isCmyk ? 4 : isRgb && !isGrey ? 3 : 1;
  bool usesAlpha = l.isPremultiplied && (colors == 1 ? isGrey : colors == 3);
  int64_t channels = colors + usesAlpha;
  Samples samples{l.bits, l.format, isPalette, isGrey};
  if (l.samplesPerPixel < channels || !samples.isKnown() || (isPalette && l.bits > 8) ||
      (colors > 1 && l.bits != 8 && l.bits != 16))
    return false;
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (isPalette && !TIFFGetField(tif, TIFFTAG_COLORMAP, &red, &green, &blue))
    return false;

  int64_t count = l.width * l.height;
  if (!out.allocate(l.width, l.height, isGrey ? 1 : 3))
    return false;
  uint8_t *pixels = out.pixels, *own = nullptr;
  if (channels != out.channels)
    pixels = own = static_cast<uint8_t *>(calloc(static_cast<size_t>(count), static_cast<size_t>(channels)));
  bool ok = pixels && readSamples(tif, l, samples, channels, pixels);
  bool isInverted = l.photometric == PHOTOMETRIC_MINISWHITE && l.bits <= 8;
  for (int64_t i = 0; ok && i < count; ++i) {
    const uint8_t *from = pixels + channels * i;
    uint8_t *to = out.pixels + out.channels * i;
    if (isPalette) {
      to[0] = static_cast<uint8_t>(red[*from] >> 8);
      to[1] = static_cast<uint8_t>(green[*from] >> 8);
      to[2] = static_cast<uint8_t>(blue[*from] >> 8);
    } else if (isCmyk) {
      cmykToRgb(from, to);
    } else if (usesAlpha) {
      for (int64_t c = 0; c < colors; ++c)
        to[c] = unpremultiply(from[c], from[colors]);
    }
    if (isInverted)
      *to = static_cast<uint8_t>(255 - *to);
  }
  free(own);
  return ok;
}

// Turns the image as its orientation says.
bool orient(uint16_t orientation, Image &image) {
  if (orientation <= ORIENTATION_TOPLEFT || orientation > ORIENTATION_LEFTBOT)
    return true;
  bool isTransposed = orientation >= ORIENTATION_LEFTTOP;
  bool flipsX = orientation == ORIENTATION_TOPRIGHT || orientation == ORIENTATION_BOTRIGHT ||
                orientation == ORIENTATION_RIGHTBOT || orientation == ORIENTATION_LEFTBOT;
  bool flipsY = orientation == ORIENTATION_BOTRIGHT || orientation == ORIENTATION_BOTLEFT ||
                orientation == ORIENTATION_RIGHTTOP || orientation == ORIENTATION_RIGHTBOT;
  Image turned;
  int64_t width = image.width, height = image.height;
  if (!turned.allocate(isTransposed ? height : width, isTransposed ? width : height, image.channels))
    return false;
  for (int64_t y = 0; y < turned.height; ++y)
    for (int64_t x = 0; x < turned.width; ++x) {
      int64_t fromX = isTransposed ? y : x, fromY = isTransposed ? x : y;
      if (flipsX)
        fromX = width - 1 - fromX;
      if (flipsY)
        fromY = height - 1 - fromY;
      memcpy(turned.row(y) + x * image.channels, image.row(fromY) + fromX * image.channels,
             static_cast<size_t>(image.channels));
    }
  image.release();
  image = turned;
  return true;
}

bool decode(TIFF *tif, Image &out) {
  Layout l;
  if (!readLayout(tif, l))
    return false;
  bool isYcc = l.photometric == PHOTOMETRIC_YCBCR && l.samplesPerPixel > 1;
  bool isJpeg = l.compression == COMPRESSION_JPEG && l.planar == PLANARCONFIG_CONTIG;
  if (isYcc && isJpeg)
    TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  return (isYcc && !isJpeg ? decodeRgba(tif, l, out) : decodeSamples(tif, l, out)) && orient(l.orientation, out);
}

} // namespace

bool decodeTiff(Bytes in, Image &out) {
  Source source{in};
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options)
    return false;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, kMaxBlock);
  TIFFOpenOptionsSetErrorHandlerExtR(options, ignore, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ignore, nullptr);
  TIFF *tif = TIFFClientOpenExt("image", "rm", &source, read, write, seek, close, size, map, unmap, options);
  TIFFOpenOptionsFree(options);
  bool ok = tif && decode(tif, out);
  if (tif)
    TIFFClose(tif);
  return ok;
}

} // namespace onnxc_images
