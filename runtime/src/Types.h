// Element types in DLPack's terms, and shapes.
#ifndef ONNXC_RUNTIME_SRC_TYPES_H
#define ONNXC_RUNTIME_SRC_TYPES_H

#include "onnxc/runtime/value.h"

namespace onnxc {

DLDataType toDLDataType(ElementType type);
/// Undefined if ONNX has no such type.
ElementType fromDLDataType(DLDataType type);

/// "[1,3,224]".
std::string shapeString(const int64_t *shape, size_t rank);

/// The number of elements; false if a dimension is negative or the bytes overflow.
bool countElements(const int64_t *shape, size_t rank, size_t elementSize, int64_t &count);

/// Memory for a tensor, aligned to 64 bytes. Throws Error(OutOfMemory).
std::shared_ptr<void> allocateAligned(size_t bytes);

} // namespace onnxc
#endif
