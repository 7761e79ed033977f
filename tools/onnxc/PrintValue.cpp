#include "PrintValue.h"

#include "ValueFile.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace onnxc;
using llvm::APFloat;

namespace {

const llvm::fltSemantics *semantics(onnxc_elem_type type) {
  switch (type) {
  case ONNXC_FLOAT:
  case ONNXC_COMPLEX64:
    return &APFloat::IEEEsingle();
  case ONNXC_DOUBLE:
  case ONNXC_COMPLEX128:
    return &APFloat::IEEEdouble();
  case ONNXC_FLOAT16:
    return &APFloat::IEEEhalf();
  case ONNXC_BFLOAT16:
    return &APFloat::BFloat();
  case ONNXC_FLOAT8E4M3FN:
    return &APFloat::Float8E4M3FN();
  case ONNXC_FLOAT8E4M3FNUZ:
    return &APFloat::Float8E4M3FNUZ();
  case ONNXC_FLOAT8E5M2:
    return &APFloat::Float8E5M2();
  case ONNXC_FLOAT8E5M2FNUZ:
    return &APFloat::Float8E5M2FNUZ();
  case ONNXC_FLOAT8E8M0:
    return &APFloat::Float8E8M0FNU();
  case ONNXC_FLOAT4E2M1:
    return &APFloat::Float4E2M1FN();
  default:
    return nullptr;
  }
}

bool isSigned(onnxc_elem_type type) {
  switch (type) {
  case ONNXC_INT2:
  case ONNXC_INT4:
  case ONNXC_INT8:
  case ONNXC_INT16:
  case ONNXC_INT32:
  case ONNXC_INT64:
    return true;
  default:
    return false;
  }
}

bool isComplex(onnxc_elem_type type) {
  return type == ONNXC_COMPLEX64 || type == ONNXC_COMPLEX128;
}

uint64_t loadBits(const void *data, int64_t i, size_t size) {
  uint64_t bits = 0;
  std::memcpy(&bits, static_cast<const char *>(data) + i * static_cast<int64_t>(size), size);
  return bits;
}

/// Element i; of complex types, part i.
double loadNumber(onnxc_elem_type type, const void *data, int64_t i) {
  size_t size = storageSize(type) / (isComplex(type) ? 2 : 1);
  uint64_t bits = loadBits(data, i, size);
  if (const llvm::fltSemantics *format = semantics(type)) {
    unsigned width = APFloat::getSizeInBits(*format);
    APFloat number(*format, llvm::APInt(width, bits, false, /*implicitTrunc=*/true));
    bool lost;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
    return number.convertToDouble();
  }
  if (!isSigned(type))
    return static_cast<double>(bits);
  unsigned unused = 64 - 8 * size;
  return static_cast<double>(static_cast<int64_t>(bits << unused) >> unused);
}

void printElement(onnxc_elem_type type, const void *data, int64_t i, llvm::raw_ostream &os) {
  if (type == ONNXC_STRING) {
    const onnxc_string &s = static_cast<const onnxc_string *>(data)[i];
    os << '"';
    os.write_escaped(llvm::StringRef(s.data, s.size));
    os << '"';
  } else if (isComplex(type)) {
    os << llvm::format("%g%+gj", loadNumber(type, data, 2 * i), loadNumber(type, data, 2 * i + 1));
  } else if (type == ONNXC_BOOL) {
    os << (loadBits(data, i, 1) ? "true" : "false");
  } else if (isFloating(type)) {
    os << llvm::format("%.6g", loadNumber(type, data, i));
  } else if (type == ONNXC_UINT64) {
    os << loadBits(data, i, 8);
  } else {
    size_t size = storageSize(type);
    unsigned unused = 64 - 8 * size;
    uint64_t bits = loadBits(data, i, size);
    os << (isSigned(type) ? static_cast<int64_t>(bits << unused) >> unused
                          : static_cast<int64_t>(bits));
  }
}

const char *typeName(int32_t type) {
  constexpr const char *names[] = {
      "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string",
      "bool", "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16",
      "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
      "float4e2m1", "float8e8m0", "uint2", "int2"};
  return names[type > 0 && type <= ONNXC_INT2 ? type : 0];
}

void printTensor(const onnxc_value &value, llvm::raw_ostream &os) {
  constexpr int64_t most = 32, few = 8;
  auto type = static_cast<onnxc_elem_type>(value.elem_type);
  const DLTensor &t = value.tensor;
  int64_t count = countElements(t.shape, t.ndim, storageSize(type));
  os << typeName(type) << "[";
  for (int i = 0; i < t.ndim; ++i)
    os << (i ? "," : "") << t.shape[i];
  os << "]";
  int64_t shown = count <= most ? count : few;
  for (int64_t i = 0; i < shown; ++i) {
    os << (i ? ", " : " ");
    printElement(type, t.data, i, os);
  }
  if (shown == count || type == ONNXC_STRING) {
    os << (shown == count ? "" : ", ...");
    return;
  }
  double low = INFINITY, high = -INFINITY, sum = 0;
  int64_t parts = isComplex(type) ? 2 * count : count, notFinite = 0;
  for (int64_t i = 0; i < parts; ++i) {
    double number = loadNumber(type, t.data, i);
    if (!std::isfinite(number)) {
      ++notFinite;
      continue;
    }
    low = std::min(low, number);
    high = std::max(high, number);
    sum += number;
  }
  os << ", ... (min " << llvm::format("%.6g, mean %.6g, max %.6g", low, sum / (parts - notFinite), high);
  if (notFinite)
    os << ", " << notFinite << " not finite";
  os << ")";
}

} // namespace

bool onnxc::isFloating(onnxc_elem_type type) { return semantics(type); }

void onnxc::fillElement(onnxc_value &value, int64_t i, double number) {
  auto type = static_cast<onnxc_elem_type>(value.elem_type);
  size_t size = storageSize(type);
  auto bits = static_cast<uint64_t>(static_cast<int64_t>(number));
  if (const llvm::fltSemantics *format = semantics(type)) {
    APFloat rounded(number);
    bool lost;
    rounded.convert(*format, APFloat::rmNearestTiesToEven, &lost);
    bits = rounded.bitcastToAPInt().getZExtValue();
    size /= isComplex(type) ? 2 : 1;
    i *= isComplex(type) ? 2 : 1;
  }
  std::memcpy(static_cast<char *>(value.tensor.data) + i * static_cast<int64_t>(size), &bits, size);
}

void onnxc::printValue(const onnxc_value &value, llvm::raw_ostream &os) {
  switch (value.kind) {
  case ONNXC_NONE:
    os << "none";
    return;
  case ONNXC_TENSOR:
    return printTensor(value, os);
  case ONNXC_SEQUENCE:
    os << "sequence of " << value.count;
    break;
  case ONNXC_MAP:
    os << "map, keys then values";
    break;
  }
  for (size_t i = 0; i < value.count; ++i) {
    os << "\n  ";
    printValue(value.items[i], os);
  }
}
