// Scores with minus infinity for each token that would repeat a sequence of `ngram_size` tokens.
#include <math.h>

#include "common.h"

using namespace onnxc_k;

ONNXC_KERNEL(NGramRepeatBlock) {
  const onnxc_tensor &ids = in[0], &scores = in[1];
  int64_t size = onnxc_attr_int(attrs, "ngram_size", 0);
  if (ids.rank != 2 || scores.rank != 2 || ids.dims[0] != scores.dims[0] || size < 1)
    onnxc_fail(ctx, "NGramRepeatBlock: needs ids and scores of the same batch, and a positive ngram_size");
  int64_t batch = ids.dims[0], length = ids.dims[1], words = scores.dims[1];
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], Dims(scores)));
  memcpy(to, scores.data, sizeof(float) * static_cast<size_t>(batch * words));
  for (int64_t row = 0; row < batch; ++row) {
    const int64_t *tokens = dataOf<const int64_t>(ids) + row * length;
    const int64_t *last = tokens + length - (size - 1);
    for (int64_t i = 0; i + size <= length; ++i) {
      if (memcmp(tokens + i, last, sizeof(int64_t) * static_cast<size_t>(size - 1)) != 0)
        continue;
      int64_t word = tokens[i + size - 1];
      if (word < 0 || word >= words)
        onnxc_fail(ctx, "NGramRepeatBlock: token %lld is outside of the scores", static_cast<long long>(word));
      to[row * words + word] = -INFINITY;
    }
  }
  return 0;
}
