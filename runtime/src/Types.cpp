// Element types: names, sizes and their DLPack form.
#include "Types.h"

#include <iterator>

using namespace onnxc;

namespace {

struct TypeRow {
  const char *name; // ONNX's; empty for Undefined
  size_t size;
  DLDataType dlpack;
};

// Indexed by ElementType.
constexpr TypeRow typeTable[] = {
    {"undefined", 0, {kDLOpaqueHandle, 0, 0}},
    {"float", 4, {kDLFloat, 32, 1}},
    {"uint8", 1, {kDLUInt, 8, 1}},
    {"int8", 1, {kDLInt, 8, 1}},
    {"uint16", 2, {kDLUInt, 16, 1}},
    {"int16", 2, {kDLInt, 16, 1}},
    {"int32", 4, {kDLInt, 32, 1}},
    {"int64", 8, {kDLInt, 64, 1}},
    {"string", sizeof(onnxc_string), {kDLOpaqueHandle, 8 * sizeof(onnxc_string), 1}},
    {"bool", 1, {kDLBool, 8, 1}},
    {"float16", 2, {kDLFloat, 16, 1}},
    {"double", 8, {kDLFloat, 64, 1}},
    {"uint32", 4, {kDLUInt, 32, 1}},
    {"uint64", 8, {kDLUInt, 64, 1}},
    {"complex64", 8, {kDLComplex, 64, 1}},
    {"complex128", 16, {kDLComplex, 128, 1}},
    {"bfloat16", 2, {kDLBfloat, 16, 1}},
    {"float8e4m3fn", 1, {kDLFloat8_e4m3fn, 8, 1}},
    {"float8e4m3fnuz", 1, {kDLFloat8_e4m3fnuz, 8, 1}},
    {"float8e5m2", 1, {kDLFloat8_e5m2, 8, 1}},
    {"float8e5m2fnuz", 1, {kDLFloat8_e5m2fnuz, 8, 1}},
    {"uint4", 1, {kDLUInt, 4, 1}},
    {"int4", 1, {kDLInt, 4, 1}},
    {"float4e2m1", 1, {kDLFloat4_e2m1fn, 4, 1}},
    {"float8e8m0", 1, {kDLFloat8_e8m0fnu, 8, 1}},
    {"uint2", 1, {kDLUInt, 2, 1}},
    {"int2", 1, {kDLInt, 2, 1}},
};

const TypeRow &row(ElementType type) {
  auto index = static_cast<size_t>(type);
  return typeTable[index < std::size(typeTable) ? index : 0];
}

} // namespace

const char *onnxc::elementTypeName(ElementType type) { return row(type).name; }

size_t onnxc::elementSize(ElementType type) { return row(type).size; }

ElementType onnxc::elementTypeFromName(std::string_view name) {
  for (size_t i = 1; i < std::size(typeTable); ++i)
    if (name == typeTable[i].name)
      return static_cast<ElementType>(i);
  return ElementType::Undefined;
}

DLDataType onnxc::toDLDataType(ElementType type) { return row(type).dlpack; }

ElementType onnxc::fromDLDataType(DLDataType type) {
  for (size_t i = 1; i < std::size(typeTable); ++i) {
    const DLDataType &known = typeTable[i].dlpack;
    if (known.code == type.code && known.bits == type.bits && known.lanes == type.lanes &&
        static_cast<ElementType>(i) != ElementType::String)
      return static_cast<ElementType>(i);
  }
  return ElementType::Undefined;
}

std::string onnxc::shapeString(const int64_t *shape, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i)
    text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

bool onnxc::countElements(const int64_t *shape, size_t rank, size_t size, int64_t &count) {
  count = 1;
  for (size_t i = 0; i < rank; ++i)
    if (shape[i] < 0 || __builtin_mul_overflow(count, shape[i], &count))
      return false;
  int64_t bytes;
  return !__builtin_mul_overflow(count, static_cast<int64_t>(size), &bytes);
}
