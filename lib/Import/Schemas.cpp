#include "Schemas.h"

#include "onnxc/Schema/MicrosoftSchemas.h"

namespace onnxc::importer {

int64_t Schemas::versionOf(const std::string &domain) const {
  if (auto newest = newestOpsets().find(domain); newest != newestOpsets().end())
    return newest->second;
  auto imported = opsets.find(domain);
  return imported == opsets.end() ? 1 : imported->second;
}

const CustomOperators::Operator *Schemas::custom(const NodeProto &node) const {
  return customs ? customs->find(node.domain(), node.op_type(), versionOf(node.domain())) : nullptr;
}

const ::onnx::OpSchema *Schemas::GetSchema(const std::string &key, int maxInclusiveVersion,
                                           const std::string &domain) const {
  if (customs)
    if (const auto *found = customs->find(domain, key, maxInclusiveVersion))
      return found->schema.get();
  return ::onnx::OpSchemaRegistry::Instance()->GetSchema(key, maxInclusiveVersion, domain);
}

const ::onnx::OpSchema *Schemas::newest(const NodeProto &node) const {
  // ONNX Runtime's operators have one version, whatever the model imports.
  bool isMicrosoft = node.domain() == microsoftDomain && !custom(node);
  return GetSchema(node.op_type(), isMicrosoft ? 1 : int(versionOf(node.domain())), node.domain());
}

} // namespace onnxc::importer
