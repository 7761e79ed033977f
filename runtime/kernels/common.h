// What the kernels share: dispatch over element types, outputs, shapes, parallel loops.
#ifndef ONNXC_KERNELS_COMMON_H
#define ONNXC_KERNELS_COMMON_H

#include <stdint.h>
#include <string.h>

#include "half.h"
#include "kernel.h"

#define ONNXC_KERNEL(name)                                                                                   \
  extern "C" int onnxc_kernel_##name(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn,                 \
                                     const onnxc_tensor *in, int32_t numOut, onnxc_tensor *out)

namespace onnxc_k {

// ---- operands ----

inline bool isPresent(int32_t count, const onnxc_tensor *tensors, int32_t i) {
  return i < count && tensors[i].elem_type != 0;
}

template <typename T> inline T *dataOf(const onnxc_tensor &t) { return static_cast<T *>(t.data); }

struct Dims {
  int64_t sizes[ONNXC_MAX_RANK];
  int32_t rank = 0;
  Dims() = default;
  Dims(const onnxc_tensor &t) : rank(t.rank) {
    for (int32_t i = 0; i < rank; ++i)
      sizes[i] = t.dims[i];
  }
  void push(int64_t size) { sizes[rank++] = size; }
  int64_t product(int32_t begin, int32_t end) const {
    int64_t result = 1;
    for (int32_t i = begin; i < end; ++i)
      result *= sizes[i];
    return result;
  }
  int64_t count() const { return product(0, rank); }
};

// The output's memory: given (then its shape must be this one) or allocated now.
inline void *prepareOut(onnxc_ctx *ctx, onnxc_tensor &out, const Dims &dims) {
  if (!out.data) {
    onnxc_alloc_out(ctx, &out, dims.rank, dims.sizes);
    return out.data;
  }
  bool same = out.rank == dims.rank;
  for (int32_t i = 0; same && i < dims.rank; ++i)
    same = out.dims[i] == dims.sizes[i];
  if (!same)
    onnxc_fail(ctx, "the result's shape is not the one that the compiler expected");
  return out.data;
}

template <typename T> inline T *scratch(onnxc_ctx *ctx, int64_t count) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count, static_cast<int64_t>(sizeof(T)), &bytes))
    bytes = -1; // refused by onnxc_alloc
  return static_cast<T *>(onnxc_alloc(ctx, bytes));
}

inline int64_t normalizeAxis(onnxc_ctx *ctx, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    onnxc_fail(ctx, "axis %lld is out of range for rank %lld", static_cast<long long>(axis),
               static_cast<long long>(rank));
  return axis < 0 ? axis + rank : axis;
}

// ---- parallel loops ----

// body(begin, end); cost: nanoseconds of one iteration.
template <typename Body> inline void parallelFor(onnxc_ctx *ctx, int64_t n, double cost, Body body) {
  onnxc_parallel_for(
      ctx, [](void *arg, int64_t begin, int64_t end) { (*static_cast<Body *>(arg))(begin, end); }, &body, n, cost);
}

// ---- attributes ----

template <typename T> struct AttrArray {
  const T *data = nullptr;
  int64_t size = 0;
  const T &operator[](int64_t i) const { return data[i]; }
};

template <typename T> inline AttrArray<T> attrArray(const onnxc_attrs *attrs, const char *name, int64_t kind) {
  const onnxc_attr *attr = onnxc_find_attr(attrs, name);
  AttrArray<T> result;
  if (attr && (attr->kind == kind || attr->count == 0)) {
    result.data = static_cast<const T *>(attr->data);
    result.size = attr->count;
  }
  return result;
}
inline AttrArray<int64_t> attrInts(const onnxc_attrs *attrs, const char *name) {
  return attrArray<int64_t>(attrs, name, ONNXC_ATTR_INTS);
}
inline AttrArray<float> attrFloats(const onnxc_attrs *attrs, const char *name) {
  return attrArray<float>(attrs, name, ONNXC_ATTR_FLOATS);
}
inline AttrArray<onnxc_str> attrStrings(const onnxc_attrs *attrs, const char *name) {
  return attrArray<onnxc_str>(attrs, name, ONNXC_ATTR_STRINGS);
}
inline bool attrIs(const onnxc_attrs *attrs, const char *name, const char *value) {
  const onnxc_str *s = onnxc_attr_string(attrs, name);
  return s && static_cast<size_t>(s->size) == strlen(value) && memcmp(s->data, value, strlen(value)) == 0;
}

// ---- strings ----

using Str = const onnxc_str *;

inline int compareStrings(const onnxc_str &a, const onnxc_str &b) {
  int64_t common = a.size < b.size ? a.size : b.size;
  int order = common > 0 ? memcmp(a.data, b.data, static_cast<size_t>(common)) : 0;
  return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size;
}
inline bool equalStrings(const onnxc_str &a, const onnxc_str &b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, static_cast<size_t>(a.size)) == 0);
}

// ---- element types ----

template <typename T> struct TypeTag {
  using Type = T;
};

// Storage of a bool, distinct from uint8.
struct Bool {
  uint8_t value;
  Bool() = default;
  explicit Bool(float x) : value(x != 0) {}
  operator float() const { return value ? 1.0f : 0.0f; }
};

// Sums of half types and integers below 32 bits are kept in float, double in double.
template <typename T> struct AccOf {
  using Type = float;
};
template <> struct AccOf<double> {
  using Type = double;
};
template <> struct AccOf<int32_t> {
  using Type = double;
};
template <> struct AccOf<uint32_t> {
  using Type = double;
};
template <> struct AccOf<int64_t> {
  using Type = double;
};
template <> struct AccOf<uint64_t> {
  using Type = double;
};
template <typename T> using Acc = typename AccOf<T>::Type;

[[noreturn]] inline void failType(onnxc_ctx *ctx, const char *kernel, int32_t elemType) {
  onnxc_fail(ctx, "%s: element type %d is not supported", kernel, elemType);
}

// f(TypeTag<T>()) for float, double and the half types.
template <typename F>
inline void dispatchFloat(onnxc_ctx *ctx, const char *kernel, int32_t elemType, F f) {
  switch (elemType) {
  case ONNXC_FLOAT: return f(TypeTag<float>());
  case ONNXC_DOUBLE: return f(TypeTag<double>());
  case ONNXC_FLOAT16: return f(TypeTag<F16>());
  case ONNXC_BFLOAT16: return f(TypeTag<BF16>());
  }
  failType(ctx, kernel, elemType);
}

// The integers of one byte or more, as stored (int4 is int8, ...).
template <typename F>
inline void dispatchInt(onnxc_ctx *ctx, const char *kernel, int32_t elemType, F f) {
  switch (elemType) {
  case ONNXC_INT8: case ONNXC_INT4: case ONNXC_INT2: return f(TypeTag<int8_t>());
  case ONNXC_UINT8: case ONNXC_UINT4: case ONNXC_UINT2: return f(TypeTag<uint8_t>());
  case ONNXC_INT16: return f(TypeTag<int16_t>());
  case ONNXC_UINT16: return f(TypeTag<uint16_t>());
  case ONNXC_INT32: return f(TypeTag<int32_t>());
  case ONNXC_UINT32: return f(TypeTag<uint32_t>());
  case ONNXC_INT64: return f(TypeTag<int64_t>());
  case ONNXC_UINT64: return f(TypeTag<uint64_t>());
  }
  failType(ctx, kernel, elemType);
}

// All numbers but complex ones; bool is a number here.
template <typename F>
inline void dispatchNumber(onnxc_ctx *ctx, const char *kernel, int32_t elemType, F f) {
  switch (elemType) {
  case ONNXC_BOOL: return f(TypeTag<Bool>());
  case ONNXC_FLOAT8E4M3FN: return f(TypeTag<F8E4M3FN>());
  case ONNXC_FLOAT8E4M3FNUZ: return f(TypeTag<F8E4M3FNUZ>());
  case ONNXC_FLOAT8E5M2: return f(TypeTag<F8E5M2>());
  case ONNXC_FLOAT8E5M2FNUZ: return f(TypeTag<F8E5M2FNUZ>());
  case ONNXC_FLOAT8E8M0: return f(TypeTag<F8E8M0>());
  case ONNXC_FLOAT4E2M1: return f(TypeTag<F4E2M1>());
  case ONNXC_FLOAT: case ONNXC_DOUBLE: case ONNXC_FLOAT16: case ONNXC_BFLOAT16:
    return dispatchFloat(ctx, kernel, elemType, f);
  }
  dispatchInt(ctx, kernel, elemType, f);
}

// For data that is only moved: an unsigned integer of the element's size.
struct Bytes16 {
  uint64_t parts[2];
};
template <typename F> inline void dispatchSize(onnxc_ctx *ctx, int32_t elemType, F f) {
  switch (onnxc_elem_size(elemType)) {
  case 1: return f(TypeTag<uint8_t>());
  case 2: return f(TypeTag<uint16_t>());
  case 4: return f(TypeTag<uint32_t>());
  case 8: return f(TypeTag<uint64_t>());
  case 16: return f(TypeTag<Bytes16>());
  }
  failType(ctx, "a kernel", elemType);
}

// A total order in which NaN is the greatest and equals itself.
template <typename T> inline int compareNumbers(T a, T b) {
  if (a < b)
    return -1;
  if (b < a)
    return 1;
  if (a == b)
    return 0;
  bool aNan = !(a == a), bNan = !(b == b);
  return static_cast<int>(aNan) - static_cast<int>(bNan);
}

using CompareFn = int (*)(const void *, const void *);
// The order of two elements of a type (Compare.cpp).
CompareFn compareFnOf(onnxc_ctx *ctx, int32_t elemType);

// Element i of an integer tensor (int32 or int64: lengths, indices, axes).
inline int64_t intAt(const onnxc_tensor &t, int64_t i) {
  return t.elem_type == ONNXC_INT32 ? dataOf<int32_t>(t)[i] : dataOf<int64_t>(t)[i];
}
// Element i of a number tensor as double (Compare.cpp).
double numberAt(onnxc_ctx *ctx, const onnxc_tensor &t, int64_t i);

} // namespace onnxc_k

#endif
