// Reads the metadata that a model carries.
#ifndef ONNXC_RUNTIME_SRC_METADATA_H
#define ONNXC_RUNTIME_SRC_METADATA_H

#include "onnxc/runtime/session.h"

namespace onnxc {

struct ParsedMetadata {
  ModelMetadata model;
  std::vector<ValueInfo> inputs, outputs;
};

/// Throws Error(LoadFailed) if the JSON is not what docs/runtime.md describes.
ParsedMetadata parseMetadata(const std::string &json);

} // namespace onnxc
#endif
