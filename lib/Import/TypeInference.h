// Types and shapes of a model's values, by the inference functions of the onnx
// library's schemas.
#ifndef ONNXC_LIB_IMPORT_TYPEINFERENCE_H
#define ONNXC_LIB_IMPORT_TYPEINFERENCE_H

#include "Schemas.h"

namespace onnxc::importer {

/// Infers node by node, of the given opsets, and writes what is found to the graphs' value_info and
/// outputs, replacing what was there. A node whose inference fails keeps the
/// element types and ranks that the model declares for its outputs: declared
/// sizes are not trusted, nothing checks them.
void inferTypes(ModelProto &model, const OpsetMap &opsets, const Schemas &schemas);

/// The output types of one node at the newest opset from the types of its
/// inputs; VALUE_NOT_SET where they cannot be inferred, with what was found wrong in `why`.
std::vector<TypeProto> inferOutputTypes(NodeProto &node, std::vector<TypeProto> inputTypes, const Schemas &schemas,
                                        std::string *why = nullptr);

} // namespace onnxc::importer

#endif
