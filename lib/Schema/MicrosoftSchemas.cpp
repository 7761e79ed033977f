// The schemas of com.microsoft operators: nothing but their type inference.
#include "onnxc/Schema/MicrosoftSchemas.h"

#include "MicrosoftInference.h"

#include "onnx/defs/schema.h"

#include <mutex>

using ::onnx::OpSchema;

namespace onnxc {

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
#define MICROSOFT_OPERATOR(name, how, inference, inputs) add(#name, microsoft::inference);
#include "onnxc/Schema/MicrosoftOperators.def"
  });
}

std::string adviceForMicrosoft(const std::string &name) {
#define MICROSOFT_REFUSED(refused, advice)                                                         \
  if (name == #refused)                                                                            \
    return advice;
#include "onnxc/Schema/MicrosoftOperators.def"
  return "";
}

const char *inputsOfMicrosoft(const std::string &name) {
#define MICROSOFT_OPERATOR(known, how, inference, inputs)                                          \
  if (name == #known)                                                                              \
    return inputs;
#include "onnxc/Schema/MicrosoftOperators.def"
  return nullptr;
}

bool knowsMicrosoft(const std::string &name) { return inputsOfMicrosoft(name) != nullptr; }

} // namespace onnxc
