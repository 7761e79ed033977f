// PNG by libpng.
#include "image.h"

#include <png.h>

namespace onnxc_images {
namespace {

struct State {
  Bytes in;
  int64_t at = 0;
  uint8_t *wide = nullptr; // 16-bit grey
};

void read(png_structp png, png_bytep to, size_t count) {
  auto &state = *static_cast<State *>(png_get_io_ptr(png));
  if (!state.in.has(state.at, static_cast<int64_t>(count)))
    png_error(png, "truncated");
  memcpy(to, state.in.data + state.at, count);
  state.at += static_cast<int64_t>(count);
}

bool decode(png_structp png, png_infop info, State &state, Image &out) {
  if (setjmp(png_jmpbuf(png)))
    return false;
  png_set_read_fn(png, &state, read);
  // Text, profiles and the like are not wanted: no chunk needs much memory.
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
  png_set_chunk_malloc_max(png, 8 << 20);
  png_set_chunk_cache_max(png, 128);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_read_info(png, info);
  int64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  int color = png_get_color_type(png, info);
  bool isColor = color & PNG_COLOR_MASK_COLOR;
  bool isWide = color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16;
  if (!out.allocate(width, height, isColor ? 3 : 1))
    return false;
  if (color == PNG_COLOR_TYPE_PALETTE)
    png_set_palette_to_rgb(png);
  else if (color == PNG_COLOR_TYPE_GRAY && !isWide)
    png_set_expand_gray_1_2_4_to_8(png);
  if (!isWide)
    png_set_strip_16(png); // the high byte
  png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  int64_t rowBytes = out.rowBytes() * (isWide ? 2 : 1);
  if (png_get_rowbytes(png, info) != static_cast<size_t>(rowBytes))
    return false;
  uint8_t *rows = out.pixels;
  if (isWide) {
    rows = state.wide = static_cast<uint8_t *>(calloc(static_cast<size_t>(height), static_cast<size_t>(rowBytes)));
    if (!rows)
      return false;
  }
  for (int pass = 0; pass < passes; ++pass)
    for (int64_t y = 0; y < height; ++y)
      png_read_row(png, rows + y * rowBytes, nullptr);
  for (int64_t i = 0; isWide && i < width * height; ++i)
    out.pixels[i] = clip(rows[2 * i] << 8 | rows[2 * i + 1]);
  return true;
}

} // namespace

bool decodePng(Bytes in, Image &out) {
  png_structp png = png_create_read_struct(
      PNG_LIBPNG_VER_STRING, nullptr, [](png_structp p, png_const_charp) { png_longjmp(p, 1); },
      [](png_structp, png_const_charp) {});
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  State state{in};
  bool ok = info && decode(png, info, state, out);
  free(state.wide);
  png_destroy_read_struct(&png, &info, nullptr);
  return ok;
}

} // namespace onnxc_images
