#include "ExternalData.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace onnxc::importer {

MappedFile::MappedFile(const std::string &path, const std::string &shownName) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    fail("cannot open external data file '" + shownName + "': " + std::strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    fail("external data file '" + shownName + "' is not a regular file");
  }
  length = uint64_t(info.st_size);
  if (length) {
    void *mapped = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
      int error = errno;
      close(fd);
      fail("cannot map external data file '" + shownName + "': " + std::strerror(error));
    }
    bytes = static_cast<const char *>(mapped);
  }
  close(fd);
}

MappedFile::~MappedFile() {
  if (bytes)
    munmap(const_cast<char *>(bytes), length);
}

static uint64_t parseNumber(const std::string &text, const std::string &key, const TensorProto &tensor) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    fail("external data of tensor '" + tensor.name() + "' has the invalid " + key + " '" + text + "'");
  return value;
}

ExternalBytes ExternalDataReader::read(const TensorProto &tensor, uint64_t byteCount) {
  const std::string what = "external data of tensor '" + tensor.name() + "'";
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const auto &entry : tensor.external_data()) {
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      offset = parseNumber(entry.value(), "offset", tensor);
    else if (entry.key() == "length")
      length = parseNumber(entry.value(), "length", tensor);
  }
  if (location.empty())
    fail(what + " has no location");
  if (location.find('\0') != std::string::npos)
    fail(what + " has an invalid location");
  if (folder.empty())
    fail(what + " is in the file '" + location + "', but the model's folder is not known");

  fs::path relative(location);
  if (relative.is_absolute())
    fail(what + " has the absolute location '" + location + "': it must be inside the model's folder");
  std::error_code error;
  fs::path root = fs::canonical(folder, error);
  if (error)
    fail("cannot resolve the model's folder '" + folder + "': " + error.message());
  fs::path full = fs::canonical(root / relative, error);
  if (error)
    fail("cannot open external data file '" + location + "': " + error.message());
  auto [rootEnd, ignored] = std::mismatch(root.begin(), root.end(), full.begin(), full.end());
  if (rootEnd != root.end())
    fail(what + " is at '" + location + "', which is outside the model's folder");

  std::shared_ptr<MappedFile> &file = files[full.string()];
  if (!file)
    file = std::make_shared<MappedFile>(full.string(), location);
  if (length && *length != byteCount)
    fail(what + " has " + std::to_string(*length) + " bytes, its type and shape need " +
         std::to_string(byteCount));
  if (offset > file->size() || byteCount > file->size() - offset)
    fail(what + " needs bytes " + std::to_string(offset) + " to " + std::to_string(offset + byteCount) +
         " of the file '" + location + "', which has " + std::to_string(file->size()));
  return {file, std::string_view(file->data() + offset, byteCount)};
}

} // namespace onnxc::importer
