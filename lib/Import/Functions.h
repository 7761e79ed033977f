// Operators that the command line defines by ONNX functions.
#ifndef ONNXC_LIB_IMPORT_FUNCTIONS_H
#define ONNXC_LIB_IMPORT_FUNCTIONS_H

#include "Proto.h"

namespace onnxc::importer {

/// Adds the functions of the files to the model, in place of those that it has under the same
/// names. A file is a model with local functions or one function, binary or in ONNX's text
/// format (several functions there). Throws ImportError, which names the file.
void addFunctions(ModelProto &model, const std::vector<std::string> &files);

} // namespace onnxc::importer

#endif
