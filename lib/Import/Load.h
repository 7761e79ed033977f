// Bytes to ModelProto: binary protobuf or ONNX's text format.
#ifndef ONNXC_LIB_IMPORT_LOAD_H
#define ONNXC_LIB_IMPORT_LOAD_H

#include "Proto.h"

namespace onnxc::importer {

/// Reads a model file. Throws ImportError.
ModelProto loadModelFile(const std::string &path);

/// Reads the functions of a file (Functions.h) into a model that may have nothing else. Throws ImportError.
ModelProto loadFunctionFile(const std::string &path);

/// Parses a model that is in memory. Throws ImportError.
ModelProto parseModel(std::string_view bytes);

} // namespace onnxc::importer

#endif
