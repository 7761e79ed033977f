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

// A number in 64 bits, equal for equal numbers.
inline uint64_t bitsOf(double x) {
  uint64_t bits = 0x7ff8000000000000; // of every NaN
  x += 0.0;                           // no negative zero
  if (x == x)
    memcpy(&bits, &x, sizeof(bits));
  return bits;
}
inline uint64_t bitsOf(float x) { return bitsOf(static_cast<double>(x)); }
inline uint64_t bitsOf(int64_t x) { return static_cast<uint64_t>(x); }
inline uint64_t bitsOf(int32_t x) { return static_cast<uint64_t>(x); }
inline uint64_t bitsOf(int16_t x) { return static_cast<uint64_t>(x); }

// f(TypeTag<T>()) for the types that keys can have; Str for strings.
template <typename F> void dispatchKey(onnxc_ctx *ctx, int32_t elemType, F f) {
  switch (elemType) {
  case ONNXC_STRING: return f(TypeTag<Str>());
  case ONNXC_INT64: return f(TypeTag<int64_t>());
  case ONNXC_INT32: return f(TypeTag<int32_t>());
  case ONNXC_INT16: return f(TypeTag<int16_t>());
  case ONNXC_FLOAT: return f(TypeTag<float>());
  case ONNXC_DOUBLE: return f(TypeTag<double>());
  }
  failType(ctx, "a table of keys", elemType);
}

// Finds elements; of equal keys the first counts.
struct Lookup {
  HashTable<uint64_t> numbers;
  HashTable<onnxc_str> strings;
  // Integers that lie close together: the place of each from `least` on, -1 where there is none.
  int64_t *places = nullptr, least = 0, range = 0;
  int32_t elemType;

  Lookup(onnxc_ctx *ctx, const Elements &keys) : elemType(keys.elemType) {
    dispatchKey(ctx, elemType, [&](auto tag) { add(ctx, reinterpret_cast<const typename decltype(tag)::Type *>(keys.data), keys.size); });
  }
  // The key's index or -1.
  int64_t find(Str key) const { return strings.find(*key); }
  template <typename T> int64_t find(T key) const {
    if constexpr (kIsInteger<T>)
      if (places) {
        uint64_t place = static_cast<uint64_t>(key) - static_cast<uint64_t>(least);
        return place < static_cast<uint64_t>(range) ? places[place] : -1;
      }
    return numbers.find(bitsOf(key));
  }
  void keep(onnxc_ctx *ctx) const {
    if (places)
      onnxc_keep(ctx, nullptr, places);
    else
      elemType == ONNXC_STRING ? strings.keep(ctx) : numbers.keep(ctx);
  }

private:
  template <typename T>
  static constexpr bool kIsInteger = __is_same(T, int64_t) || __is_same(T, int32_t) || __is_same(T, int16_t);

  void add(onnxc_ctx *ctx, const Str *keys, int64_t count) {
    strings = HashTable<onnxc_str>(ctx, count);
    for (int64_t i = 0; i < count; ++i)
      strings.findOrAdd(*keys[i], i);
  }
  template <typename T> void add(onnxc_ctx *ctx, const T *keys, int64_t count) {
    if constexpr (kIsInteger<T>) {
      int64_t greatest = count > 0 ? keys[0] : 0;
      least = greatest;
      for (int64_t i = 0; i < count; ++i) {
        least = keys[i] < least ? keys[i] : least;
        greatest = keys[i] > greatest ? keys[i] : greatest;
      }
      // No more than a hash table would take.
      if (!__builtin_sub_overflow(greatest, least, &range) && range < 8 * count) {
        ++range;
        places = scratch<int64_t>(ctx, range);
        memset(places, -1, static_cast<size_t>(range) * sizeof(int64_t));
        for (int64_t i = count - 1; i >= 0; --i)
          places[keys[i] - least] = i;
        return;
      }
    }
    numbers = HashTable<uint64_t>(ctx, count);
    for (int64_t i = 0; i < count; ++i)
      numbers.findOrAdd(bitsOf(keys[i]), i);
  }
};

// The table of keys that are attributes is made in the instance's first run.
const Lookup &keptLookup(onnxc_ctx *ctx, const onnxc_attrs *attrs, const Elements &keys) {
  if (auto *kept = static_cast<const Lookup *>(onnxc_kept(ctx, attrs)))
    return *kept;
  auto *lookup = scratch<Lookup>(ctx, 1);
  *lookup = Lookup(ctx, keys);
  lookup->keep(ctx);
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
  void *to = prepareOut(ctx, out[0], Dims(x));
  dispatchKey(ctx, keys.elemType, [&](auto keyTag) {
    using Key = typename decltype(keyTag)::Type;
    dispatchSize(ctx, values.elemType, [&](auto valueTag) {
      using Value = typename decltype(valueTag)::Type;
      auto *from = dataOf<Key>(x);
      auto *value = reinterpret_cast<const Value *>(values.data);
      auto *result = static_cast<Value *>(to);
      Value other = *static_cast<const Value *>(fallback);
      parallelFor(ctx, onnxc_num_elements(&x), __is_same(Key, Str) ? 15 : 2, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          int64_t at = lookup.find(from[i]);
          result[i] = at < 0 ? other : value[at];
        }
      });
    });
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
    int64_t at = fromStrings ? lookup.find(dataOf<Str>(x)[i]) : lookup.find(dataOf<int64_t>(x)[i]);
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
    int64_t at = strings ? lookup.find(dataOf<Str>(x)[i]) : lookup.find(static_cast<int64_t>(numberAt(ctx, x, i)));
    if (at < 0 && !allowUnknown)
      onnxc_fail(ctx, "OneHotEncoder: element %lld is not a known category", static_cast<long long>(i));
    if (at >= 0)
      to[i * categories.size + at] = 1;
  }
  return 0;
}
