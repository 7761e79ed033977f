// Types and shapes of a model's values, by the inference functions of the onnx
// library's schemas.
#ifndef ONNXC_LIB_IMPORT_TYPEINFERENCE_H
#define ONNXC_LIB_IMPORT_TYPEINFERENCE_H

#include "Proto.h"

namespace onnxc::importer {

/// Infers node by node and writes what is found to the graphs' value_info and
/// outputs, replacing what was there. A node whose inference fails keeps the
/// element types and ranks that the model declares for its outputs: declared
/// sizes are not trusted, nothing checks them.
void inferTypes(ModelProto &model, const OpsetMap &opsets);

/// The output types of one node at the newest opset from the types of its
/// inputs; VALUE_NOT_SET where they cannot be inferred.
std::vector<TypeProto> inferOutputTypes(NodeProto &node, std::vector<TypeProto> inputTypes);

} // namespace onnxc::importer

#endif
