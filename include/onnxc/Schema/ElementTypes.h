// How TensorProto stores elements: their bits, and those that are packed into bytes.
#ifndef ONNXC_SCHEMA_ELEMENTTYPES_H
#define ONNXC_SCHEMA_ELEMENTTYPES_H

#include <cstdint>
#include <string>
#include <string_view>

namespace onnxc {

/// Bits of one element in raw_data, by its TensorProto::DataType; 0 for strings and unknown types.
unsigned elementBits(int32_t elementType);

/// Elements of less than a byte, which are packed from the lowest bit on, in a byte each, signed ones with their sign
/// extended; fewer than `count` where `packed` holds fewer.
std::string unpackElements(std::string_view packed, int32_t elementType, uint64_t count);

} // namespace onnxc

#endif
