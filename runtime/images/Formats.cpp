// Finds a stream's format by its first bytes.
#include "image.h"

namespace onnxc_images {

bool decodeImage(Bytes in, Image &out) {
  static const struct {
    const char *signature;
    int64_t size;
    Decoder decode;
  } formats[] = {
      {"\xff\xd8\xff", 3, decodeJpeg},
      {"\x89PNG\r\n\x1a\n", 8, decodePng},
      {"RIFF", 4, decodeWebP},
      {"II*\0", 4, decodeTiff},
      {"MM\0*", 4, decodeTiff},
      {"II+\0", 4, decodeTiff},
      {"MM\0+", 4, decodeTiff},
      {"\0\0\0\x0cjP  \r\n\x87\n", 12, decodeJpeg2000},
      {"\xff\x4f\xff\x51", 4, decodeJpeg2000},
      {"BM", 2, decodeBmp},
      {"P", 1, decodePnm},
  };
  for (const auto &format : formats) {
    if (!in.startsWith(format.signature, format.size))
      continue;
    if (format.decode(in, out))
      return true;
    out.release();
    return false;
  }
  return false;
}

} // namespace onnxc_images
