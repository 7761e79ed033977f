#include "onnxc/Schema/ElementTypes.h"

#include "onnx/onnx_pb.h"

using ::onnx::TensorProto;

namespace onnxc {

unsigned elementBits(int32_t elementType) {
  switch (elementType) {
  case TensorProto::UINT2:
  case TensorProto::INT2:
    return 2;
  case TensorProto::UINT4:
  case TensorProto::INT4:
  case TensorProto::FLOAT4E2M1:
    return 4;
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2:
    return 6;
  case TensorProto::UINT8:
  case TensorProto::INT8:
  case TensorProto::BOOL:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
    return 8;
  case TensorProto::UINT16:
  case TensorProto::INT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return 16;
  case TensorProto::FLOAT:
  case TensorProto::INT32:
  case TensorProto::UINT32:
    return 32;
  case TensorProto::DOUBLE:
  case TensorProto::INT64:
  case TensorProto::UINT64:
  case TensorProto::COMPLEX64:
    return 64;
  case TensorProto::COMPLEX128:
    return 128;
  default:
    return 0;
  }
}

std::string unpackElements(std::string_view packed, int32_t elementType, uint64_t count) {
  unsigned bits = elementBits(elementType);
  bool isSigned = elementType == TensorProto::INT4 || elementType == TensorProto::INT2;
  std::string out;
  for (uint64_t bit = 0; out.size() < count && bit / 8 < packed.size(); bit += bits) {
    unsigned value = uint8_t(packed[bit / 8]);
    if (bit / 8 + 1 < packed.size())
      value |= unsigned(uint8_t(packed[bit / 8 + 1])) << 8;
    value = (value >> (bit % 8)) & ((1u << bits) - 1);
    if (isSigned && (value >> (bits - 1)))
      value |= ~0u << bits;
    out.push_back(char(value));
  }
  return out;
}

} // namespace onnxc
