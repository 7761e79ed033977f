// The linker, in process.
#ifndef ONNXC_LIB_TARGET_SHAREDOBJECT_LINKER_H
#define ONNXC_LIB_TARGET_SHAREDOBJECT_LINKER_H

#include "onnxc/Target/LLVM/ObjectCode.h"

#include <string>
#include <vector>

namespace onnxc {

/// Runs lld with arguments as of ld.lld. Returns its messages if it failed, else an empty string.
std::string runLinker(llvm::ArrayRef<std::string> args);

/// The archive of runtime/model for a target.
std::string modelArchive(const TargetSpec &target);

/// Arguments that let a shared object name what it needs of the target's C library, and of the C++ library too if it
/// holds other people's code.
std::vector<std::string> systemLibraries(const TargetSpec &target, bool foreignCode);

} // namespace onnxc

#endif
