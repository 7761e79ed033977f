// Upgrades nodes from the opset of their model or function to the newest one.
//
// The onnx library's version converter is not used: it drops functions and
// metadata, copies all weights, and gets several steps wrong. Here each change
// of meaning between two versions of an operator is an adapter on the NodeProto;
// every other step keeps the node as it is.
#ifndef ONNXC_LIB_IMPORT_UPGRADE_H
#define ONNXC_LIB_IMPORT_UPGRADE_H

#include "Schemas.h"

#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace onnxc::importer {

/// What is known of the values that a node can see.
class ValueScope {
public:
  explicit ValueScope(const ValueScope *outer = nullptr) : outer(outer) {}
  /// The values that a graph declares: inputs, outputs, value_info, initializers.
  void addGraph(const GraphProto &graph);
  /// The value of a Constant node.
  void addConstant(const NodeProto &node);

  const TypeProto *type(const std::string &name) const;
  /// Values of a small integer or float constant.
  const std::vector<double> *constant(const std::string &name) const;

private:
  const ValueScope *outer;
  std::unordered_map<std::string, TypeProto> types;
  std::unordered_map<std::string, std::vector<double>> constants;
};

/// One node that is being upgraded, and the nodes made around it. New nodes are
/// written in their newest form.
class NodeUpgrade {
public:
  NodeUpgrade(NodeProto node, const ValueScope &scope, class Upgrader &upgrader)
      : node(std::move(node)), scope(scope), upgrader(upgrader) {}

  NodeProto node;
  std::vector<NodeProto> before, after;
  /// Set by an adapter that leaves the node in its newest form.
  bool done = false;

  const TypeProto *type(const std::string &name) const { return scope.type(name); }
  std::optional<int64_t> rank(const std::string &name) const;
  /// The rank, or an error that says that it is needed.
  int64_t neededRank(const std::string &name) const;
  /// UNDEFINED if unknown.
  int32_t elementType(const std::string &name) const;
  const std::vector<double> *constant(const std::string &name) const { return scope.constant(name); }

  /// Adds a node before this one; returns its output.
  std::string emit(const std::string &op, const std::vector<std::string> &inputs,
                   const std::vector<AttributeProto> &attrs = {});
  /// Adds a node after this one that computes `output`.
  void emitAfter(const std::string &op, const std::vector<std::string> &inputs,
                 const std::string &output, const std::vector<AttributeProto> &attrs = {});
  std::string constInts(const std::vector<int64_t> &values);
  std::string constInt(int64_t value);
  std::string constFloats(const std::vector<float> &values);
  std::string constFloat(float value);
  /// A Constant of the attribute's value, which may be a function's attribute.
  std::string constAttribute(const AttributeProto &attr);

  std::string freshName();
  /// Gives output `i` a fresh name for nodes after this one; returns both names.
  struct Detached {
    std::string fresh, original;
  };
  Detached detachOutput(int i);

  int64_t intAttribute(const char *name, int64_t defaultValue) const;
  std::string stringAttribute(const char *name, const std::string &defaultValue) const;
  void addAttribute(const AttributeProto &attr) { *node.add_attribute() = attr; }
  void setInputs(const std::vector<std::string> &inputs);
  /// Makes input `i` present, adding missing ones before it.
  void setInput(int i, const std::string &name);

private:
  const ValueScope &scope;
  Upgrader &upgrader;
};

/// Changes a node of version `to - 1` of its operator to version `to`.
struct Adapter {
  const char *op;
  int to;
  void (*apply)(NodeUpgrade &);
  const char *domain = "";
};

const std::vector<Adapter> &tensorAdapters();
const std::vector<Adapter> &networkAdapters();

class Upgrader {
public:
  /// `model` gives the names that are taken.
  explicit Upgrader(const ModelProto &model);

  /// Upgrades a list of nodes in place, with their subgraphs. Throws ImportError.
  void upgradeNodes(google::protobuf::RepeatedPtrField<NodeProto> &nodes, ValueScope &scope,
                    const OpsetMap &opsets);
  void upgradeGraph(GraphProto &graph, const ValueScope *outer, const OpsetMap &opsets);

  std::string freshName();

private:
  std::unordered_set<std::string> taken;
  /// Domain and name of the model's own functions.
  std::set<std::pair<std::string, std::string>> functions;
  uint64_t counter = 0;

  void takeNames(const GraphProto &graph);
  void takeNames(const google::protobuf::RepeatedPtrField<NodeProto> &nodes);
  void upgradeNode(NodeUpgrade &upgrade, const OpsetMap &opsets);
};

/// Upgrades the graph and all functions to the newest opsets. Throws ImportError.
void upgradeModel(ModelProto &model, const OpsetMap &opsets, const Schemas &schemas);

} // namespace onnxc::importer

#endif
