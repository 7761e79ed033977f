// What an .onnx file says about itself, read without the onnx library.
#ifndef ONNXC_TOOLS_ONNXFILE_H
#define ONNXC_TOOLS_ONNXFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"

#include <string>

namespace onnxc {

/// Fills the keys of a compiled model's metadata (docs/runtime.md) from a binary ModelProto,
/// and `operators` {name: count}, `weights_bytes`, `external_data`. False if it is none.
bool summariseOnnx(llvm::StringRef file, llvm::json::Object &summary);

} // namespace onnxc
#endif
