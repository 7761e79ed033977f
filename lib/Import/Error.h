// The one exception of this library. Everything below the public functions
// throws it; they turn it into a diagnostic.
#ifndef ONNXC_LIB_IMPORT_ERROR_H
#define ONNXC_LIB_IMPORT_ERROR_H

#include <stdexcept>
#include <string>
#include <vector>

namespace onnxc::importer {

struct ImportError : std::runtime_error {
  explicit ImportError(const std::string &message, std::vector<std::string> notes = {},
                       bool namesNode = false)
      : std::runtime_error(message), notes(std::move(notes)), namesNode(namesNode) {}
  std::vector<std::string> notes;
  /// The message says which node it is about.
  bool namesNode;
};

[[noreturn]] inline void fail(const std::string &message) { throw ImportError(message); }

} // namespace onnxc::importer

#endif
