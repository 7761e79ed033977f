// Type inference of com.microsoft operators. Operands are not checked here: the
// expansions and lowerings refuse what they cannot take.
#ifndef ONNXC_LIB_SCHEMA_MICROSOFTINFERENCE_H
#define ONNXC_LIB_SCHEMA_MICROSOFTINFERENCE_H

#include "onnx/defs/shape_inference.h"

namespace onnxc::microsoft {

#define MICROSOFT_OPERATOR(name, how, inference, inputs) void inference(::onnx::InferenceContext &ctx);
#include "onnxc/Schema/MicrosoftOperators.def"

using Dim = ::onnx::TensorShapeProto::Dimension;
using Shape = ::onnx::TensorShapeProto;

inline Dim unknownDim() { return {}; }
inline Dim knownDim(int64_t size) {
  Dim dim;
  dim.set_dim_value(size);
  return dim;
}
/// a * b and a / b, unknown where a is.
Dim times(const Dim &a, int64_t b);
Dim over(const Dim &a, int64_t b);
/// The shape of an input, null if its rank is not known or the input is absent.
const Shape *shapeOf(::onnx::InferenceContext &ctx, size_t input);
inline Dim dimOf(const Shape *shape, int i) {
  i = shape && i < 0 ? i + shape->dim_size() : i;
  return shape && i >= 0 && i < shape->dim_size() ? shape->dim(i) : unknownDim();
}
/// Sets an output's shape, if there is such an output.
void setShape(::onnx::InferenceContext &ctx, size_t output, std::initializer_list<Dim> dims);
void setShape(::onnx::InferenceContext &ctx, size_t output, const Shape &shape);
/// An output gets the element type of an input, or a certain one, if there is such an output.
void elemFrom(::onnx::InferenceContext &ctx, size_t input, size_t output);
void setElem(::onnx::InferenceContext &ctx, size_t output, int32_t type);

} // namespace onnxc::microsoft

#endif
