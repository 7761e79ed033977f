// ReverseSequence: reverses the first sequence_lens[b] steps of each batch entry.
#include "common.h"

using namespace onnxc_k;

ONNXC_KERNEL(ReverseSequence) {
  const onnxc_tensor &x = in[0];
  auto batchAxis = static_cast<int32_t>(normalizeAxis(ctx, onnxc_attr_int(attrs, "batch_axis", 1), x.rank));
  auto timeAxis = static_cast<int32_t>(normalizeAxis(ctx, onnxc_attr_int(attrs, "time_axis", 0), x.rank));
  if (x.rank < 2 || batchAxis == timeAxis || batchAxis > 1 || timeAxis > 1 ||
      onnxc_num_elements(&in[1]) != x.dims[batchAxis])
    onnxc_fail(ctx, "ReverseSequence: the axes must be 0 and 1, with a length for each batch entry");
  Dims dims(x);
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], dims));
  const char *from = dataOf<char>(x);
  int64_t block = dims.product(2, dims.rank) * onnxc_elem_size(x.elem_type);
  int64_t batches = dims.sizes[batchAxis], steps = dims.sizes[timeAxis];
  int64_t batchStride = batchAxis == 0 ? steps : 1, timeStride = batchAxis == 0 ? 1 : batches;
  for (int64_t b = 0; b < batches; ++b) {
    int64_t length = intAt(in[1], b);
    if (length < 0 || length > steps)
      onnxc_fail(ctx, "ReverseSequence: length %lld is out of range for %lld steps", static_cast<long long>(length),
                 static_cast<long long>(steps));
    for (int64_t t = 0; t < steps; ++t) {
      int64_t source = t < length ? length - 1 - t : t;
      memcpy(to + (b * batchStride + t * timeStride) * block, from + (b * batchStride + source * timeStride) * block,
             static_cast<size_t>(block));
    }
  }
  return 0;
}
