// A loaded model.so: its library handle and function table.
#ifndef ONNXC_RUNTIME_SRC_MODEL_H
#define ONNXC_RUNTIME_SRC_MODEL_H

#include "onnxc/runtime/value.h"

namespace onnxc {

class LoadedModel {
public:
  /// Both throw Error(LoadFailed), or Unsupported for another ABI version.
  explicit LoadedModel(const std::string &path);
  LoadedModel(const void *data, size_t size);
  ~LoadedModel();
  LoadedModel(const LoadedModel &) = delete;
  LoadedModel &operator=(const LoadedModel &) = delete;

  const onnxc_model *operator->() const { return model; }
  /// What messages call the model.
  const std::string &name() const { return displayName; }

private:
  void open(const std::string &file);

  std::string displayName;
  void *handle = nullptr;
  const onnxc_model *model = nullptr;
};

} // namespace onnxc
#endif
