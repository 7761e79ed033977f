// TopK: selection by nth_element, then a sort of the k chosen. Ties go to the lower index.
#include <algorithm>

#include "common.h"

using namespace onnxc_k;

namespace {

template <typename T> struct Entry {
  T value;
  int64_t index;
};

template <typename T, typename Key>
void topK(onnxc_ctx *ctx, const onnxc_tensor &x, int64_t axis, int64_t k, bool largest, T *values,
          int64_t *indices) {
  Dims dims(x);
  int64_t n = dims.sizes[axis], inner = dims.product(static_cast<int32_t>(axis) + 1, dims.rank);
  int64_t rows = dims.product(0, static_cast<int32_t>(axis)) * inner;
  const T *data = dataOf<const T>(x);
  parallelFor(ctx, rows, static_cast<double>(n) * 4, [=](int64_t begin, int64_t end) {
    auto *entries = scratch<Entry<Key>>(ctx, n);
    for (int64_t row = begin; row < end; ++row) {
      const T *from = data + row / inner * n * inner + row % inner;
      for (int64_t i = 0; i < n; ++i)
        entries[i] = {static_cast<Key>(from[i * inner]), i};
      auto before = [largest](const Entry<Key> &a, const Entry<Key> &b) {
        int order = compareNumbers(a.value, b.value);
        return order == 0 ? a.index < b.index : largest ? order > 0 : order < 0;
      };
      if (k < n)
        std::nth_element(entries, entries + k, entries + n, before);
      std::sort(entries, entries + k, before);
      int64_t to = row / inner * k * inner + row % inner;
      for (int64_t i = 0; i < k; ++i) {
        if (values)
          values[to + i * inner] = from[entries[i].index * inner];
        if (indices)
          indices[to + i * inner] = entries[i].index;
      }
    }
    onnxc_free(ctx, entries);
  });
}

} // namespace

ONNXC_KERNEL(TopK) {
  const onnxc_tensor &x = in[0];
  if (x.rank == 0)
    onnxc_fail(ctx, "TopK: the input is a scalar");
  int64_t axis = normalizeAxis(ctx, onnxc_attr_int(attrs, "axis", -1), x.rank);
  int64_t k = onnxc_num_elements(&in[1]) > 0 ? intAt(in[1], 0) : 0;
  if (k < 0 || k > x.dims[axis])
    onnxc_fail(ctx, "TopK: k is %lld, the axis has %lld elements", static_cast<long long>(k),
               static_cast<long long>(x.dims[axis]));
  Dims dims(x);
  dims.sizes[axis] = k;
  void *values = isPresent(numOut, out, 0) ? prepareOut(ctx, out[0], dims) : nullptr;
  auto *indices = static_cast<int64_t *>(isPresent(numOut, out, 1) ? prepareOut(ctx, out[1], dims) : nullptr);
  bool largest = onnxc_attr_int(attrs, "largest", 1) != 0;
  if (dims.count() == 0)
    return 0;
  auto run = [&](auto tag, auto key) {
    using T = typename decltype(tag)::Type;
    using Key = typename decltype(key)::Type;
    topK<T, Key>(ctx, x, axis, k, largest, static_cast<T *>(values), indices);
  };
  switch (x.elem_type) {
  case ONNXC_FLOAT16: run(TypeTag<F16>(), TypeTag<float>()); break;
  case ONNXC_BFLOAT16: run(TypeTag<BF16>(), TypeTag<float>()); break;
  case ONNXC_FLOAT: run(TypeTag<float>(), TypeTag<float>()); break;
  case ONNXC_DOUBLE: run(TypeTag<double>(), TypeTag<double>()); break;
  default:
    dispatchInt(ctx, "TopK", x.elem_type, [&](auto tag) { run(tag, tag); });
  }
  return 0;
}
