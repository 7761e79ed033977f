// Reads protobuf's wire format, enough for ONNX's messages: the tools look into
// files without the onnx library, which needs exceptions and all of a model in memory.
#ifndef ONNXC_TOOLS_PROTOREADER_H
#define ONNXC_TOOLS_PROTOREADER_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <cstring>

namespace onnxc {

/// Iterates over the fields of one message.
///
///   for (ProtoReader r(bytes); r.next();)
///     if (r.field() == 7) graph = r.bytes();
///   ... r.failed()
class ProtoReader {
public:
  explicit ProtoReader(llvm::StringRef message) : rest(message) {}

  /// Goes to the next field; false at the end or where the bytes are malformed.
  bool next() {
    uint64_t key;
    if (rest.empty() || !readVarint(key))
      return false;
    fieldNumber = static_cast<uint32_t>(key >> 3);
    wireType = static_cast<uint32_t>(key & 7);
    switch (wireType) {
    case 0:
      return readVarint(number);
    case 1:
      return readFixed(8);
    case 2: {
      uint64_t size;
      if (!readVarint(size) || size > rest.size())
        return fail();
      content = rest.take_front(size);
      rest = rest.drop_front(size);
      return true;
    }
    case 5:
      return readFixed(4);
    }
    return fail();
  }

  bool failed() const { return malformed; }
  uint32_t field() const { return fieldNumber; }
  bool isBytes() const { return wireType == 2; }
  /// A varint, or the bits of a fixed-size number.
  uint64_t value() const { return number; }
  int64_t asInt() const { return static_cast<int64_t>(number); }
  llvm::StringRef bytes() const { return isBytes() ? content : llvm::StringRef(); }

  /// Calls fn with each number of a repeated field, packed or not. `size` is 0 for
  /// varints, 4 or 8 for fixed-size numbers. False if the bytes are malformed.
  template <typename F> bool forEachNumber(unsigned size, F &&fn) {
    if (!isBytes()) {
      fn(number);
      return true;
    }
    ProtoReader packed(content);
    while (!packed.rest.empty()) {
      if (size ? !packed.readFixed(size) : !packed.readVarint(packed.number))
        return fail();
      fn(packed.number);
    }
    return true;
  }

private:
  bool fail() {
    malformed = true;
    rest = {};
    return false;
  }
  bool readVarint(uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest.empty())
        return fail();
      auto byte = static_cast<unsigned char>(rest.front());
      rest = rest.drop_front();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return fail();
  }
  bool readFixed(unsigned size) {
    if (rest.size() < size)
      return fail();
    number = 0;
    std::memcpy(&number, rest.data(), size);
    rest = rest.drop_front(size);
    return true;
  }

  llvm::StringRef rest, content;
  uint32_t fieldNumber = 0, wireType = 0;
  uint64_t number = 0;
  bool malformed = false;
};

} // namespace onnxc
#endif
