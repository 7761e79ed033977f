// Element types and shapes: sizes, names for messages, DLPack codes.
#include <stdio.h>

#include "context.h"

using namespace onnxc_rt;

namespace {

struct ElemType {
  const char *name; // as in the metadata's "tensor(...)"
  int8_t bytes;
  uint8_t dlCode;
};

const ElemType kElemTypes[] = {
    {"undefined", 0, kDLInt},
    {"float", 4, kDLFloat},
    {"uint8", 1, kDLUInt},
    {"int8", 1, kDLInt},
    {"uint16", 2, kDLUInt},
    {"int16", 2, kDLInt},
    {"int32", 4, kDLInt},
    {"int64", 8, kDLInt},
    {"string", 8, kDLOpaqueHandle},
    {"bool", 1, kDLBool},
    {"float16", 2, kDLFloat},
    {"double", 8, kDLFloat},
    {"uint32", 4, kDLUInt},
    {"uint64", 8, kDLUInt},
    {"complex64", 8, kDLComplex},
    {"complex128", 16, kDLComplex},
    {"bfloat16", 2, kDLBfloat},
    // DLPack's codes of these types are newer than some consumers, and the storage is
    // one byte each: they travel as bytes, elem_type says what they are.
    {"float8e4m3fn", 1, kDLUInt},
    {"float8e4m3fnuz", 1, kDLUInt},
    {"float8e5m2", 1, kDLUInt},
    {"float8e5m2fnuz", 1, kDLUInt},
    {"uint4", 1, kDLUInt},
    {"int4", 1, kDLInt},
    {"float4e2m1", 1, kDLUInt},
    {"float8e8m0", 1, kDLUInt},
    {"uint2", 1, kDLUInt},
    {"int2", 1, kDLInt},
};

} // namespace

extern "C" int64_t onnxc_elem_size(int32_t elemType) {
  if (elemType == ONNXC_HANDLE)
    return 8;
  return isKnownElemType(elemType) ? kElemTypes[elemType].bytes : 0;
}

extern "C" int64_t onnxc_num_elements(const onnxc_tensor *t) {
  int64_t count = 1;
  for (int32_t i = 0; i < t->rank; ++i)
    count *= t->dims[i];
  return count;
}

const char *onnxc_rt::elemTypeName(int32_t elemType) {
  if (elemType == ONNXC_HANDLE)
    return "handle";
  return isKnownElemType(elemType) ? kElemTypes[elemType].name : "undefined";
}

DLDataType onnxc_rt::dlDataType(int32_t elemType) {
  if (elemType == ONNXC_STRING) // onnxc_string[]
    return {kDLOpaqueHandle, 8 * sizeof(onnxc_string), 1};
  DLDataType type;
  type.code = isKnownElemType(elemType) ? kElemTypes[elemType].dlCode : uint8_t(kDLInt);
  type.bits = static_cast<uint8_t>(8 * onnxc_elem_size(elemType));
  type.lanes = 1;
  return type;
}

int64_t onnxc_rt::tensorBytes(onnxc_ctx *ctx, int32_t elemType, int32_t rank, const int64_t *dims) {
  int64_t bytes = onnxc_elem_size(elemType);
  bool overflow = false, empty = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      failWith(ctx, ONNXC_RUNTIME_ERROR, "a tensor of shape %s has a negative size",
               shapeText(rank, dims).text);
    empty |= dims[i] == 0;
    overflow |= __builtin_mul_overflow(bytes, dims[i], &bytes);
  }
  if (empty)
    return 0;
  if (overflow)
    failWith(ctx, ONNXC_OUT_OF_MEMORY, "out of memory: a tensor of shape %s is asked for",
             shapeText(rank, dims).text);
  return bytes;
}

ShapeText onnxc_rt::shapeText(int32_t rank, const int64_t *dims) {
  ShapeText result;
  size_t size = 0;
  result.text[0] = 0;
  if (rank == 0)
    snprintf(result.text, sizeof(result.text), "scalar");
  for (int32_t i = 0; i < rank && size + 24 < sizeof(result.text); ++i)
    size += static_cast<size_t>(snprintf(result.text + size, sizeof(result.text) - size, i ? "x%lld" : "%lld",
                                         static_cast<long long>(dims[i])));
  return result;
}
