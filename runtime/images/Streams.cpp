// What the objects of the image libraries need that a model does not link: see streams.h, and a builtin of the
// compiler that built them.
#include "streams.h"

#include <stdint.h>
#include <stdio.h>

extern "C" {

FILE *onnxc_images_stdout, *onnxc_images_stderr;

__attribute__((visibility("hidden"))) int __popcountdi2(int64_t bits) {
  auto x = static_cast<uint64_t>(bits);
  x -= (x >> 1) & 0x5555555555555555;
  x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<int>((x * 0x0101010101010101) >> 56);
}
}

namespace onnxc_images {

void prepareStreams() {
  // Runs on several threads store the same values.
  __atomic_store_n(&onnxc_images_stdout, stdout, __ATOMIC_RELAXED);
  __atomic_store_n(&onnxc_images_stderr, stderr, __ATOMIC_RELAXED);
}

} // namespace onnxc_images
