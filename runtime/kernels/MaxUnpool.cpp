// MaxUnpool and Col2Im: scatters of windows into an image.
#include "common.h"

using namespace onnxc_k;

ONNXC_KERNEL(MaxUnpool) {
  const onnxc_tensor &x = in[0];
  AttrArray<int64_t> kernel = attrInts(attrs, "kernel_shape"), strides = attrInts(attrs, "strides");
  AttrArray<int64_t> pads = attrInts(attrs, "pads");
  int32_t spatial = x.rank - 2;
  if (spatial < 1 || kernel.size != spatial || onnxc_num_elements(&in[1]) != onnxc_num_elements(&x))
    onnxc_fail(ctx, "MaxUnpool: kernel_shape or the indices do not fit the input");
  Dims inferred(x);
  for (int32_t d = 0; d < spatial; ++d) {
    int64_t stride = d < strides.size ? strides[d] : 1;
    int64_t pad = pads.size == 2 * spatial ? pads[d] + pads[d + spatial] : 0;
    inferred.sizes[d + 2] = (x.dims[d + 2] - 1) * stride - pad + kernel[d];
  }
  // Indices are those of the inferred shape; a larger output is filled up with zeros.
  Dims dims = inferred;
  if (isPresent(numIn, in, 2)) {
    if (onnxc_num_elements(&in[2]) != x.rank)
      onnxc_fail(ctx, "MaxUnpool: output_shape has another rank than the input");
    for (int32_t d = 0; d < x.rank; ++d)
      dims.sizes[d] = intAt(in[2], d);
  }
  void *to = prepareOut(ctx, out[0], dims);
  int64_t count = dims.count(), total = inferred.count(), n = onnxc_num_elements(&x);
  memset(to, 0, static_cast<size_t>(count * onnxc_elem_size(x.elem_type)));
  dispatchSize(ctx, x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    for (int64_t i = 0; i < n; ++i) {
      int64_t index = dataOf<int64_t>(in[1])[i], target = 0, stride = 1, rest = index;
      bool inside = index >= 0 && index < total;
      for (int32_t d = x.rank - 1; d >= 0 && inside; --d) {
        int64_t position = rest % inferred.sizes[d];
        rest /= inferred.sizes[d];
        inside = position < dims.sizes[d];
        target += position * stride;
        stride *= dims.sizes[d];
      }
      if (!inside)
        onnxc_fail(ctx, "MaxUnpool: index %lld lies outside the output", static_cast<long long>(index));
      static_cast<T *>(to)[target] = dataOf<T>(x)[i];
    }
  });
  return 0;
}

ONNXC_KERNEL(Col2Im) {
  const onnxc_tensor &x = in[0];
  auto rank = static_cast<int32_t>(onnxc_num_elements(&in[1]));
  AttrArray<int64_t> dilations = attrInts(attrs, "dilations"), pads = attrInts(attrs, "pads");
  AttrArray<int64_t> strides = attrInts(attrs, "strides");
  if (x.rank != 3 || rank < 1 || rank > ONNXC_MAX_RANK - 2 || onnxc_num_elements(&in[2]) != rank)
    onnxc_fail(ctx, "Col2Im: the input must be [N, C * block, L], image_shape and block_shape of the same size");
  int64_t image[ONNXC_MAX_RANK], block[ONNXC_MAX_RANK], counts[ONNXC_MAX_RANK];
  int64_t blockSize = 1, blocks = 1, imageSize = 1;
  auto dilation = [&](int32_t d) { return d < dilations.size ? dilations[d] : 1; };
  auto stride = [&](int32_t d) { return d < strides.size ? strides[d] : 1; };
  auto pad = [&](int32_t d) { return d < pads.size ? pads[d] : 0; };
  for (int32_t d = 0; d < rank; ++d) {
    image[d] = intAt(in[1], d);
    block[d] = intAt(in[2], d);
    int64_t span = image[d] + pad(d) + pad(d + rank) - dilation(d) * (block[d] - 1) - 1;
    if (image[d] < 1 || block[d] < 1 || stride(d) < 1 || span < 0)
      onnxc_fail(ctx, "Col2Im: blocks do not fit the image in dimension %d", d);
    counts[d] = span / stride(d) + 1;
    blockSize *= block[d];
    blocks *= counts[d];
    imageSize *= image[d];
  }
  if (x.dims[1] % blockSize != 0 || x.dims[2] != blocks)
    onnxc_fail(ctx, "Col2Im: the input has %lld x %lld columns; blocks of %lld in %lld places are expected",
               static_cast<long long>(x.dims[1]), static_cast<long long>(x.dims[2]), static_cast<long long>(blockSize),
               static_cast<long long>(blocks));
  Dims dims;
  dims.push(x.dims[0]);
  dims.push(x.dims[1] / blockSize);
  for (int32_t d = 0; d < rank; ++d)
    dims.push(image[d]);
  void *to = prepareOut(ctx, out[0], dims);
  int64_t planes = dims.sizes[0] * dims.sizes[1];
  dispatchNumber(ctx, "Col2Im", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    parallelFor(ctx, planes, static_cast<double>(blockSize * blocks) * 4, [=](int64_t begin, int64_t end) {
      auto *sums = scratch<Acc<T>>(ctx, imageSize);
      for (int64_t plane = begin; plane < end; ++plane) {
        memset(sums, 0, static_cast<size_t>(imageSize) * sizeof(Acc<T>));
        const T *from = dataOf<T>(x) + plane * blockSize * blocks;
        for (int64_t k = 0; k < blockSize; ++k)
          for (int64_t b = 0; b < blocks; ++b) {
            int64_t at = 0, scale = 1, restK = k, restB = b;
            bool inside = true;
            for (int32_t d = rank - 1; d >= 0; --d) {
              int64_t position = restB % counts[d] * stride(d) - pad(d) + restK % block[d] * dilation(d);
              restB /= counts[d];
              restK /= block[d];
              inside &= position >= 0 && position < image[d];
              at += position * scale;
              scale *= image[d];
            }
            if (inside)
              sums[at] += static_cast<Acc<T>>(from[k * blocks + b]);
          }
        for (int64_t i = 0; i < imageSize; ++i)
          static_cast<T *>(to)[plane * imageSize + i] = static_cast<T>(sums[i]);
      }
      onnxc_free(ctx, sums);
    });
  });
  return 0;
}
