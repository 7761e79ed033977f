// Inference functions for operators to whose schema onnx gives none.
#ifndef ONNXC_SCHEMA_MISSINGINFERENCE_H
#define ONNXC_SCHEMA_MISSINGINFERENCE_H

#include "onnx/defs/schema.h"

namespace onnxc {

/// The inference function of an operator: the schema's own, or ours where it has none or
/// a wrong one; one that infers nothing if neither exists.
::onnx::InferenceFunction inferenceFunctionOf(const ::onnx::OpSchema &schema);

} // namespace onnxc

#endif
