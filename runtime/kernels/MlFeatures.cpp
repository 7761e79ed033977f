// ai.onnx.ml operators on rows of features: Scaler, Imputer, Normalizer, Binarizer,
// FeatureVectorizer, ArrayFeatureExtractor.
#include <math.h>

#include "cpu.h"
#include "mlScores.h"

using namespace onnxc_k;

namespace {

int64_t lastDim(const onnxc_tensor &x) { return x.rank > 0 ? x.dims[x.rank - 1] : 1; }

// An attribute with one value for all columns or one for each, as one for each: scratch, to be freed.
template <typename To, typename T>
To *valuesOfColumns(onnxc_ctx *ctx, const char *kernel, const AttrArray<T> &values, int64_t columns) {
  if (values.size != 1 && values.size != columns)
    onnxc_fail(ctx, "%s: %lld values are given for %lld columns", kernel, static_cast<long long>(values.size),
               static_cast<long long>(columns));
  To *result = scratch<To>(ctx, columns);
  for (int64_t c = 0; c < columns; ++c)
    result[c] = static_cast<To>(values[values.size == 1 ? 0 : c]);
  return result;
}

// Calls work(element, column) for all elements, row after row.
template <typename Work> void forColumns(int64_t count, int64_t columns, Work work) {
  for (int64_t row = 0; row < count; row += columns)
    for (int64_t c = 0; c < columns; ++c)
      work(row + c, c);
}

enum class Norm { Max, L1, L2 };

// Rows by their norm; in double, with partial sums that fill vectors.
template <typename T>
__attribute__((always_inline)) inline void normalize(Norm kind, const T *x, int64_t rows, int64_t columns, float *to) {
  constexpr int64_t kLanes = 8;
  for (int64_t n = 0; n < rows; ++n, x += columns, to += columns) {
    double norm = kind == Norm::Max ? -INFINITY : 0, sums[kLanes] = {};
    int64_t c = 0;
    auto part = [&](double value) { return kind == Norm::L1 ? fabs(value) : value * value; };
    if (kind == Norm::Max) {
      for (; c < columns; ++c)
        norm = fmax(norm, static_cast<double>(x[c]));
    } else {
      for (; c + kLanes <= columns; c += kLanes)
        for (int64_t lane = 0; lane < kLanes; ++lane)
          sums[lane] += part(static_cast<double>(x[c + lane]));
      for (; c < columns; ++c)
        norm += part(static_cast<double>(x[c]));
      for (int64_t half = kLanes / 2; half > 0; half /= 2)
        for (int64_t lane = 0; lane < half; ++lane)
          sums[lane] += sums[lane + half];
      norm += sums[0];
      if (kind == Norm::L2)
        norm = sqrt(norm);
    }
    double factor = norm != 0 ? norm : 1;
    for (c = 0; c < columns; ++c)
      to[c] = static_cast<float>(static_cast<double>(x[c]) / factor);
  }
}
__attribute__((always_inline)) inline void normalizeFloatsBody(Norm kind, const float *x, int64_t rows, int64_t columns,
                                                               float *to) {
  kind == Norm::L2   ? normalize(Norm::L2, x, rows, columns, to)
  : kind == Norm::L1 ? normalize(Norm::L1, x, rows, columns, to)
                     : normalize(Norm::Max, x, rows, columns, to);
}
ONNXC_VERSIONS(void, normalizeFloats, (Norm kind, const float *x, int64_t rows, int64_t columns, float *to),
               (kind, x, rows, columns, to))

} // namespace

ONNXC_KERNEL(Scaler) {
  const onnxc_tensor &x = in[0];
  AttrArray<float> offset = attrFloats(attrs, "offset"), scale = attrFloats(attrs, "scale");
  int64_t columns = lastDim(x);
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], Dims(x)));
  dispatchNumber(ctx, "Scaler", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x);
    auto *offsets = valuesOfColumns<Acc<T>>(ctx, "Scaler", offset, columns);
    auto *scales = valuesOfColumns<Acc<T>>(ctx, "Scaler", scale, columns);
    forColumns(onnxc_num_elements(&x), columns, [=](int64_t i, int64_t c) {
      to[i] = static_cast<float>((static_cast<Acc<T>>(from[i]) - offsets[c]) * scales[c]);
    });
    onnxc_free(ctx, offsets);
    onnxc_free(ctx, scales);
  });
  return 0;
}

ONNXC_KERNEL(Imputer) {
  const onnxc_tensor &x = in[0];
  int64_t columns = lastDim(x);
  void *result = prepareOut(ctx, out[0], Dims(x));
  auto impute = [&](auto tag, const auto &values, auto replaced) {
    using T = typename decltype(tag)::Type;
    T *imputed = valuesOfColumns<T>(ctx, "Imputer", values, columns);
    const T *from = dataOf<T>(x);
    auto *to = static_cast<T *>(result);
    auto work = [&](auto isMissing) {
      forColumns(onnxc_num_elements(&x), columns, [=](int64_t i, int64_t c) {
        T value = from[i], instead = imputed[c];
        to[i] = isMissing(value) ? instead : value;
      });
    };
    auto wanted = static_cast<T>(replaced);
    if (replaced != replaced)
      work([](T value) { return value != value; });
    else
      work([=](T value) { return value == wanted; });
    onnxc_free(ctx, imputed);
  };
  AttrArray<float> floats = attrFloats(attrs, "imputed_value_floats");
  AttrArray<int64_t> ints = attrInts(attrs, "imputed_value_int64s");
  float replacedFloat = onnxc_attr_float(attrs, "replaced_value_float", 0);
  int64_t replacedInt = onnxc_attr_int(attrs, "replaced_value_int64", 0);
  switch (x.elem_type) {
  case ONNXC_FLOAT: impute(TypeTag<float>(), floats, replacedFloat); break;
  case ONNXC_DOUBLE: impute(TypeTag<double>(), floats, replacedFloat); break;
  case ONNXC_INT64: impute(TypeTag<int64_t>(), ints, replacedInt); break;
  case ONNXC_INT32: impute(TypeTag<int32_t>(), ints, replacedInt); break;
  default: failType(ctx, "Imputer", x.elem_type);
  }
  return 0;
}

ONNXC_KERNEL(Normalizer) {
  const onnxc_tensor &x = in[0];
  Rows rows = rowsOf(ctx, x);
  Norm kind = !onnxc_attr_string(attrs, "norm") || attrIs(attrs, "norm", "MAX") ? Norm::Max
              : attrIs(attrs, "norm", "L1")                                        ? Norm::L1
                                                                                   : Norm::L2;
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], Dims(x)));
  parallelFor(ctx, rows.count, static_cast<double>(rows.columns), [=](int64_t begin, int64_t end) {
    float *first = to + begin * rows.columns;
    if (x.elem_type == ONNXC_FLOAT)
      return normalizeFloats(kind, dataOf<float>(x) + begin * rows.columns, end - begin, rows.columns, first);
    auto *loaded = scratch<double>(ctx, (end - begin) * rows.columns);
    loadDoubles(ctx, x, begin * rows.columns, (end - begin) * rows.columns, loaded);
    normalize(kind, loaded, end - begin, rows.columns, first);
    onnxc_free(ctx, loaded);
  });
  return 0;
}

ONNXC_KERNEL(Binarizer) {
  const onnxc_tensor &x = in[0];
  float threshold = onnxc_attr_float(attrs, "threshold", 0);
  void *result = prepareOut(ctx, out[0], Dims(x));
  dispatchNumber(ctx, "Binarizer", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    int64_t n = onnxc_num_elements(&x);
    for (int64_t i = 0; i < n; ++i)
      static_cast<T *>(result)[i] =
          static_cast<T>(static_cast<Acc<T>>(dataOf<T>(x)[i]) > static_cast<Acc<T>>(threshold) ? 1.0f : 0.0f);
  });
  return 0;
}

ONNXC_KERNEL(FeatureVectorizer) {
  AttrArray<int64_t> widths = attrInts(attrs, "inputdimensions");
  Dims dims;
  int64_t columns = 0, count = numIn > 0 ? rowsOf(ctx, in[0]).count : 0;
  // An input wider or narrower than its declared width is cut or filled with zeros.
  auto widthOf = [&](int32_t i) { return i < widths.size ? widths[i] : rowsOf(ctx, in[i]).columns; };
  for (int32_t i = 0; i < numIn; ++i) {
    if (rowsOf(ctx, in[i]).count != count)
      onnxc_fail(ctx, "FeatureVectorizer: input %d has another number of rows", i);
    columns += widthOf(i);
  }
  dims.push(count);
  dims.push(columns);
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], dims));
  for (int64_t n = 0; n < count; ++n)
    for (int32_t i = 0; i < numIn; ++i) {
      int64_t given = rowsOf(ctx, in[i]).columns;
      for (int64_t c = 0; c < widthOf(i); ++c)
        *to++ = c < given ? static_cast<float>(numberAt(ctx, in[i], n * given + c)) : 0;
    }
  return 0;
}

ONNXC_KERNEL(ArrayFeatureExtractor) {
  const onnxc_tensor &x = in[0], &indices = in[1];
  if (x.rank == 0)
    onnxc_fail(ctx, "ArrayFeatureExtractor: the input is a scalar");
  int64_t columns = lastDim(x), chosen = onnxc_num_elements(&indices), size = onnxc_elem_size(x.elem_type);
  for (int64_t i = 0; i < chosen; ++i)
    if (intAt(indices, i) < 0 || intAt(indices, i) >= columns)
      onnxc_fail(ctx, "ArrayFeatureExtractor: index %lld is out of range for %lld columns",
                 static_cast<long long>(intAt(indices, i)), static_cast<long long>(columns));
  Dims dims(x);
  if (x.rank == 1)
    dims.sizes[dims.rank++ - 1] = 1;
  dims.sizes[dims.rank - 1] = chosen;
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], dims));
  int64_t rows = dims.product(0, dims.rank - 1);
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t i = 0; i < chosen; ++i, to += size)
      memcpy(to, dataOf<char>(x) + (n * columns + intAt(indices, i)) * size, static_cast<size_t>(size));
  return 0;
}
