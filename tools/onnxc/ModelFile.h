// A model given to a sub-command, as .so or .onnx.
#ifndef ONNXC_TOOLS_MODELFILE_H
#define ONNXC_TOOLS_MODELFILE_H

#include "onnxc/runtime/c_api.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <string>
#include <vector>

namespace onnxc {

/// Whether the file begins as a shared object does.
bool isSharedObject(llvm::StringRef path);

/// Compiles a model to a temporary file and opens it; the file is gone afterwards. Prints
/// the compiler's diagnostics. Returns null after printing an error.
onnxc_session *openModel(const std::string &path, const std::vector<std::string> &compileOptions,
                         const onnxc_session_options &options);

/// Prints "onnxc: error: ..." and returns `status`.
int fail(const llvm::Twine &message, int status = 1);

/// "float[batch,3,?]" of an input or output.
std::string describe(const onnxc_value_info &info);

} // namespace onnxc
#endif
