// Random tensors. With a seed the values are those of onnx's reference evaluator (NumPy's RandomState); without one
// they differ in each run.
#include <math.h>
#include <time.h>

#include "mt19937.h"
#include "philox.h"

#include "common.h"

using namespace onnxc_k;

namespace {

Philox makeGenerator(const onnxc_attrs *attrs) {
  if (const onnxc_attr *seed = onnxc_find_attr(attrs, "seed"))
    if (seed->kind == ONNXC_ATTR_FLOAT)
      return {uint64_t(bitCast<uint32_t>(*static_cast<const float *>(seed->data)))};
  static uint64_t calls;
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  uint64_t time = static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
  return {(time ^ (call << 40)) | uint64_t(1) << 63}; // never the key of a seed
}

// NumPy's generator for a seed that it takes; false where there is none.
bool findSeed(const onnxc_attrs *attrs, uint32_t &seed) {
  const onnxc_attr *attr = onnxc_find_attr(attrs, "seed");
  if (!attr || attr->kind != ONNXC_ATTR_FLOAT)
    return false;
  float value = *static_cast<const float *>(attr->data);
  if (!(value >= 0 && value < 4294967296.0f))
    return false;
  seed = static_cast<uint32_t>(value);
  return true;
}

// Box and Muller: one of two from each pair of uniform numbers.
double normal(const Philox &generator, uint64_t i) {
  Philox::Block block = generator.block(i / 2);
  double radius = sqrt(-2 * log(1 - Philox::uniform(block, 0))), angle = 2 * M_PI * Philox::uniform(block, 1);
  return i & 1 ? radius * sin(angle) : radius * cos(angle);
}

Dims shapeAttr(onnxc_ctx *ctx, const onnxc_attrs *attrs) {
  AttrArray<int64_t> shape = attrInts(attrs, "shape");
  Dims dims;
  if (shape.size > ONNXC_MAX_RANK)
    onnxc_fail(ctx, "a random tensor of rank %lld is asked for", static_cast<long long>(shape.size));
  for (int64_t i = 0; i < shape.size; ++i)
    dims.push(shape[i]);
  return dims;
}

// Fills the output with offset + scale * x, rounded to its type at each step; x is draw() with a seed, else at(i).
template <typename Draw, typename At>
void fill(onnxc_ctx *ctx, const onnxc_attrs *attrs, onnxc_tensor &out, const Dims &dims, float offset, float scale,
          Draw draw, At at) {
  void *to = prepareOut(ctx, out, dims);
  uint32_t seed;
  bool seeded = findSeed(attrs, seed);
  Philox philox = seeded ? Philox{} : makeGenerator(attrs);
  dispatchFloat(ctx, "random", out.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    auto round = [](auto x) { return static_cast<Acc<T>>(static_cast<T>(static_cast<Acc<T>>(x))); };
    auto store = [=](int64_t i, double x) {
      static_cast<T *>(to)[i] = static_cast<T>(round(round(x) * round(scale)) + round(offset));
    };
    if (seeded) {
      Mt19937 generator(seed);
      for (int64_t i = 0, n = dims.count(); i < n; ++i)
        store(i, draw(generator));
      return;
    }
    parallelFor(ctx, dims.count(), 40, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        store(i, at(philox, static_cast<uint64_t>(i)));
    });
  });
}

void fillNormal(onnxc_ctx *ctx, const onnxc_attrs *attrs, onnxc_tensor &out, const Dims &dims) {
  fill(ctx, attrs, out, dims, onnxc_attr_float(attrs, "mean", 0), onnxc_attr_float(attrs, "scale", 1),
       [](Mt19937 &generator) { return generator.normal(); },
       [](const Philox &generator, uint64_t i) { return normal(generator, i); });
}

void fillUniform(onnxc_ctx *ctx, const onnxc_attrs *attrs, onnxc_tensor &out, const Dims &dims) {
  float low = onnxc_attr_float(attrs, "low", 0), high = onnxc_attr_float(attrs, "high", 1);
  fill(ctx, attrs, out, dims, low, high - low, [](Mt19937 &generator) { return generator.uniform(); },
       [](const Philox &generator, uint64_t i) { return generator.uniform(i); });
}

} // namespace

ONNXC_KERNEL(RandomNormal) {
  fillNormal(ctx, attrs, out[0], shapeAttr(ctx, attrs));
  return 0;
}
ONNXC_KERNEL(RandomNormalLike) {
  fillNormal(ctx, attrs, out[0], Dims(in[0]));
  return 0;
}
ONNXC_KERNEL(RandomUniform) {
  fillUniform(ctx, attrs, out[0], shapeAttr(ctx, attrs));
  return 0;
}
ONNXC_KERNEL(RandomUniformLike) {
  fillUniform(ctx, attrs, out[0], Dims(in[0]));
  return 0;
}

ONNXC_KERNEL(Bernoulli) {
  const onnxc_tensor &x = in[0];
  int64_t n = onnxc_num_elements(&x);
  void *to = prepareOut(ctx, out[0], Dims(x));
  auto *ones = scratch<uint8_t>(ctx, n);
  dispatchFloat(ctx, "Bernoulli", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    auto p = [&](int64_t i) { return static_cast<double>(static_cast<Acc<T>>(dataOf<T>(x)[i])); };
    uint32_t seed;
    if (findSeed(attrs, seed)) {
      Mt19937 generator(seed);
      for (int64_t i = 0; i < n; ++i)
        ones[i] = generator.bernoulli(p(i));
    } else {
      Philox generator = makeGenerator(attrs);
      for (int64_t i = 0; i < n; ++i)
        ones[i] = generator.uniform(static_cast<uint64_t>(i)) < p(i);
    }
  });
  dispatchNumber(ctx, "Bernoulli", out[0].elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    for (int64_t i = 0; i < n; ++i)
      static_cast<T *>(to)[i] = static_cast<T>(static_cast<float>(ones[i]));
  });
  onnxc_free(ctx, ones);
  return 0;
}

// The input holds unnormalised log probabilities [batch, classes].
ONNXC_KERNEL(Multinomial) {
  Philox generator = makeGenerator(attrs);
  const onnxc_tensor &x = in[0];
  if (x.rank != 2 || x.dims[1] < 1)
    onnxc_fail(ctx, "Multinomial: the input must be [batch, classes]");
  int64_t classes = x.dims[1], samples = onnxc_attr_int(attrs, "sample_size", 1);
  Dims dims;
  dims.push(x.dims[0]);
  dims.push(samples);
  void *to = prepareOut(ctx, out[0], dims);
  auto *sums = scratch<double>(ctx, classes);
  for (int64_t b = 0; b < x.dims[0]; ++b) {
    double max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; ++c)
      max = fmax(max, numberAt(ctx, x, b * classes + c));
    for (int64_t c = 0; c < classes; ++c)
      sums[c] = sum += exp(numberAt(ctx, x, b * classes + c) - max);
    for (int64_t s = 0; s < samples; ++s) {
      double target = generator.uniform(static_cast<uint64_t>(b * samples + s)) * sum;
      int64_t chosen = 0;
      while (chosen < classes - 1 && sums[chosen] <= target)
        ++chosen;
      if (out[0].elem_type == ONNXC_INT64)
        static_cast<int64_t *>(to)[b * samples + s] = chosen;
      else
        static_cast<int32_t *>(to)[b * samples + s] = static_cast<int32_t>(chosen);
    }
  }
  onnxc_free(ctx, sums);
  return 0;
}
