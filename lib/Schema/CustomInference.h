// The types of a custom operator's results, by its library's callback.
#ifndef ONNXC_LIB_SCHEMA_CUSTOMINFERENCE_H
#define ONNXC_LIB_SCHEMA_CUSTOMINFERENCE_H

#include "onnxc/runtime/custom_op.h"

#include "onnx/defs/shape_inference.h"

namespace onnxc {

/// Checks the inputs' element types against the declaration, asks the library and checks its answer.
/// Throws ::onnx::InferenceError.
void inferCustom(const onnxc_op &op, ::onnx::InferenceContext &ctx);

} // namespace onnxc

#endif
