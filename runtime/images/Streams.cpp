// See streams.h.
#include "streams.h"

#include <stdio.h>

extern "C" {
FILE *onnxc_images_stdout, *onnxc_images_stderr;
}

namespace onnxc_images {

void prepareStreams() {
  // Runs on several threads store the same values.
  __atomic_store_n(&onnxc_images_stdout, stdout, __ATOMIC_RELAXED);
  __atomic_store_n(&onnxc_images_stderr, stderr, __ATOMIC_RELAXED);
}

} // namespace onnxc_images
