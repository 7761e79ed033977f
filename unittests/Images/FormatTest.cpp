// BMP and PNM: what they hold, and streams that are cut or corrupted. test/python/test_image_decoder.py has the other
// formats and the comparison with Pillow.
#include "image.h"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

using namespace onnxc_images;

namespace {

using Stream = std::vector<uint8_t>;

Stream text(const std::string &head, const Stream &pixels = {}) {
  Stream result(head.begin(), head.end());
  result.insert(result.end(), pixels.begin(), pixels.end());
  return result;
}

void put(Stream &to, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    to.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

Stream bmp(uint32_t width, uint32_t height, uint32_t bits, uint32_t compression, uint32_t colors, const Stream &pixels) {
  Stream s = {'B', 'M'};
  uint32_t at = 54 + 4 * colors;
  for (uint32_t value : {at + static_cast<uint32_t>(pixels.size()), 0u, at, 40u, width, height})
    put(s, value, 4);
  put(s, 1, 2);
  put(s, bits, 2);
  for (uint32_t value : {compression, 0u, 0u, 0u, colors, 0u})
    put(s, value, 4);
  for (uint32_t i = 0; i < colors; ++i)
    put(s, i * 0x010203, 4);
  s.insert(s.end(), pixels.begin(), pixels.end());
  return s;
}

// The pixels, or nothing where the stream is refused. The bytes lie in a block of their own size: a read past them is seen.
std::vector<uint8_t> decode(Decoder decoder, const Stream &stream) {
  auto *bytes = static_cast<uint8_t *>(malloc(stream.size() + stream.empty()));
  if (!stream.empty())
    memcpy(bytes, stream.data(), stream.size());
  Image image;
  std::vector<uint8_t> result;
  if (decoder({bytes, static_cast<int64_t>(stream.size())}, image))
    result.assign(image.pixels, image.pixels + image.height * image.rowBytes());
  image.release();
  free(bytes);
  return result;
}

TEST(Formats, Pixels) {
  EXPECT_EQ(decode(decodePnm, text("P5 2 2 255\n", {1, 2, 3, 4})), (Stream{1, 2, 3, 4}));
  EXPECT_EQ(decode(decodePnm, text("P2 2 1 # two\n10\n5 10")), (Stream{128, 255}));
  EXPECT_EQ(decode(decodePnm, text("P4 3 1\n", {0xa0})), (Stream{0, 255, 0}));
  EXPECT_EQ(decode(decodeBmp, bmp(1, 2, 24, 0, 0, {1, 2, 3, 0, 4, 5, 6, 0})), (Stream{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(decode(decodeBmp, bmp(2, 1, 8, 1, 3, {2, 2, 0, 1})), (Stream{2, 4, 6, 2, 4, 6}));
}

TEST(Formats, Refused) {
  EXPECT_TRUE(decode(decodePnm, text("P5 2 2 255\n", {1, 2, 3})).empty());
  EXPECT_TRUE(decode(decodePnm, text("P5 2 2 65536\n", {1, 2, 3, 4})).empty());
  EXPECT_TRUE(decode(decodePnm, text("P6 2000000000 2000000000 255\n")).empty());
  EXPECT_TRUE(decode(decodeBmp, bmp(1, 2, 24, 0, 0, {1, 2, 3, 0, 4})).empty());
  EXPECT_TRUE(decode(decodeBmp, bmp(0x7fffffff, 0x80000000, 24, 0, 0, {})).empty());
  EXPECT_TRUE(decode(decodeBmp, bmp(4, 4, 7, 0, 0, Stream(64))).empty());
}

TEST(Formats, BrokenStreams) {
  struct {
    Decoder decoder;
    Stream stream;
  } cases[] = {
      {decodePnm, text("P6 3 2 255\n", Stream(18, 7))},
      {decodePnm, text("P3 2 2 99 1 2 3 # four\n 4 5 6 7 8 9 10 11 12")},
      {decodePnm, text("P1 3 3 0 1 0 1 0 1 0 1 1")},
      {decodePnm, text("Pf 2 2 -1.0\n", Stream(16, 66))},
      {decodeBmp, bmp(5, 3, 16, 0, 0, Stream(64, 9))},
      {decodeBmp, bmp(5, 3, 4, 0, 16, Stream(24, 0x31))},
      {decodeBmp, bmp(5, 4, 8, 1, 16, {5, 1, 0, 0, 2, 3, 0, 2, 1, 1, 0, 3, 1, 2, 3, 0, 0, 0, 5, 2, 0, 1})},
      {decodeBmp, bmp(5, 2, 4, 2, 16, {5, 0x12, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 0, 1})},
  };
  std::mt19937 random(3);
  for (const auto &c : cases) {
    ASSERT_FALSE(decode(c.decoder, c.stream).empty());
    for (size_t size = 0; size < c.stream.size(); ++size)
      decode(c.decoder, Stream(c.stream.begin(), c.stream.begin() + static_cast<std::ptrdiff_t>(size)));
    // Run lengths may stand for any size: those streams keep theirs.
    bool isRuns = c.decoder == decodeBmp && c.stream[30] != 0;
    for (int round = 0; round < 2000; ++round) {
      Stream broken = c.stream;
      for (int i = 0; i <= round % 4; ++i)
        broken[random() % broken.size()] = round % 3 ? static_cast<uint8_t>(random()) : 255;
      for (size_t i = 18; isRuns && i < 26; ++i)
        broken[i] = c.stream[i];
      decode(c.decoder, broken);
    }
  }
}

} // namespace
