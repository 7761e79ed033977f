// ai.onnx.ml operators on rows of features: Scaler, Imputer, Normalizer, Binarizer,
// FeatureVectorizer, ArrayFeatureExtractor.
#include <math.h>

#include "mlScores.h"

using namespace onnxc_k;

namespace {

int64_t lastDim(const onnxc_tensor &x) { return x.rank > 0 ? x.dims[x.rank - 1] : 1; }

// An attribute with one value for all columns or one for each.
template <typename T>
void checkColumns(onnxc_ctx *ctx, const char *kernel, const AttrArray<T> &values, int64_t columns) {
  if (values.size != 1 && values.size != columns)
    onnxc_fail(ctx, "%s: %lld values are given for %lld columns", kernel, static_cast<long long>(values.size),
               static_cast<long long>(columns));
}
template <typename T> T ofColumn(const AttrArray<T> &values, int64_t column) {
  return values[values.size == 1 ? 0 : column];
}

} // namespace

ONNXC_KERNEL(Scaler) {
  const onnxc_tensor &x = in[0];
  AttrArray<float> offset = attrFloats(attrs, "offset"), scale = attrFloats(attrs, "scale");
  int64_t columns = lastDim(x);
  checkColumns(ctx, "Scaler", offset, columns);
  checkColumns(ctx, "Scaler", scale, columns);
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], Dims(x)));
  dispatchNumber(ctx, "Scaler", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x);
    int64_t n = onnxc_num_elements(&x);
    for (int64_t i = 0; i < n; ++i)
      to[i] = static_cast<float>((static_cast<Acc<T>>(from[i]) - static_cast<Acc<T>>(ofColumn(offset, i % columns))) *
                                 static_cast<Acc<T>>(ofColumn(scale, i % columns)));
  });
  return 0;
}

ONNXC_KERNEL(Imputer) {
  const onnxc_tensor &x = in[0];
  int64_t columns = lastDim(x), n = onnxc_num_elements(&x);
  void *result = prepareOut(ctx, out[0], Dims(x));
  auto impute = [&](auto tag, const auto &values, auto replaced) {
    using T = typename decltype(tag)::Type;
    checkColumns(ctx, "Imputer", values, columns);
    for (int64_t i = 0; i < n; ++i) {
      T value = dataOf<T>(x)[i];
      bool missing = replaced != replaced ? value != value : value == static_cast<T>(replaced);
      static_cast<T *>(result)[i] = missing ? static_cast<T>(ofColumn(values, i % columns)) : value;
    }
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
  bool max = !onnxc_attr_string(attrs, "norm") || attrIs(attrs, "norm", "MAX"), l1 = attrIs(attrs, "norm", "L1");
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], Dims(x)));
  parallelFor(ctx, rows.count, static_cast<double>(rows.columns) * 2, [=](int64_t begin, int64_t end) {
    auto *row = scratch<double>(ctx, rows.columns);
    for (int64_t n = begin; n < end; ++n) {
      loadDoubles(ctx, x, n * rows.columns, rows.columns, row);
      double norm = max ? -INFINITY : 0;
      for (int64_t c = 0; c < rows.columns; ++c)
        norm = max ? fmax(norm, row[c]) : norm + (l1 ? fabs(row[c]) : row[c] * row[c]);
      if (!max && !l1)
        norm = sqrt(norm);
      for (int64_t c = 0; c < rows.columns; ++c)
        to[n * rows.columns + c] = static_cast<float>(norm != 0 ? row[c] / norm : row[c]);
    }
    onnxc_free(ctx, row);
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
