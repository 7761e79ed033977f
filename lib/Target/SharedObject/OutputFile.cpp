// Outputs are written beside their place and renamed, so that no half-written one is ever seen.
#include "onnxc/Target/SharedObject/OutputFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace onnxc {
namespace fs = llvm::sys::fs;

static bool isDeviceOrPipe(llvm::StringRef output) {
  fs::file_status status;
  if (fs::status(output, status))
    return false;
  return status.type() == fs::file_type::character_file ||
         status.type() == fs::file_type::block_file || status.type() == fs::file_type::fifo_file;
}

std::string temporaryPrefix(llvm::StringRef output) {
  llvm::SmallString<256> path;
  if (isDeviceOrPipe(output)) {
    llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, path);
    llvm::sys::path::append(path, "onnxc");
  } else {
    path = output;
    fs::make_absolute(path);
  }
  return path.str().str();
}

std::error_code moveToOutput(llvm::StringRef temporary, llvm::StringRef output) {
  if (!isDeviceOrPipe(output))
    return fs::rename(temporary, output);
  std::error_code error = fs::copy_file(temporary, output);
  fs::remove(temporary);
  return error;
}

} // namespace onnxc
