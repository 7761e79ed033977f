// Unique, of elements or of slices along an axis: sorts indices, then takes equal runs.
#include <algorithm>

#include "common.h"

using namespace onnxc_k;

ONNXC_KERNEL(Unique) {
  const onnxc_tensor &x = in[0];
  bool flat = onnxc_find_attr(attrs, "axis") == nullptr;
  Dims dims;
  int32_t axis = 0;
  if (flat) {
    dims.push(onnxc_num_elements(&x));
  } else {
    dims = Dims(x);
    axis = static_cast<int32_t>(normalizeAxis(ctx, onnxc_attr_int(attrs, "axis", 0), x.rank));
  }
  int64_t n = dims.sizes[axis], outer = dims.product(0, axis), inner = dims.product(axis + 1, dims.rank);
  int64_t elemSize = onnxc_elem_size(x.elem_type);
  const auto *data = dataOf<const char>(x);
  CompareFn compare = compareFnOf(ctx, x.elem_type);

  // Slices compare lexicographically in row-major order.
  auto compareSlices = [=](int64_t a, int64_t b) {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i)
        if (int order = compare(data + ((o * n + a) * inner + i) * elemSize,
                                data + ((o * n + b) * inner + i) * elemSize))
          return order;
    return 0;
  };
  auto *order = scratch<int64_t>(ctx, n);
  for (int64_t i = 0; i < n; ++i)
    order[i] = i;
  std::sort(order, order + n, [&](int64_t a, int64_t b) {
    int c = compareSlices(a, b);
    return c == 0 ? a < b : c < 0;
  });

  struct Group {
    int64_t first, count, begin; // first index; size and place of its run in order
  };
  auto *groups = scratch<Group>(ctx, n);
  int64_t numGroups = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || compareSlices(order[i - 1], order[i]) != 0)
      groups[numGroups++] = {order[i], 0, i};
    ++groups[numGroups - 1].count;
  }
  if (!onnxc_attr_int(attrs, "sorted", 1))
    std::sort(groups, groups + numGroups, [](const Group &a, const Group &b) { return a.first < b.first; });

  dims.sizes[axis] = numGroups;
  if (isPresent(numOut, out, 0)) {
    auto *to = static_cast<char *>(prepareOut(ctx, out[0], dims));
    int64_t block = inner * elemSize;
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t g = 0; g < numGroups; ++g, to += block)
        memcpy(to, data + (o * n + groups[g].first) * block, static_cast<size_t>(block));
  }
  Dims list;
  list.push(numGroups);
  auto *first = static_cast<int64_t *>(isPresent(numOut, out, 1) ? prepareOut(ctx, out[1], list) : nullptr);
  auto *counts = static_cast<int64_t *>(isPresent(numOut, out, 3) ? prepareOut(ctx, out[3], list) : nullptr);
  list.sizes[0] = n;
  auto *inverse = static_cast<int64_t *>(isPresent(numOut, out, 2) ? prepareOut(ctx, out[2], list) : nullptr);
  for (int64_t g = 0; g < numGroups; ++g) {
    if (first)
      first[g] = groups[g].first;
    if (counts)
      counts[g] = groups[g].count;
    for (int64_t i = 0; inverse && i < groups[g].count; ++i)
      inverse[order[groups[g].begin + i]] = g;
  }
  onnxc_free(ctx, groups);
  onnxc_free(ctx, order);
  return 0;
}
