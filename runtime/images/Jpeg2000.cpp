// JPEG 2000 (JP2 files and bare codestreams) by OpenJPEG.
#include "image.h"

#include <openjpeg.h>

namespace onnxc_images {
namespace {

struct Source {
  Bytes in;
  int64_t at = 0;
};

OPJ_SIZE_T read(void *to, OPJ_SIZE_T count, void *user) {
  auto &source = *static_cast<Source *>(user);
  int64_t left = source.in.size - source.at;
  if (left <= 0)
    return static_cast<OPJ_SIZE_T>(-1);
  int64_t bytes = count < static_cast<OPJ_SIZE_T>(left) ? static_cast<int64_t>(count) : left;
  memcpy(to, source.in.data + source.at, static_cast<size_t>(bytes));
  source.at += bytes;
  return static_cast<OPJ_SIZE_T>(bytes);
}

OPJ_BOOL seek(OPJ_OFF_T to, void *user) {
  auto &source = *static_cast<Source *>(user);
  if (to < 0 || to > source.in.size)
    return OPJ_FALSE;
  source.at = to;
  return OPJ_TRUE;
}

OPJ_OFF_T skip(OPJ_OFF_T count, void *user) {
  auto &source = *static_cast<Source *>(user);
  if (count < 0 || count > source.in.size - source.at)
    return -1;
  source.at += count;
  return count;
}

// One component as 8-bit samples at the image's resolution.
struct Channel {
  const OPJ_INT32 *data = nullptr;
  int64_t width = 0, height = 0, dx = 1, dy = 1;
  int64_t offset = 0;
  int shift = 0;

  bool open(const opj_image_comp_t &c, int bits) {
    if (!c.data || c.prec < 1 || c.prec > 31 || c.w < 1 || c.h < 1 || c.dx < 1 || c.dy < 1)
      return false;
    data = c.data;
    width = c.w;
    height = c.h;
    dx = c.dx;
    dy = c.dy;
    offset = c.sgnd ? int64_t(1) << (c.prec - 1) : 0;
    shift = bits - static_cast<int>(c.prec);
    if (shift < 0)
      offset += int64_t(1) << (-shift - 1); // rounds
    return true;
  }
  uint8_t at(int64_t x, int64_t y) const {
    int64_t column = x / dx, line = y / dy;
    int64_t value = offset + data[(line < height ? line : height - 1) * width + (column < width ? column : width - 1)];
    return clip(shift < 0 ? value >> -shift : value * (int64_t(1) << shift));
  }
};

// JFIF's YCbCr, in place.
void yccToRgb(uint8_t *p) {
  double y = p[0], cb = p[1] - 128.0, cr = p[2] - 128.0;
  auto round = [](double value) { return clip(static_cast<int64_t>(value + 0.5)); };
  p[0] = round(y + 1.402 * cr);
  p[1] = round(y - 0.34414 * cb - 0.71414 * cr);
  p[2] = round(y + 1.772 * cb);
}

bool convert(const opj_image_t &image, Image &out) {
  int64_t width = int64_t(image.x1) - image.x0, height = int64_t(image.y1) - image.y0;
  bool isGrey = image.numcomps < 3;
  bool isCmyk = image.numcomps == 4 && image.color_space == OPJ_CLRSPC_CMYK;
  int used = isGrey ? 1 : isCmyk ? 4 : 3;
  Channel channels[4];
  for (int i = 0; i < used; ++i) {
    // Grey of more than 8 bits is clipped like every other wide grey, after it was scaled to 16 bits.
    bool isWide = image.numcomps == 1 && image.comps[0].prec > 8;
    if (!channels[i].open(image.comps[i], isWide ? 16 : 8))
      return false;
  }
  if (!out.allocate(width, height, isGrey ? 1 : 3))
    return false;
  bool isSubsampled = !isGrey && (channels[1].dx != channels[0].dx || channels[1].dy != channels[0].dy);
  bool isYcc = image.color_space == OPJ_CLRSPC_SYCC || (isSubsampled && image.color_space != OPJ_CLRSPC_SRGB);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      uint8_t samples[4];
      for (int i = 0; i < used; ++i)
        samples[i] = channels[i].at(x, y);
      uint8_t *to = out.row(y) + x * out.channels;
      if (isCmyk) {
        cmykToRgb(samples, to);
        continue;
      }
      memcpy(to, samples, static_cast<size_t>(out.channels));
      if (isYcc && !isGrey)
        yccToRgb(to);
    }
  return true;
}

// Bounds on what the header promises, before the decoder allocates for it.
bool isSane(const opj_image_t &image) {
  if (image.numcomps < 1 || image.numcomps > 4 || image.x1 <= image.x0 || image.y1 <= image.y0 ||
      !isSaneSize(int64_t(image.x1) - image.x0, int64_t(image.y1) - image.y0))
    return false;
  for (OPJ_UINT32 i = 0; i < image.numcomps; ++i)
    if (!isSaneSize(image.comps[i].w, image.comps[i].h))
      return false;
  return true;
}

} // namespace

bool decodeJpeg2000(Bytes in, Image &out) {
  Source source{in};
  opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);
  opj_codec_t *codec = opj_create_decompress(in.data[0] == 0 ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
  opj_image_t *image = nullptr;
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  bool ok = stream && codec && opj_setup_decoder(codec, &parameters);
  if (ok) {
    opj_stream_set_user_data(stream, &source, nullptr);
    opj_stream_set_user_data_length(stream, static_cast<OPJ_UINT64>(in.size));
    opj_stream_set_read_function(stream, read);
    opj_stream_set_skip_function(stream, skip);
    opj_stream_set_seek_function(stream, seek);
    ok = opj_read_header(stream, codec, &image) && isSane(*image) && opj_decode(codec, stream, image) &&
         isSane(*image) && convert(*image, out);
  }
  opj_image_destroy(image);
  if (codec)
    opj_destroy_codec(codec);
  if (stream)
    opj_stream_destroy(stream);
  return ok;
}

} // namespace onnxc_images
