// ai.onnx.ml operators that look values up: LabelEncoder, CategoryMapper, OneHotEncoder.
#include "hashTable.h"
#include "mlScores.h"

using namespace onnxc_k;

namespace {

// A list of elements as they are stored in a tensor of elemType.
struct Elements {
  const char *data;
  int64_t size;
  int32_t elemType;
};

Elements elementsOf(onnxc_ctx *ctx, AttrArray<onnxc_str> strings) {
  auto *handles = scratch<Str>(ctx, strings.size);
  for (int64_t i = 0; i < strings.size; ++i)
    handles[i] = &strings[i];
  return {reinterpret_cast<const char *>(handles), strings.size, ONNXC_STRING};
}
Elements elementsOf(AttrArray<int64_t> ints) {
  return {reinterpret_cast<const char *>(ints.data), ints.size, ONNXC_INT64};
}
Elements elementsOf(AttrArray<float> floats) {
  return {reinterpret_cast<const char *>(floats.data), floats.size, ONNXC_FLOAT};
}

// "keys" or "values" of a LabelEncoder: a tensor or one of three attributes.
Elements labelElements(onnxc_ctx *ctx, const onnxc_attrs *attrs, const onnxc_tensor *tensor, const char *const *names) {
  if (tensor)
    return {dataOf<const char>(*tensor), onnxc_num_elements(tensor), tensor->elem_type};
  if (onnxc_find_attr(attrs, names[0]))
    return elementsOf(ctx, attrStrings(attrs, names[0]));
  if (onnxc_find_attr(attrs, names[1]))
    return elementsOf(attrInts(attrs, names[1]));
  return elementsOf(attrFloats(attrs, names[2]));
}

// A number of elemType in 64 bits, equal for equal numbers.
uint64_t bitsOf(int32_t elemType, const void *element) {
  auto ofFloat = [](double x) {
    uint64_t bits = 0x7ff8000000000000; // of every NaN
    x += 0.0;                           // no negative zero
    if (x == x)
      memcpy(&bits, &x, sizeof(bits));
    return bits;
  };
  switch (elemType) {
  case ONNXC_FLOAT: return ofFloat(static_cast<double>(*static_cast<const float *>(element)));
  case ONNXC_DOUBLE: return ofFloat(*static_cast<const double *>(element));
  case ONNXC_INT16: return static_cast<uint64_t>(*static_cast<const int16_t *>(element));
  case ONNXC_INT32: return static_cast<uint64_t>(*static_cast<const int32_t *>(element));
  default: return *static_cast<const uint64_t *>(element);
  }
}

// Finds elements; of equal keys the first counts.
struct Lookup {
  HashTable<uint64_t> numbers;
  HashTable<onnxc_str> strings;
  int32_t elemType;
  int64_t size; // of an element

  Lookup(onnxc_ctx *ctx, const Elements &keys) : elemType(keys.elemType), size(onnxc_elem_size(keys.elemType)) {
    bool isString = elemType == ONNXC_STRING;
    if (!isString && elemType != ONNXC_INT64 && elemType != ONNXC_INT32 && elemType != ONNXC_INT16 &&
        elemType != ONNXC_FLOAT && elemType != ONNXC_DOUBLE)
      failType(ctx, "a table of keys", elemType);
    if (isString)
      strings = HashTable<onnxc_str>(ctx, keys.size);
    else
      numbers = HashTable<uint64_t>(ctx, keys.size);
    for (int64_t i = 0; i < keys.size; ++i) {
      const char *key = keys.data + i * size;
      if (isString)
        strings.findOrAdd(**reinterpret_cast<const Str *>(key), i);
      else
        numbers.findOrAdd(bitsOf(elemType, key), i);
    }
  }
  // The key's index or -1.
  int64_t find(const char *key) const {
    return elemType == ONNXC_STRING ? strings.find(**reinterpret_cast<const Str *>(key))
                                    : numbers.find(bitsOf(elemType, key));
  }
};

// The table of keys that are attributes is made in the instance's first run.
const Lookup &keptLookup(onnxc_ctx *ctx, const onnxc_attrs *attrs, const Elements &keys) {
  if (auto *kept = static_cast<const Lookup *>(onnxc_kept(ctx, attrs)))
    return *kept;
  auto *lookup = scratch<Lookup>(ctx, 1);
  *lookup = Lookup(ctx, keys);
  if (keys.elemType == ONNXC_STRING)
    lookup->strings.keep(ctx);
  else
    lookup->numbers.keep(ctx);
  onnxc_keep(ctx, attrs, lookup);
  return *lookup;
}

} // namespace

ONNXC_KERNEL(LabelEncoder) {
  const onnxc_tensor &x = in[0];
  auto tensor = [&](int32_t i) { return isPresent(numIn, in, i) && onnxc_num_elements(&in[i]) > 0 ? &in[i] : nullptr; };
  static const char *const kKeys[] = {"keys_strings", "keys_int64s", "keys_floats"};
  static const char *const kValues[] = {"values_strings", "values_int64s", "values_floats"};
  Elements keys = labelElements(ctx, attrs, tensor(2), kKeys);
  Elements values = labelElements(ctx, attrs, tensor(3), kValues);
  if (keys.size != values.size || keys.elemType != x.elem_type || values.elemType != out[0].elem_type)
    onnxc_fail(ctx, "LabelEncoder: %lld keys of type %d and %lld values of type %d do not fit types %d and %d",
               static_cast<long long>(keys.size), keys.elemType, static_cast<long long>(values.size), values.elemType,
               x.elem_type, out[0].elem_type);
  static const onnxc_str kUnused = {7, "_Unused"};
  const onnxc_str *defaultString = onnxc_attr_string(attrs, "default_string");
  Str string = defaultString ? defaultString : &kUnused;
  int64_t integer = onnxc_attr_int(attrs, "default_int64", -1);
  float number = onnxc_attr_float(attrs, "default_float", -0.0f);
  int16_t shortInteger = -1;
  double longNumber = -0.0;
  const void *fallback = tensor(1) && in[1].elem_type == values.elemType ? in[1].data
                         : values.elemType == ONNXC_STRING               ? static_cast<const void *>(&string)
                         : values.elemType == ONNXC_INT64                ? static_cast<const void *>(&integer)
                         : values.elemType == ONNXC_FLOAT                ? static_cast<const void *>(&number)
                         : values.elemType == ONNXC_INT16                ? static_cast<const void *>(&shortInteger)
                         : values.elemType == ONNXC_DOUBLE               ? static_cast<const void *>(&longNumber)
                                                                         : nullptr;
  if (!fallback)
    onnxc_fail(ctx, "LabelEncoder: element type %d is not supported", values.elemType);
  Lookup lookup = tensor(2) ? Lookup(ctx, keys) : keptLookup(ctx, attrs, keys);
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], Dims(x)));
  int64_t size = onnxc_elem_size(values.elemType);
  parallelFor(ctx, onnxc_num_elements(&x), keys.elemType == ONNXC_STRING ? 15 : 4, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t at = lookup.find(dataOf<char>(x) + i * lookup.size);
      memcpy(to + i * size, at < 0 ? fallback : values.data + at * size, static_cast<size_t>(size));
    }
  });
  return 0;
}

ONNXC_KERNEL(CategoryMapper) {
  const onnxc_tensor &x = in[0];
  Elements strings = elementsOf(ctx, attrStrings(attrs, "cats_strings"));
  Elements ints = elementsOf(attrInts(attrs, "cats_int64s"));
  if (strings.size != ints.size)
    onnxc_fail(ctx, "CategoryMapper: there are %lld strings and %lld integers", static_cast<long long>(strings.size),
               static_cast<long long>(ints.size));
  bool fromStrings = x.elem_type == ONNXC_STRING;
  static const onnxc_str kUnused = {7, "_Unused"};
  const onnxc_str *defaultString = onnxc_attr_string(attrs, "default_string");
  Str string = defaultString ? defaultString : &kUnused;
  int64_t integer = onnxc_attr_int(attrs, "default_int64", -1);
  const Lookup &lookup = keptLookup(ctx, attrs, fromStrings ? strings : ints);
  const Elements &values = fromStrings ? ints : strings;
  const void *fallback = fromStrings ? static_cast<const void *>(&integer) : static_cast<const void *>(&string);
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], Dims(x)));
  for (int64_t i = 0; i < onnxc_num_elements(&x); ++i) {
    int64_t at = lookup.find(dataOf<char>(x) + i * 8);
    memcpy(to + i * 8, at < 0 ? fallback : values.data + at * 8, 8);
  }
  return 0;
}

ONNXC_KERNEL(OneHotEncoder) {
  const onnxc_tensor &x = in[0];
  bool strings = x.elem_type == ONNXC_STRING;
  Elements categories =
      strings ? elementsOf(ctx, attrStrings(attrs, "cats_strings")) : elementsOf(attrInts(attrs, "cats_int64s"));
  const Lookup &lookup = keptLookup(ctx, attrs, categories);
  bool allowUnknown = onnxc_attr_int(attrs, "zeros", 1) != 0;
  Dims dims(x);
  dims.push(categories.size);
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], dims));
  int64_t n = onnxc_num_elements(&x);
  memset(to, 0, static_cast<size_t>(n * categories.size) * sizeof(float));
  for (int64_t i = 0; i < n; ++i) {
    auto integer = strings ? 0 : static_cast<int64_t>(numberAt(ctx, x, i));
    int64_t at = lookup.find(strings ? dataOf<char>(x) + i * 8 : reinterpret_cast<const char *>(&integer));
    if (at < 0 && !allowUnknown)
      onnxc_fail(ctx, "OneHotEncoder: element %lld is not a known category", static_cast<long long>(i));
    if (at >= 0)
      to[i * categories.size + at] = 1;
  }
  return 0;
}
