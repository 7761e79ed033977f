// Linked when the build is configured: the image libraries are there, in their versions, for the architecture.
#include <stdio.h>

#include <jpeglib.h>
#include <openjpeg.h>
#include <png.h>
#include <tiffio.h>
#include <webp/decode.h>
#include <webp/demux.h>

int main() {
  jpeg_decompress_struct info;
  WebPAnimDecoderOptions options;
  jpeg_create_decompress(&info);
  opj_destroy_codec(opj_create_decompress(OPJ_CODEC_JP2));
  WebPAnimDecoderOptionsInit(&options);
  return png_access_version_number() == 0 || !TIFFClientOpenExt("", "r", nullptr, nullptr, nullptr, nullptr, nullptr,
                                                                nullptr, nullptr, nullptr, nullptr);
}
