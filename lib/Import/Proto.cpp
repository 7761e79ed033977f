#include "Proto.h"

#include "onnxc/Schema/MicrosoftSchemas.h"

#include "onnx/defs/schema.h"

namespace onnxc::importer {

const OpsetMap &newestOpsets() {
  static const OpsetMap map = [] {
    OpsetMap map;
    for (const auto &[domain, range] : ::onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map())
      if (domain != microsoftDomain) // which may have joined the registry already
        map[domain] = range.second;
    return map;
  }();
  return map;
}

bool isStandardDomain(const std::string &domain) { return newestOpsets().count(domain) != 0; }

std::string describe(const NodeProto &node, const OpsetMap &opsets) {
  std::string text = node.op_type();
  if (!node.name().empty())
    text += " '" + node.name() + "'";
  else if (node.output_size() && !node.output(0).empty())
    text += " with output '" + node.output(0) + "'";
  std::string domain = canonicalDomain(node.domain());
  text += " (" + (domain.empty() ? std::string("ai.onnx") : domain);
  if (auto it = opsets.find(domain); it != opsets.end())
    text += " opset " + std::to_string(it->second);
  return text + ")";
}

const AttributeProto *findAttribute(const NodeProto &node, std::string_view name) {
  for (const AttributeProto &attr : node.attribute())
    if (attr.name() == name)
      return &attr;
  return nullptr;
}

AttributeProto *findAttribute(NodeProto &node, std::string_view name) {
  for (AttributeProto &attr : *node.mutable_attribute())
    if (attr.name() == name)
      return &attr;
  return nullptr;
}

std::optional<AttributeProto> takeAttribute(NodeProto &node, std::string_view name) {
  for (int i = 0; i < node.attribute_size(); ++i)
    if (node.attribute(i).name() == name) {
      AttributeProto attr = std::move(*node.mutable_attribute(i));
      node.mutable_attribute()->DeleteSubrange(i, 1);
      return attr;
    }
  return std::nullopt;
}

AttributeProto makeAttribute(const std::string &name, int64_t value) {
  AttributeProto attr;
  attr.set_name(name);
  attr.set_type(AttributeProto::INT);
  attr.set_i(value);
  return attr;
}

AttributeProto makeAttribute(const std::string &name, const std::vector<int64_t> &value) {
  AttributeProto attr;
  attr.set_name(name);
  attr.set_type(AttributeProto::INTS);
  for (int64_t i : value)
    attr.add_ints(i);
  return attr;
}

AttributeProto makeAttribute(const std::string &name, const std::string &value) {
  AttributeProto attr;
  attr.set_name(name);
  attr.set_type(AttributeProto::STRING);
  attr.set_s(value);
  return attr;
}

AttributeProto makeAttribute(const std::string &name, const TensorProto &value) {
  AttributeProto attr;
  attr.set_name(name);
  attr.set_type(AttributeProto::TENSOR);
  *attr.mutable_t() = value;
  return attr;
}

const ::onnx::TensorShapeProto *tensorShape(const TypeProto *type) {
  if (!type || !type->has_tensor_type() || !type->tensor_type().has_shape())
    return nullptr;
  return &type->tensor_type().shape();
}

std::string elementTypeName(int32_t elementType) {
  if (TensorProto::DataType_IsValid(elementType) && elementType != TensorProto::UNDEFINED)
    return TensorProto::DataType_Name(TensorProto::DataType(elementType));
  return "number " + std::to_string(elementType);
}

int64_t checkedElementCount(const google::protobuf::RepeatedField<int64_t> &dims, unsigned bits,
                            int64_t maxBytes, const std::string &name) {
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      fail("tensor '" + name + "' has the negative dimension " + std::to_string(dim));
    empty |= dim == 0;
  }
  if (empty)
    return 0;
  unsigned __int128 count = 1;
  unsigned __int128 limit = (unsigned __int128)maxBytes * 8;
  for (int64_t dim : dims) {
    count *= (unsigned __int128)dim;
    if (count * (bits ? bits : 8) > limit)
      fail("tensor '" + name + "' is larger than the limit of " + std::to_string(maxBytes) +
           " bytes");
  }
  return int64_t(count);
}

} // namespace onnxc::importer
