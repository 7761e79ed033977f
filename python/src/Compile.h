// The compiler, called in its library.
#ifndef ONNXC_PYTHON_COMPILE_H
#define ONNXC_PYTHON_COMPILE_H

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// (status, [(severity, message)]); exactly one of path and data is given. Names in a message are a
/// model's: what is not UTF-8 becomes replacement characters.
using CompileResult = std::pair<int, std::vector<std::pair<int, nanobind::object>>>;

CompileResult compile(const std::string &library, const std::optional<std::string> &path,
                      const std::optional<nanobind::bytes> &data, const std::string &output,
                      const std::vector<std::string> &options);

#endif
