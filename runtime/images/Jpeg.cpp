// JPEG by libjpeg-turbo, with its defaults: the exact integer DCT and the smooth ("fancy") upsampling of chroma that
// ONNX describes.
#include "image.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

namespace onnxc_images {
namespace {

struct Errors {
  jpeg_error_mgr base;
  jmp_buf failed;
};

[[noreturn]] void fail(j_common_ptr info) { longjmp(reinterpret_cast<Errors *>(info->err)->failed, 1); }

// A progressive image of more scans is made to take long.
constexpr int kMaxScans = 500;
void checkScans(j_common_ptr info) {
  if (info->is_decompressor && reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans)
    fail(info);
}

void skip(j_decompress_ptr info, long count) {
  if (count <= 0)
    return;
  size_t bytes = static_cast<size_t>(count);
  if (bytes > info->src->bytes_in_buffer)
    bytes = info->src->bytes_in_buffer;
  info->src->next_input_byte += bytes;
  info->src->bytes_in_buffer -= bytes;
}

bool decode(jpeg_decompress_struct &info, Image &out) {
  if (jpeg_read_header(&info, TRUE) != JPEG_HEADER_OK || !isSaneSize(info.image_width, info.image_height))
    return false;
  switch (info.num_components) {
  case 1:
    info.out_color_space = JCS_GRAYSCALE;
    break;
  case 3:
    info.out_color_space = JCS_RGB;
    break;
  case 4:
    info.out_color_space = JCS_CMYK;
    break;
  default:
    return false;
  }
  int components = info.num_components;
  if (!jpeg_start_decompress(&info) || info.output_components != components ||
      !out.allocate(info.output_width, info.output_height, components == 1 ? 1 : 3))
    return false;
  JSAMPARRAY line = nullptr;
  if (components == 4)
    line = info.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE, info.output_width * 4, 1);
  while (info.output_scanline < info.output_height) {
    uint8_t *row = out.row(info.output_scanline);
    JSAMPROW to = line ? line[0] : row;
    if (jpeg_read_scanlines(&info, &to, 1) != 1) // the stream ends early
      return false;
    for (int64_t x = 0; line && x < out.width; ++x) {
      // Adobe's programs, whose files these are, write inverted values.
      uint8_t cmyk[4];
      for (int i = 0; i < 4; ++i)
        cmyk[i] = static_cast<uint8_t>(255 - line[0][4 * x + i]);
      cmykToRgb(cmyk, row + 3 * x);
    }
  }
  return true;
}

} // namespace

bool decodeJpeg(Bytes in, Image &out) {
  jpeg_decompress_struct info;
  Errors errors;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = fail;
  errors.base.output_message = [](j_common_ptr) {};

  // All is in memory: where more is asked for, the stream is truncated.
  jpeg_source_mgr source = {};
  source.next_input_byte = in.data;
  source.bytes_in_buffer = static_cast<size_t>(in.size);
  source.init_source = [](j_decompress_ptr) {};
  source.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
  source.skip_input_data = skip;
  source.resync_to_restart = jpeg_resync_to_restart;
  source.term_source = [](j_decompress_ptr) {};
  jpeg_progress_mgr progress = {};
  progress.progress_monitor = checkScans;

  jpeg_create_decompress(&info);
  info.src = &source;
  info.progress = &progress;
  bool ok = setjmp(errors.failed) == 0 && decode(info, out);
  jpeg_destroy_decompress(&info);
  return ok;
}

} // namespace onnxc_images
