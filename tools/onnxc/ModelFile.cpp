#include "ModelFile.h"

#include "onnxc-c/compiler.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>

using namespace onnxc;

int onnxc::fail(const llvm::Twine &message, int status) {
  llvm::WithColor::error(llvm::errs(), "onnxc") << message << "\n";
  return status;
}

bool onnxc::isSharedObject(llvm::StringRef path) {
  char magic[4] = {};
  if (FILE *file = std::fopen(path.str().c_str(), "rb")) {
    size_t got = std::fread(magic, 1, sizeof magic, file);
    std::fclose(file);
    return got == sizeof magic && llvm::StringRef(magic, 4) == "\x7f" "ELF";
  }
  return false;
}

static onnxc_session *open(const std::string &path, const onnxc_session_options &options) {
  onnxc_session *session = nullptr;
  if (onnxc_session_open(path.c_str(), &options, &session) != ONNXC_OK)
    fail(onnxc_last_error());
  return session;
}

onnxc_session *onnxc::openModel(const std::string &path,
                                const std::vector<std::string> &compileOptions,
                                const onnxc_session_options &options) {
  if (isSharedObject(path) || llvm::StringRef(path).ends_with(".so"))
    return open(path, options);
  llvm::SmallString<128> output;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("onnxc-run", "so", output)) {
    fail("a temporary file cannot be made: " + code.message());
    return nullptr;
  }
  std::vector<const char *> list;
  for (const std::string &option : compileOptions)
    list.push_back(option.c_str());
  list.push_back(nullptr);
  auto print = [](void *, int severity, const char *message) {
    if (severity == 0)
      llvm::WithColor::error() << message << "\n";
    else if (severity == 1)
      llvm::WithColor::warning() << message << "\n";
  };
  std::string file(output.str());
  int status = onnxc_compile(path.c_str(), nullptr, 0, file.c_str(), list.data(), print, nullptr);
  onnxc_session *session = status == 0 ? open(file, options) : nullptr;
  llvm::sys::fs::remove(file);
  return session;
}

std::string onnxc::describe(const onnxc_value_info &info) {
  llvm::StringRef type = info.type;
  if (!type.starts_with("tensor("))
    return type.str();
  std::string text = type.substr(7).drop_back().str();
  if (info.rank < 0)
    return text + "[...]";
  text += "[";
  for (int i = 0; i < info.rank; ++i) {
    text += i ? "," : "";
    text += info.dims[i] >= 0    ? std::to_string(info.dims[i])
            : *info.symbols[i] ? info.symbols[i]
                                 : "?";
  }
  return text + "]";
}
