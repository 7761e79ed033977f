// Tensors whose bytes are in files beside the model. Files are mapped once and
// stay mapped as long as a constant refers to them.
#ifndef ONNXC_LIB_IMPORT_EXTERNALDATA_H
#define ONNXC_LIB_IMPORT_EXTERNALDATA_H

#include "Proto.h"

#include <memory>

namespace onnxc::importer {

/// A file that is mapped for reading.
class MappedFile {
public:
  MappedFile(const std::string &path, const std::string &shownName);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  const char *data() const { return bytes; }
  uint64_t size() const { return length; }

private:
  const char *bytes = nullptr;
  uint64_t length = 0;
};

struct ExternalBytes {
  std::shared_ptr<MappedFile> file;
  std::string_view bytes;
};

/// Finds external data. Only files inside the model's folder are opened, after
/// symbolic links are resolved.
class ExternalDataReader {
public:
  /// An empty folder: the model may not have external data.
  explicit ExternalDataReader(std::string folder) : folder(std::move(folder)) {}

  /// The bytes of a tensor that must have `byteCount` of them. Throws ImportError.
  ExternalBytes read(const TensorProto &tensor, uint64_t byteCount);

private:
  std::string folder;
  std::map<std::string, std::shared_ptr<MappedFile>> files;
};

inline bool isExternal(const TensorProto &tensor) {
  return tensor.data_location() == TensorProto::EXTERNAL;
}

} // namespace onnxc::importer

#endif
