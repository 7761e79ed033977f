// The onnx library's inliner knows no defaults of functions' attributes: calls are given them before it runs.
#ifndef ONNXC_LIB_IMPORT_FUNCTIONDEFAULTS_H
#define ONNXC_LIB_IMPORT_FUNCTIONDEFAULTS_H

#include "Proto.h"

namespace onnxc::importer {

/// Writes the defaults of a function's attributes into the calls that leave them out.
void giveFunctionDefaults(ModelProto &model);

} // namespace onnxc::importer

#endif
