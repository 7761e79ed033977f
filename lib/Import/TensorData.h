// The elements of a TensorProto as plain bytes, whichever of its fields they
// are in.
#ifndef ONNXC_LIB_IMPORT_TENSORDATA_H
#define ONNXC_LIB_IMPORT_TENSORDATA_H

#include "ExternalData.h"
#include "Proto.h"

namespace onnxc::importer {

/// Little-endian elements, row-major. Types below a byte take one byte an
/// element: sign-extended for intN, else zero-extended. Booleans are 0 or 1.
struct TensorBytes {
  std::string_view bytes;
  /// Owns `bytes` where they had to be decoded.
  std::string storage;
  /// Owns `bytes` where they are in a mapped file.
  std::shared_ptr<MappedFile> file;
};

/// The bytes that raw_data needs for so many elements.
uint64_t rawByteCount(int32_t elementType, int64_t count);

/// Checks that the tensor's type is one that has elements, and that its data,
/// unless external, is what its shape needs. Returns the number of elements.
int64_t checkTensor(const TensorProto &tensor, int64_t maxBytes);

/// The elements of a checked tensor of any type but string. May refer to
/// `tensor`'s own memory.
TensorBytes tensorBytes(const TensorProto &tensor, ExternalDataReader &external);

/// The values of a small integer or float tensor that is not external; nothing
/// for other types.
std::optional<std::vector<double>> smallValues(const TensorProto &tensor);

/// A dense tensor from a sparse one. Throws ImportError.
TensorProto makeDense(const ::onnx::SparseTensorProto &sparse, int64_t maxBytes,
                      ExternalDataReader &external);

} // namespace onnxc::importer

#endif
