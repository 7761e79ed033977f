#include "FunctionDefaults.h"

#include <map>
#include <tuple>

namespace onnxc::importer {

namespace {

using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;

class Defaults {
public:
  explicit Defaults(ModelProto &model) : model(model) {
    for (FunctionProto &function : *model.mutable_functions())
      functions[{function.domain(), function.name(), function.overload()}] = &function;
  }

  void run() {
    // A function that hands an attribute on to one with a default has that default too.
    for (bool changed = true; changed;) {
      changed = false;
      for (FunctionProto &function : *model.mutable_functions())
        for (int i = function.attribute_size() - 1; i >= 0; --i)
          if (const AttributeProto *value = handedOn(function, function.attribute(i))) {
            AttributeProto attr = *value;
            attr.set_name(function.attribute(i));
            *function.add_attribute_proto() = attr;
            function.mutable_attribute()->DeleteSubrange(i, 1);
            changed = true;
          }
    }
    give(*model.mutable_graph()->mutable_node());
    for (FunctionProto &function : *model.mutable_functions())
      give(*function.mutable_node());
  }

private:
  ModelProto &model;
  std::map<std::tuple<std::string, std::string, std::string>, FunctionProto *> functions;

  const FunctionProto *calledBy(const NodeProto &node) const {
    auto it = functions.find({node.domain(), node.op_type(), node.overload()});
    return it == functions.end() ? nullptr : it->second;
  }

  static const AttributeProto *defaultOf(const FunctionProto &function, const std::string &name) {
    for (const AttributeProto &attr : function.attribute_proto())
      if (attr.name() == name)
        return &attr;
    return nullptr;
  }

  template <typename Visit> static void visit(const Nodes &nodes, Visit onAttribute) {
    for (const NodeProto &node : nodes)
      for (const AttributeProto &attr : node.attribute()) {
        onAttribute(node, attr);
        if (attr.has_g())
          visit(attr.g().node(), onAttribute);
      }
  }

  /// The default that all uses of an attribute have where the function calls others with it; null if there is
  /// another use, or none.
  const AttributeProto *handedOn(const FunctionProto &function, const std::string &name) const {
    const AttributeProto *found = nullptr;
    bool isOnly = true;
    visit(function.node(), [&](const NodeProto &node, const AttributeProto &attr) {
      if (attr.ref_attr_name() != name)
        return;
      const FunctionProto *callee = calledBy(node);
      const AttributeProto *value = callee ? defaultOf(*callee, attr.name()) : nullptr;
      auto text = [](AttributeProto attr) {
        attr.clear_name();
        return attr.SerializeAsString();
      };
      isOnly &= value && (!found || text(*found) == text(*value));
      found = value;
    });
    return isOnly ? found : nullptr;
  }

  void give(Nodes &nodes) const {
    for (NodeProto &node : nodes) {
      for (AttributeProto &attr : *node.mutable_attribute())
        if (attr.has_g())
          give(*attr.mutable_g()->mutable_node());
      if (const FunctionProto *callee = calledBy(node))
        for (const AttributeProto &value : callee->attribute_proto())
          if (!findAttribute(node, value.name().c_str()))
            *node.add_attribute() = value;
    }
  }
};

} // namespace

void giveFunctionDefaults(ModelProto &model) { Defaults(model).run(); }

} // namespace onnxc::importer
