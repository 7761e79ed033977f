#include "Model.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace onnxc;

namespace {

[[noreturn]] void loadFailed(const std::string &name, const std::string &why) {
  throw Error(ErrorCode::LoadFailed, name + ": " + why);
}

/// dlopen may crash on a truncated file, so the file's own headers are checked first.
/// Returns the file's inode.
ino_t checkElf(const std::string &name, const std::string &file) {
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    loadFailed(name, std::strerror(errno));
  struct stat st;
  // e_ident, then (64-bit) e_phoff at 32, e_shoff at 40, e_phentsize at 54, e_phnum at 56.
  unsigned char header[64] = {};
  ssize_t got = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, header, sizeof header, 0) : -1;
  auto finish = [&](const char *why) {
    close(fd);
    if (why)
      loadFailed(name, why);
    return st.st_ino;
  };
  if (got < 0)
    return finish("not a regular file");
  if (got != sizeof header || std::memcmp(header, "\x7f" "ELF", 4) != 0)
    return finish("not a compiled model (no shared object)");
  if (header[4] != 2)
    return finish("not a compiled model for this machine");
  uint64_t phoff;
  uint16_t phnum;
  std::memcpy(&phoff, header + 32, 8);
  std::memcpy(&phnum, header + 56, 2);
  uint64_t fileSize = static_cast<uint64_t>(st.st_size);
  for (uint64_t i = 0; i < phnum; ++i) {
    // p_type at 0, p_offset at 8, p_filesz at 32, of 56 bytes.
    unsigned char ph[56];
    uint64_t offset, size;
    if (pread(fd, ph, sizeof ph, static_cast<off_t>(phoff + i * sizeof ph)) != sizeof ph)
      return finish("the file is truncated");
    std::memcpy(&offset, ph + 8, 8);
    std::memcpy(&size, ph + 32, 8);
    if (offset > fileSize || size > fileSize - offset)
      return finish("the file is truncated");
  }
  return finish(nullptr);
}

/// Another spelling of a path, which depends on the inode: dlopen takes a path that it has
/// loaded before for the same file, even if that was replaced by a newly compiled model
/// (or, below /proc/self/fd, by another file altogether).
std::string spellWithInode(const std::string &file, ino_t inode) {
  size_t slash = file.rfind('/') + 1;
  std::string spelled = file.substr(0, slash);
  for (auto bits = static_cast<uint64_t>(inode); bits; bits >>= 1)
    spelled += bits & 1 ? "./" : "/";
  return spelled + file.substr(slash);
}

} // namespace

LoadedModel::LoadedModel(const std::string &path) : displayName(path) {
  // Without a slash dlopen would search the library path.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  open(spellWithInode(file, checkElf(path, file)));
}

LoadedModel::LoadedModel(const void *data, size_t size) : displayName("<model in memory>") {
  int fd = memfd_create("onnxc-model", MFD_CLOEXEC);
  if (fd < 0)
    loadFailed(displayName, std::strerror(errno));
  std::string file = "/proc/self/fd/" + std::to_string(fd);
  try {
    const char *at = static_cast<const char *>(data);
    for (size_t left = size; left;) {
      ssize_t n = write(fd, at, left);
      if (n < 0 && errno != EINTR)
        loadFailed(displayName, std::strerror(errno));
      if (n > 0) {
        at += n;
        left -= n;
      }
    }
    open(spellWithInode(file, checkElf(displayName, file)));
  } catch (...) {
    close(fd);
    throw;
  }
  close(fd);
}

void LoadedModel::open(const std::string &file) {
  handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *why = dlerror();
    std::string message = why ? why : "cannot be loaded";
    if (message.starts_with(file + ": "))
      message = message.substr(file.size() + 2);
    loadFailed(displayName, message);
  }
  auto entry = reinterpret_cast<onnxc_model_entry_fn>(dlsym(handle, ONNXC_MODEL_ENTRY));
  model = entry ? entry(ONNXC_ABI_VERSION) : nullptr;
  if (model && model->abi_version == ONNXC_ABI_VERSION &&
      model->struct_size >= offsetof(onnxc_model, regions) && model->metadata)
    return;
  dlclose(handle);
  if (!entry)
    loadFailed(displayName, "not a compiled model (no symbol " ONNXC_MODEL_ENTRY ")");
  throw Error(ErrorCode::Unsupported,
              displayName + ": compiled for another version of the onnxc ABI than this runtime's (" +
                  std::to_string(ONNXC_ABI_VERSION) + "); compile the model again");
}

LoadedModel::~LoadedModel() { dlclose(handle); }
