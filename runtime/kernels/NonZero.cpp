// NonZero and Compress: outputs whose size is counted in the data.
#include "common.h"

using namespace onnxc_k;

namespace {

template <typename T> bool isNonZero(const T &x) { return static_cast<float>(x) != 0; }
template <> bool isNonZero(const double &x) { return x != 0; }
template <> bool isNonZero(const int64_t &x) { return x != 0; }
template <> bool isNonZero(const uint64_t &x) { return x != 0; }

// Writes a 0/1 mask and returns the number of ones.
int64_t fillMask(onnxc_ctx *ctx, const onnxc_tensor &x, int64_t n, uint8_t *mask) {
  int64_t count = 0;
  if (x.elem_type == ONNXC_STRING) {
    for (int64_t i = 0; i < n; ++i)
      count += mask[i] = dataOf<Str>(x)[i]->size != 0;
    return count;
  }
  auto fill = [&](auto tag) {
    using T = typename decltype(tag)::Type;
    for (int64_t i = 0; i < n; ++i)
      count += mask[i] = isNonZero(dataOf<T>(x)[i]);
  };
  auto fillComplex = [&](auto tag) {
    using T = typename decltype(tag)::Type;
    for (int64_t i = 0; i < n; ++i)
      count += mask[i] = dataOf<T>(x)[2 * i] != 0 || dataOf<T>(x)[2 * i + 1] != 0;
  };
  if (x.elem_type == ONNXC_COMPLEX64)
    fillComplex(TypeTag<float>());
  else if (x.elem_type == ONNXC_COMPLEX128)
    fillComplex(TypeTag<double>());
  else
    dispatchNumber(ctx, "NonZero", x.elem_type, fill);
  return count;
}

} // namespace

ONNXC_KERNEL(NonZero) {
  const onnxc_tensor &x = in[0];
  int64_t n = onnxc_num_elements(&x);
  auto *mask = scratch<uint8_t>(ctx, n);
  int64_t count = fillMask(ctx, x, n, mask);
  Dims dims;
  dims.push(x.rank);
  dims.push(count);
  auto *to = static_cast<int64_t *>(prepareOut(ctx, out[0], dims));
  int64_t position[ONNXC_MAX_RANK] = {}, found = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (mask[i]) {
      for (int32_t d = 0; d < x.rank; ++d)
        to[d * count + found] = position[d];
      ++found;
    }
    for (int32_t d = x.rank - 1; d >= 0 && ++position[d] == x.dims[d]; --d)
      position[d] = 0;
  }
  onnxc_free(ctx, mask);
  return 0;
}

ONNXC_KERNEL(Compress) {
  const onnxc_tensor &x = in[0];
  const auto *condition = dataOf<const uint8_t>(in[1]);
  bool flat = onnxc_find_attr(attrs, "axis") == nullptr;
  Dims dims;
  int32_t axis = 0;
  if (flat) {
    dims.push(onnxc_num_elements(&x));
  } else {
    dims = Dims(x);
    axis = static_cast<int32_t>(normalizeAxis(ctx, onnxc_attr_int(attrs, "axis", 0), x.rank));
  }
  int64_t n = dims.sizes[axis], length = onnxc_num_elements(&in[1]), count = 0;
  if (length > n)
    length = n;
  for (int64_t i = 0; i < length; ++i)
    count += condition[i] != 0;
  int64_t outer = dims.product(0, axis);
  int64_t block = dims.product(axis + 1, dims.rank) * onnxc_elem_size(x.elem_type);
  dims.sizes[axis] = count;
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], dims));
  const auto *from = dataOf<const char>(x);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < length; ++i)
      if (condition[i]) {
        memcpy(to, from + (o * n + i) * block, static_cast<size_t>(block));
        to += block;
      }
  return 0;
}
