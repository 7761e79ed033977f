// Small helpers over ONNX's protobuf messages.
#ifndef ONNXC_LIB_IMPORT_PROTO_H
#define ONNXC_LIB_IMPORT_PROTO_H

#include "Error.h"

#include "onnxc/Schema/ElementTypes.h"

#include "onnx/onnx_pb.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace onnxc::importer {

using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

/// Domain -> version; the default domain is "".
using OpsetMap = std::map<std::string, int64_t>;

/// The domain of nodes that stand for something the builder inserts itself.
inline constexpr const char *internalDomain = "onnxc.internal";

/// The newest opset of each domain that the linked onnx library defines.
const OpsetMap &newestOpsets();

/// Whether the linked onnx library defines the domain's operators.
bool isStandardDomain(const std::string &domain);

/// "ai.onnx" and "" are the same domain.
inline std::string canonicalDomain(const std::string &domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

/// The node as diagnostics name it: Conv 'name' (ai.onnx opset 13).
std::string describe(const NodeProto &node, const OpsetMap &opsets);

const AttributeProto *findAttribute(const NodeProto &node, std::string_view name);
AttributeProto *findAttribute(NodeProto &node, std::string_view name);
/// Removes an attribute and returns it.
std::optional<AttributeProto> takeAttribute(NodeProto &node, std::string_view name);

AttributeProto makeAttribute(const std::string &name, int64_t value);
AttributeProto makeAttribute(const std::string &name, const std::vector<int64_t> &value);
AttributeProto makeAttribute(const std::string &name, const std::string &value);
AttributeProto makeAttribute(const std::string &name, const TensorProto &value);

inline bool hasInput(const NodeProto &node, int i) {
  return i < node.input_size() && !node.input(i).empty();
}
inline bool hasOutput(const NodeProto &node, int i) {
  return i < node.output_size() && !node.output(i).empty();
}

/// The type's shape if it is a tensor of known rank.
const ::onnx::TensorShapeProto *tensorShape(const TypeProto *type);

std::string elementTypeName(int32_t elementType);

/// The number of elements. Throws if a dimension is negative or the number of
/// bytes is above `maxBytes`; `name` is the tensor's name for the message.
int64_t checkedElementCount(const google::protobuf::RepeatedField<int64_t> &dims, unsigned bits,
                            int64_t maxBytes, const std::string &name);

} // namespace onnxc::importer

#endif
