#include "Load.h"

#include "onnx/defs/parser.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace onnxc::importer {

namespace {

// A level of subgraphs is three messages deep (graph, node, attribute).
constexpr int protobufRecursionLimit = 200;
// The text parser is recursive: brackets bound how deep it goes.
constexpr int textNestingLimit = 100;

struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0)
      close(fd);
  }
};

bool looksLikeText(std::string_view start) {
  size_t first = start.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (start[first] == '<' || start[first] == '#');
}

void checkTextNesting(std::string_view text) {
  int depth = 0;
  bool comment = false, string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (comment) {
      comment = c != '\n';
    } else if (string) {
      if (c == '\\')
        ++i;
      else
        string = c != '"';
    } else if (c == '#') {
      comment = true;
    } else if (c == '"') {
      string = true;
    } else if (c == '(' || c == '{' || c == '[') {
      if (++depth > textNestingLimit)
        fail("the model text is nested too deeply");
    } else if (c == ')' || c == '}' || c == ']') {
      --depth;
    }
  }
}

ModelProto parseText(std::string_view text) {
  checkTextNesting(text);
  ModelProto model;
  ::onnx::OnnxParser parser(text);
  ::onnx::Common::Status status = parser.Parse(model);
  if (!status.IsOK())
    fail("not a valid ONNX text model: " + status.ErrorMessage());
  if (!parser.EndOfInput())
    fail("not a valid ONNX text model: text after the model's end");
  return model;
}

ModelProto parseBinary(google::protobuf::io::ZeroCopyInputStream &stream) {
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetTotalBytesLimit(INT_MAX);
  coded.SetRecursionLimit(protobufRecursionLimit);
  ModelProto model;
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
    fail("not a valid ONNX model: the file is truncated, damaged or in another format");
  return model;
}

void checkSize(uint64_t size) {
  if (size == 0)
    fail("not a valid ONNX model: the file is empty");
  if (size > uint64_t(INT_MAX))
    fail("the model file is above protobuf's limit of 2 GB: larger models keep their weights in "
         "external data files");
}

} // namespace

// A file that stays open while `read` gets its descriptor, its size and its first bytes.
template <typename Read> static ModelProto readFile(const std::string &path, const char *what, Read read) {
  FileDescriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0)
    fail(std::string("cannot open the ") + what + ": " + std::strerror(errno));
  struct stat info;
  if (fstat(file.fd, &info) != 0)
    fail(std::string("cannot read the ") + what + ": " + std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    fail(std::string("cannot read the ") + what + ": not a regular file");
  checkSize(uint64_t(info.st_size));
  char start[256];
  ssize_t got = pread(file.fd, start, sizeof(start), 0);
  if (got < 0)
    fail(std::string("cannot read the ") + what + ": " + std::strerror(errno));
  return read(file.fd, size_t(info.st_size), std::string_view(start, size_t(got)));
}

static std::string readAll(int fd, size_t size) {
  std::string text(size, '\0');
  for (size_t at = 0; at < text.size();) {
    ssize_t n = pread(fd, text.data() + at, text.size() - at, off_t(at));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      fail("cannot read the model");
    at += size_t(n);
  }
  return text;
}

ModelProto loadModelFile(const std::string &path) {
  return readFile(path, "model", [](int fd, size_t size, std::string_view start) {
    if (looksLikeText(start))
      return parseText(readAll(fd, size));
    google::protobuf::io::FileInputStream stream(fd);
    return parseBinary(stream);
  });
}

// In both binary forms field 1 comes first: a model's IR version, or a function's name.
static bool looksLikeFunction(std::string_view start) { return !start.empty() && start[0] == '\x0a'; }

static ModelProto parseFunctionText(std::string_view text) {
  if (text.substr(0, text.find('>')).find("ir_version") != std::string_view::npos)
    return parseText(text);
  checkTextNesting(text);
  ModelProto model;
  ::onnx::OnnxParser parser(text);
  do {
    ::onnx::Common::Status status = parser.Parse(*model.add_functions());
    if (!status.IsOK())
      fail("not a valid ONNX function: " + status.ErrorMessage());
  } while (!parser.EndOfInput());
  return model;
}

ModelProto loadFunctionFile(const std::string &path) {
  return readFile(path, "functions", [](int fd, size_t size, std::string_view start) {
    if (looksLikeText(start))
      return parseFunctionText(readAll(fd, size));
    google::protobuf::io::FileInputStream stream(fd);
    if (!looksLikeFunction(start))
      return parseBinary(stream);
    google::protobuf::io::CodedInputStream coded(&stream);
    coded.SetRecursionLimit(protobufRecursionLimit);
    ModelProto model;
    if (!model.add_functions()->ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
      fail("not a valid ONNX function: the file is truncated, damaged or in another format");
    return model;
  });
}

ModelProto parseModel(std::string_view bytes) {
  checkSize(bytes.size());
  if (looksLikeText(bytes.substr(0, 256)))
    return parseText(bytes);
  google::protobuf::io::ArrayInputStream stream(bytes.data(), int(bytes.size()));
  return parseBinary(stream);
}

} // namespace onnxc::importer
