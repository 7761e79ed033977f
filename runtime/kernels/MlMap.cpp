// ai.onnx.ml operators on maps: ZipMap, DictVectorizer, CastMap.
#include <stdio.h>
#include <stdlib.h>

#include "mlScores.h"
#include "objects.h"

using namespace onnxc_k;

namespace {

const onnxc_object *mapOf(onnxc_ctx *ctx, const char *kernel, const onnxc_tensor &t) {
  const onnxc_object *map = objectOf(t);
  if (map->kind != ONNXC_MAP)
    onnxc_fail(ctx, "%s: the input is not a map", kernel);
  return map;
}

} // namespace

ONNXC_KERNEL(ZipMap) {
  const onnxc_tensor &x = in[0];
  Rows rows = rowsOf(ctx, x);
  ClassLabels labels = classLabels(attrs, "classlabels_strings", "classlabels_int64s");
  if (labels.size() != rows.columns)
    onnxc_fail(ctx, "ZipMap: there are %lld labels for %lld columns", static_cast<long long>(labels.size()),
               static_cast<long long>(rows.columns));
  onnxc_tensor keys = {nullptr, &rows.columns, 1, labels.strings.size ? ONNXC_STRING : ONNXC_INT64};
  if (labels.strings.size) {
    auto *handles = scratch<Str>(ctx, rows.columns);
    for (int64_t i = 0; i < rows.columns; ++i)
      handles[i] = &labels.strings[i];
    keys.data = handles;
  } else {
    keys.data = const_cast<int64_t *>(labels.ints.data);
  }
  onnxc_object *keyObject = onnxc_new_tensor_object(ctx, &keys); // shared by all maps
  onnxc_object *sequence = onnxc_new_object(ctx, ONNXC_SEQUENCE, ONNXC_UNDEFINED, rows.count);
  for (int64_t n = 0; n < rows.count; ++n) {
    onnxc_tensor values = {dataOf<char>(x) + n * rows.columns * onnxc_elem_size(x.elem_type), &rows.columns, 1,
                           x.elem_type};
    onnxc_object *map = onnxc_new_object(ctx, ONNXC_MAP, ONNXC_UNDEFINED, 2);
    map->items[0] = keyObject;
    map->items[1] = onnxc_new_tensor_object(ctx, &values);
    sequence->items[n] = map;
  }
  giveHandle(ctx, out[0], sequence);
  return 0;
}

ONNXC_KERNEL(DictVectorizer) {
  const onnxc_object *map = mapOf(ctx, "DictVectorizer", in[0]);
  const onnxc_tensor &keys = map->items[0]->tensor, &values = map->items[1]->tensor;
  AttrArray<onnxc_str> strings = attrStrings(attrs, "string_vocabulary");
  AttrArray<int64_t> ints = attrInts(attrs, "int64_vocabulary");
  bool isString = keys.elem_type == ONNXC_STRING;
  Dims dims;
  dims.push(1);
  dims.push(isString ? strings.size : ints.size);
  if (values.elem_type != out[0].elem_type)
    onnxc_fail(ctx, "DictVectorizer: the map's values have another type than the result");
  static const onnxc_str kEmpty = {0, ""};
  int64_t size = onnxc_elem_size(values.elem_type);
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], dims));
  for (int64_t i = 0; i < dims.sizes[1]; ++i, to += size) {
    memset(to, 0, static_cast<size_t>(size));
    if (values.elem_type == ONNXC_STRING)
      *reinterpret_cast<Str *>(to) = &kEmpty;
    for (int64_t k = 0; k < keys.dims[0]; ++k)
      if (isString ? equalStrings(*dataOf<Str>(keys)[k], strings[i]) : dataOf<int64_t>(keys)[k] == ints[i])
        memcpy(to, dataOf<char>(values) + k * size, static_cast<size_t>(size));
  }
  return 0;
}

ONNXC_KERNEL(CastMap) {
  const onnxc_object *map = mapOf(ctx, "CastMap", in[0]);
  const onnxc_tensor &keys = map->items[0]->tensor, &values = map->items[1]->tensor;
  int64_t count = keys.dims[0];
  bool sparse = attrIs(attrs, "map_form", "SPARSE");
  int64_t columns = sparse ? onnxc_attr_int(attrs, "max_map", 1) : count;
  Dims dims;
  dims.push(1);
  dims.push(columns);
  void *to = prepareOut(ctx, out[0], dims);
  static const onnxc_str kEmpty = {0, ""};
  auto store = [&](int64_t i, int64_t k) { // element k of the map, or nothing if negative
    bool fromString = values.elem_type == ONNXC_STRING;
    if (out[0].elem_type == ONNXC_STRING) {
      Str text = &kEmpty;
      if (k >= 0 && fromString) {
        text = dataOf<Str>(values)[k];
      } else if (k >= 0) {
        char digits[40];
        int size = snprintf(digits, sizeof(digits), "%f", numberAt(ctx, values, k));
        text = onnxc_new_string(ctx, digits, size);
      }
      static_cast<Str *>(to)[i] = text;
      return;
    }
    double value = 0;
    if (k >= 0 && fromString) {
      const onnxc_str &s = *dataOf<Str>(values)[k];
      char digits[64] = {};
      memcpy(digits, s.data, static_cast<size_t>(s.size < 63 ? s.size : 63));
      value = strtod(digits, nullptr);
    } else if (k >= 0) {
      value = numberAt(ctx, values, k);
    }
    if (out[0].elem_type == ONNXC_INT64)
      static_cast<int64_t *>(to)[i] = static_cast<int64_t>(value);
    else
      static_cast<float *>(to)[i] = static_cast<float>(value);
  };
  for (int64_t i = 0; i < columns; ++i)
    store(i, sparse ? -1 : i);
  for (int64_t k = 0; sparse && k < count; ++k) {
    int64_t key = dataOf<int64_t>(keys)[k];
    if (key < 0 || key >= columns)
      onnxc_fail(ctx, "CastMap: key %lld is out of range for max_map %lld", static_cast<long long>(key),
                 static_cast<long long>(columns));
    store(key, k);
  }
  return 0;
}
