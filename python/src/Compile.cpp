// The compiler is loaded when first asked for: running models does not need it, and it
// brings LLVM along.
#include "Compile.h"

#include "onnxc-c/compiler.h"
#include "onnxc/runtime/value.h"

#include <dlfcn.h>
#include <map>
#include <mutex>

using namespace onnxc;
namespace nb = nanobind;

namespace {

decltype(&onnxc_compile) load(const std::string &library) {
  static std::mutex mutex;
  static std::map<std::string, decltype(&onnxc_compile)> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  auto &function = loaded[library];
  if (function)
    return function;
  void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle)
    function = reinterpret_cast<decltype(&onnxc_compile)>(dlsym(handle, "onnxc_compile"));
  if (!function) {
    const char *why = dlerror();
    throw Error(ErrorCode::LoadFailed, why ? why : library + ": not the compiler's library");
  }
  return function;
}

} // namespace

CompileResult compile(const std::string &library, const std::optional<std::string> &path,
                      const std::optional<nb::bytes> &data, const std::string &output,
                      const std::vector<std::string> &options) {
  const char *file = path ? path->c_str() : nullptr;
  const void *bytes = data ? data->data() : nullptr;
  size_t size = data ? data->size() : 0;
  std::vector<const char *> list;
  for (const std::string &option : options)
    list.push_back(option.c_str());
  list.push_back(nullptr);

  using Messages = std::vector<std::pair<int, std::string>>;
  Messages messages;
  CompileResult result;
  {
    nb::gil_scoped_release release;
    auto diagnose = [](void *user, int severity, const char *message) {
      static_cast<Messages *>(user)->emplace_back(severity, message);
    };
    result.first = load(library)(file, bytes, size, output.c_str(), list.data(), diagnose, &messages);
  }
  for (const auto &[severity, text] : messages)
    result.second.emplace_back(
        severity, nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace")));
  return result;
}
