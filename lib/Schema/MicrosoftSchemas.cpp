// Type inference of com.microsoft operators. Operands are not checked here: the
// lowerings refuse what they cannot take.
#include "onnxc/Schema/MicrosoftSchemas.h"

#include "onnx/defs/schema.h"
#include "onnx/defs/shape_inference.h"

#include <mutex>

using ::onnx::InferenceContext;
using ::onnx::OpSchema;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;

namespace onnxc {

static void sameTypeAndShape(InferenceContext &ctx) {
  ::onnx::propagateShapeAndTypeFromFirstInput(ctx);
}

// A, A_scale, A_zero, B, ...
static void broadcast(InferenceContext &ctx) {
  ::onnx::propagateElemTypeFromInputToOutput(ctx, 0, 0);
  if (::onnx::hasInputShape(ctx, 0) && ::onnx::hasInputShape(ctx, 3))
    ::onnx::bidirectionalBroadcastShapeInference(::onnx::getInputShape(ctx, 0),
                                                 ::onnx::getInputShape(ctx, 3),
                                                 *::onnx::getOutputShape(ctx, 0));
}

static void globalPool(InferenceContext &ctx) {
  ::onnx::propagateElemTypeFromInputToOutput(ctx, 0, 0);
  if (!::onnx::hasInputShape(ctx, 0))
    return;
  TensorShapeProto shape = ::onnx::getInputShape(ctx, 0);
  bool last = ::onnx::getAttribute(ctx, "channels_last", 0) != 0;
  int first = last ? 1 : 2, end = shape.dim_size() - (last ? 1 : 0);
  for (int i = first; i < end; ++i)
    shape.mutable_dim(i)->set_dim_value(1);
  ::onnx::updateOutputShape(ctx, 0, shape);
}

// A, a_scale, a_zero, B, b_scale, b_zero, C, y_scale, y_zero.
static void quantizedGemm(InferenceContext &ctx) {
  bool quantized = ctx.getNumInputs() > 8 && ctx.getInputType(8);
  if (quantized)
    ::onnx::propagateElemTypeFromInputToOutput(ctx, 8, 0);
  else
    ::onnx::updateOutputElemType(ctx, 0, TensorProto::FLOAT);
  if (!::onnx::hasInputShape(ctx, 0) || !::onnx::hasInputShape(ctx, 3))
    return;
  const TensorShapeProto &a = ::onnx::getInputShape(ctx, 0), &b = ::onnx::getInputShape(ctx, 3);
  if (a.dim_size() != 2 || b.dim_size() != 2)
    return;
  TensorShapeProto shape;
  *shape.add_dim() = a.dim(::onnx::getAttribute(ctx, "transA", 0) ? 1 : 0);
  *shape.add_dim() = b.dim(::onnx::getAttribute(ctx, "transB", 0) ? 0 : 1);
  ::onnx::updateOutputShape(ctx, 0, shape);
}

// X [steps, batch, input], ..., R [directions, hidden, 4 * hidden].
static void quantizedLstm(InferenceContext &ctx) {
  for (size_t i = 0; i < ctx.getNumOutputs(); ++i)
    ::onnx::updateOutputElemType(ctx, i, TensorProto::FLOAT);
  if (!::onnx::hasInputShape(ctx, 0) || !::onnx::hasInputShape(ctx, 2))
    return;
  const TensorShapeProto &x = ::onnx::getInputShape(ctx, 0), &r = ::onnx::getInputShape(ctx, 2);
  if (x.dim_size() != 3 || r.dim_size() != 3)
    return;
  for (size_t i = 0; i < ctx.getNumOutputs(); ++i) {
    TensorShapeProto shape;
    if (i == 0)
      *shape.add_dim() = x.dim(0);
    *shape.add_dim() = r.dim(0);
    *shape.add_dim() = x.dim(1);
    *shape.add_dim() = r.dim(1);
    ::onnx::updateOutputShape(ctx, i, shape);
  }
}

static void add(const char *name, ::onnx::InferenceFunction infer) {
  const std::vector<std::string> &all = OpSchema::all_tensor_types_ir13();
  OpSchema schema(name, __FILE__, __LINE__);
  schema.SetDomain(microsoftDomain)
      .SinceVersion(1)
      .AllowUncheckedAttributes()
      .Input(0, "inputs", "", "T", OpSchema::Variadic, /*is_homogeneous=*/false, /*min_arity=*/0)
      .Output(0, "outputs", "", "T", OpSchema::Variadic, /*is_homogeneous=*/false,
              /*min_arity=*/0)
      .TypeConstraint("T", all, "")
      .TypeAndShapeInferenceFunction(std::move(infer));
  ::onnx::RegisterSchema(std::move(schema), 0, /*fail_duplicate_schema=*/false);
}

void registerMicrosoftSchemas() {
  static std::once_flag once;
  std::call_once(once, [] {
    auto &domains = ::onnx::OpSchemaRegistry::DomainToVersionRange::Instance();
    if (!domains.Map().count(microsoftDomain))
      domains.AddDomainToVersion(microsoftDomain, 1, 1);
    add("QLinearAdd", broadcast);
    add("QLinearMul", broadcast);
    add("QLinearSigmoid", sameTypeAndShape);
    add("QLinearLeakyRelu", sameTypeAndShape);
    add("QLinearGlobalAveragePool", globalPool);
    add("QGemm", quantizedGemm);
    add("DynamicQuantizeLSTM", quantizedLstm);
  });
}

} // namespace onnxc
