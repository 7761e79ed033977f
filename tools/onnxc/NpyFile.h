// NumPy's .npy format (numpy.lib.format), versions 1 to 3.
#ifndef ONNXC_TOOLS_NPYFILE_H
#define ONNXC_TOOLS_NPYFILE_H

#include "ValueFile.h"

namespace onnxc {

/// `type` decides what NumPy's void types (as ml_dtypes saves them) stand for.
bool readNpy(llvm::StringRef file, llvm::StringRef type, ValueStore &store, onnxc_value &value,
             std::string &error);

/// Tensors only.
bool encodeNpy(const onnxc_value &value, std::string &file, std::string &error);

} // namespace onnxc
#endif
