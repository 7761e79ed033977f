#include "FunctionDefaults.h"

#include "Proto.h"

#include <map>
#include <set>
#include <tuple>

namespace onnxc::importer {

namespace {

using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;
using Names = std::set<std::string>;
using Key = std::tuple<std::string, std::string, std::string>; // domain, name, overload

/// Attributes that a call leaves out and that have no default are absent in the function's nodes, where other functions and
/// operators may have defaults for them. So such a call gets a variant of the function without these attributes.
class Defaults {
public:
  explicit Defaults(ModelProto &model) : model(model) {
    for (const FunctionProto &function : model.functions())
      functions[{function.domain(), function.name(), function.overload()}] = function;
  }

  void run() {
    for (FunctionProto &function : *model.mutable_functions())
      resolve(*function.mutable_node());
    resolve(*model.mutable_graph()->mutable_node());
    for (FunctionProto &variant : variants)
      *model.add_functions() = std::move(variant);
  }

private:
  ModelProto &model;
  std::map<Key, FunctionProto> functions; // as the model has them
  std::map<std::pair<Key, Names>, std::string> overloads; // of variants
  std::vector<FunctionProto> variants;

  void resolve(Nodes &nodes) {
    for (NodeProto &node : nodes) {
      for (AttributeProto &attr : *node.mutable_attribute())
        if (attr.has_g())
          resolve(*attr.mutable_g()->mutable_node());
      Key key{node.domain(), node.op_type(), node.overload()};
      auto callee = functions.find(key);
      if (callee == functions.end())
        continue;
      for (const AttributeProto &value : callee->second.attribute_proto())
        if (!findAttribute(node, value.name().c_str()))
          *node.add_attribute() = value;
      Names absent;
      for (const std::string &name : callee->second.attribute())
        if (!findAttribute(node, name.c_str()))
          absent.insert(name);
      if (!absent.empty())
        node.set_overload(variantOf(key, callee->second, absent));
    }
  }

  /// The overload of the function without these attributes.
  std::string variantOf(const Key &key, const FunctionProto &function, const Names &absent) {
    auto [it, isNew] = overloads.try_emplace({key, absent});
    if (!isNew)
      return it->second;
    std::string overload = function.overload() + " without";
    for (const std::string &name : absent)
      overload += " " + name;
    it->second = overload;
    FunctionProto variant = function;
    variant.set_overload(overload);
    variant.clear_attribute();
    for (const std::string &name : function.attribute())
      if (!absent.count(name))
        variant.add_attribute(name);
    drop(*variant.mutable_node(), absent);
    resolve(*variant.mutable_node());
    variants.push_back(std::move(variant));
    return overload;
  }

  static void drop(Nodes &nodes, const Names &absent) {
    for (NodeProto &node : nodes)
      for (int i = node.attribute_size() - 1; i >= 0; --i) {
        AttributeProto &attr = *node.mutable_attribute(i);
        if (absent.count(attr.ref_attr_name()))
          node.mutable_attribute()->DeleteSubrange(i, 1);
        else if (attr.has_g())
          drop(*attr.mutable_g()->mutable_node(), absent);
      }
  }
};

} // namespace

void giveFunctionDefaults(ModelProto &model) { Defaults(model).run(); }

} // namespace onnxc::importer
