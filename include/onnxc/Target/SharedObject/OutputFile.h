// Where an output is made before it is complete.
#ifndef ONNXC_TARGET_SHAREDOBJECT_OUTPUTFILE_H
#define ONNXC_TARGET_SHAREDOBJECT_OUTPUTFILE_H

#include "llvm/ADT/StringRef.h"
#include <string>
#include <system_error>

namespace onnxc {

/// The start of a temporary file's name: the output's own, so that it can be renamed, or for
/// devices and pipes one in the folder for temporary files.
std::string temporaryPrefix(llvm::StringRef output);

/// Puts the complete file `temporary` in place of `output` in one step; what is no regular file
/// (a device, a pipe) is written to and stays what it is.
std::error_code moveToOutput(llvm::StringRef temporary, llvm::StringRef output);

} // namespace onnxc

#endif
