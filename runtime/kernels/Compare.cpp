// Helpers over element types that are not worth a template in each kernel.
#include "common.h"

using namespace onnxc_k;

namespace {

template <typename T> int compareAs(const void *a, const void *b) {
  return compareNumbers(*static_cast<const T *>(a), *static_cast<const T *>(b));
}
template <typename T> int compareHalf(const void *a, const void *b) {
  return compareNumbers<float>(*static_cast<const T *>(a), *static_cast<const T *>(b));
}
// Complex numbers by real part, then imaginary part, as NumPy.
template <typename T> int compareComplex(const void *a, const void *b) {
  int order = compareAs<T>(a, b);
  return order != 0 ? order : compareAs<T>(static_cast<const T *>(a) + 1, static_cast<const T *>(b) + 1);
}
int compareStr(const void *a, const void *b) {
  return compareStrings(**static_cast<const Str *>(a), **static_cast<const Str *>(b));
}

} // namespace

CompareFn onnxc_k::compareFnOf(onnxc_ctx *ctx, int32_t elemType) {
  switch (elemType) {
  case ONNXC_FLOAT: return compareAs<float>;
  case ONNXC_DOUBLE: return compareAs<double>;
  case ONNXC_FLOAT16: return compareHalf<F16>;
  case ONNXC_BFLOAT16: return compareHalf<BF16>;
  case ONNXC_FLOAT8E4M3FN: return compareHalf<F8E4M3FN>;
  case ONNXC_FLOAT8E4M3FNUZ: return compareHalf<F8E4M3FNUZ>;
  case ONNXC_FLOAT8E5M2: return compareHalf<F8E5M2>;
  case ONNXC_FLOAT8E5M2FNUZ: return compareHalf<F8E5M2FNUZ>;
  case ONNXC_FLOAT4E2M1: return compareHalf<F4E2M1>;
  case ONNXC_FLOAT8E8M0: return compareHalf<F8E8M0>;
  case ONNXC_INT8: case ONNXC_INT4: case ONNXC_INT2: return compareAs<int8_t>;
  case ONNXC_UINT8: case ONNXC_UINT4: case ONNXC_UINT2: case ONNXC_BOOL: return compareAs<uint8_t>;
  case ONNXC_INT16: return compareAs<int16_t>;
  case ONNXC_UINT16: return compareAs<uint16_t>;
  case ONNXC_INT32: return compareAs<int32_t>;
  case ONNXC_UINT32: return compareAs<uint32_t>;
  case ONNXC_INT64: return compareAs<int64_t>;
  case ONNXC_UINT64: return compareAs<uint64_t>;
  case ONNXC_COMPLEX64: return compareComplex<float>;
  case ONNXC_COMPLEX128: return compareComplex<double>;
  case ONNXC_STRING: return compareStr;
  }
  failType(ctx, "comparison", elemType);
}

double onnxc_k::numberAt(onnxc_ctx *ctx, const onnxc_tensor &t, int64_t i) {
  double result = 0;
  dispatchNumber(ctx, "number", t.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    result = static_cast<double>(dataOf<T>(t)[i]);
  });
  return result;
}
