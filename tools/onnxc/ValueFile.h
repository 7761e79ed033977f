// Values in files: .npy, and .pb as ONNX's test data has them (TensorProto,
// SequenceProto or OptionalProto, by the type of the model's input).
#ifndef ONNXC_TOOLS_VALUEFILE_H
#define ONNXC_TOOLS_VALUEFILE_H

#include "onnxc/runtime/c_api.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace onnxc {

/// Owns what values of the C interface point to.
class ValueStore {
public:
  /// A tensor with zeroed memory; 0 elements if a dimension is.
  onnxc_value tensor(onnxc_elem_type type, const std::vector<int64_t> &dims);
  onnxc_string string(llvm::StringRef text);
  onnxc_value sequence(const std::vector<onnxc_value> &items);

private:
  std::deque<std::vector<char>> buffers;
  std::deque<std::vector<int64_t>> shapes;
  std::deque<std::vector<onnxc_value>> items;
};

/// Bytes of an element in memory.
size_t storageSize(onnxc_elem_type type);
/// Elements, or -1 if the shape is negative or too large to have `elementSize` bytes each.
int64_t countElements(const int64_t *dims, size_t rank, size_t elementSize);

/// Reads a file by its suffix. `type` is that of the model's input. On failure returns false
/// and sets `error`; `name`, if not null, receives the name in the file.
bool readValue(llvm::StringRef path, llvm::StringRef type, ValueStore &store, onnxc_value &value,
               std::string &error, std::string *name = nullptr);

/// Writes a value; .npy holds tensors only.
bool writeValue(llvm::StringRef path, llvm::StringRef name, const onnxc_value &value,
                std::string &error);

} // namespace onnxc
#endif
