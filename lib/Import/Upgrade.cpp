#include "Upgrade.h"

#include "TensorData.h"
#include "TypeInference.h"

#include "onnx/defs/schema.h"

namespace onnxc::importer {

//===----------------------------------------------------------------------===//
// ValueScope
//===----------------------------------------------------------------------===//

namespace {
constexpr int64_t smallConstant = 64;
}

void ValueScope::addGraph(const GraphProto &graph) {
  for (const auto *values : {&graph.value_info(), &graph.output(), &graph.input()})
    for (const ValueInfoProto &value : *values)
      if (value.type().value_case() != TypeProto::VALUE_NOT_SET)
        types[value.name()] = value.type();
  for (const TensorProto &tensor : graph.initializer()) {
    TypeProto type;
    type.mutable_tensor_type()->set_elem_type(tensor.data_type());
    auto *shape = type.mutable_tensor_type()->mutable_shape();
    int64_t count = 1;
    for (int64_t dim : tensor.dims()) {
      shape->add_dim()->set_dim_value(dim);
      count *= dim;
    }
    types[tensor.name()] = std::move(type);
    if (count <= smallConstant)
      if (auto values = smallValues(tensor))
        constants[tensor.name()] = std::move(*values);
  }
}

void ValueScope::addConstant(const NodeProto &node) {
  if (node.op_type() != "Constant" || !node.domain().empty() || node.output_size() != 1)
    return;
  std::vector<double> values;
  if (const AttributeProto *attr = findAttribute(node, "value"); attr && attr->has_t()) {
    int64_t count = 1;
    for (int64_t dim : attr->t().dims())
      count *= dim;
    auto small = count <= smallConstant ? smallValues(attr->t()) : std::nullopt;
    if (!small)
      return;
    values = std::move(*small);
  } else if (const AttributeProto *attr = findAttribute(node, "value_ints")) {
    values.assign(attr->ints().begin(), attr->ints().end());
  } else if (const AttributeProto *attr = findAttribute(node, "value_floats")) {
    values.assign(attr->floats().begin(), attr->floats().end());
  } else {
    return;
  }
  constants[node.output(0)] = std::move(values);
}

const TypeProto *ValueScope::type(const std::string &name) const {
  if (auto it = types.find(name); it != types.end())
    return &it->second;
  return outer ? outer->type(name) : nullptr;
}

const std::vector<double> *ValueScope::constant(const std::string &name) const {
  if (auto it = constants.find(name); it != constants.end())
    return &it->second;
  return outer ? outer->constant(name) : nullptr;
}

//===----------------------------------------------------------------------===//
// NodeUpgrade
//===----------------------------------------------------------------------===//

std::optional<int64_t> NodeUpgrade::rank(const std::string &name) const {
  if (const auto *shape = tensorShape(type(name)))
    return shape->dim_size();
  return std::nullopt;
}

int64_t NodeUpgrade::neededRank(const std::string &name) const {
  if (auto known = rank(name))
    return *known;
  fail("cannot be upgraded to the newest opset because the rank of '" + name + "' is not known");
}

int32_t NodeUpgrade::elementType(const std::string &name) const {
  const TypeProto *known = type(name);
  return known && known->has_tensor_type() ? known->tensor_type().elem_type() : TensorProto::UNDEFINED;
}

std::string NodeUpgrade::emit(const std::string &op, const std::vector<std::string> &inputs,
                              const std::vector<AttributeProto> &attrs) {
  NodeProto &made = before.emplace_back();
  made.set_name(node.name());
  made.set_op_type(op);
  for (const std::string &input : inputs)
    made.add_input(input);
  for (const AttributeProto &attr : attrs)
    *made.add_attribute() = attr;
  made.add_output(upgrader.freshName());
  return made.output(0);
}

void NodeUpgrade::emitAfter(const std::string &op, const std::vector<std::string> &inputs,
                            const std::string &output, const std::vector<AttributeProto> &attrs) {
  NodeProto &made = after.emplace_back();
  made.set_name(node.name());
  made.set_op_type(op);
  for (const std::string &input : inputs)
    made.add_input(input);
  for (const AttributeProto &attr : attrs)
    *made.add_attribute() = attr;
  made.add_output(output);
}

std::string NodeUpgrade::constInts(const std::vector<int64_t> &values) {
  return emit("Constant", {}, {makeAttribute("value_ints", values)});
}

std::string NodeUpgrade::constInt(int64_t value) {
  return emit("Constant", {}, {makeAttribute("value_int", value)});
}

std::string NodeUpgrade::constFloats(const std::vector<float> &values) {
  AttributeProto attr;
  attr.set_name("value_floats");
  attr.set_type(AttributeProto::FLOATS);
  for (float f : values)
    attr.add_floats(f);
  return emit("Constant", {}, {attr});
}

std::string NodeUpgrade::constFloat(float value) {
  AttributeProto attr;
  attr.set_name("value_float");
  attr.set_type(AttributeProto::FLOAT);
  attr.set_f(value);
  return emit("Constant", {}, {attr});
}

std::string NodeUpgrade::constAttribute(const AttributeProto &attr) {
  AttributeProto value = attr;
  switch (attr.type()) {
  case AttributeProto::INT:
    value.set_name("value_int");
    break;
  case AttributeProto::INTS:
    value.set_name("value_ints");
    break;
  case AttributeProto::FLOAT:
    value.set_name("value_float");
    break;
  case AttributeProto::FLOATS:
    value.set_name("value_floats");
    break;
  default:
    fail("attribute '" + attr.name() + "' has an unexpected type");
  }
  return emit("Constant", {}, {value});
}

std::string NodeUpgrade::freshName() { return upgrader.freshName(); }

NodeUpgrade::Detached NodeUpgrade::detachOutput(int i) {
  Detached names{upgrader.freshName(), node.output(i)};
  node.set_output(i, names.fresh);
  return names;
}

int64_t NodeUpgrade::intAttribute(const char *name, int64_t defaultValue) const {
  const AttributeProto *attr = findAttribute(node, name);
  if (attr && !attr->ref_attr_name().empty())
    fail("cannot be upgraded to the newest opset because attribute '" + std::string(name) +
         "' is an attribute of the function");
  return attr ? attr->i() : defaultValue;
}

std::string NodeUpgrade::stringAttribute(const char *name, const std::string &defaultValue) const {
  const AttributeProto *attr = findAttribute(node, name);
  return attr ? attr->s() : defaultValue;
}

void NodeUpgrade::setInputs(const std::vector<std::string> &inputs) {
  node.clear_input();
  for (const std::string &input : inputs)
    node.add_input(input);
}

void NodeUpgrade::setInput(int i, const std::string &name) {
  while (node.input_size() <= i)
    node.add_input("");
  node.set_input(i, name);
}

//===----------------------------------------------------------------------===//
// Upgrader
//===----------------------------------------------------------------------===//

namespace {

// (domain, op) -> adapters in the order of their versions.
using AdapterMap = std::map<std::pair<std::string, std::string>, std::map<int, const Adapter *>>;

const AdapterMap &adapterMap() {
  static const AdapterMap map = [] {
    AdapterMap map;
    for (const auto *list : {&tensorAdapters(), &networkAdapters()})
      for (const Adapter &adapter : *list)
        map[{adapter.domain, adapter.op}][adapter.to] = &adapter;
    return map;
  }();
  return map;
}

bool sameValue(const AttributeProto &a, const AttributeProto &b) {
  return a.type() == b.type() && a.SerializeAsString() == b.SerializeAsString();
}

// An attribute that is absent keeps its old default where the newest schema
// gives another one.
void keepOldDefaults(NodeProto &node, const ::onnx::OpSchema &old, const ::onnx::OpSchema &newest) {
  for (const auto &[name, attr] : old.attributes()) {
    if (attr.default_value.type() == AttributeProto::UNDEFINED || findAttribute(node, name))
      continue;
    auto match = newest.attributes().find(name);
    if (match == newest.attributes().end() || match->second.type != attr.type ||
        sameValue(match->second.default_value, attr.default_value))
      continue;
    // GRU-1's default is a misspelt word.
    if (attr.default_value.s() == "foward")
      continue;
    *node.add_attribute() = attr.default_value;
  }
}

} // namespace

Upgrader::Upgrader(const ModelProto &model) {
  takeNames(model.graph());
  for (const FunctionProto &function : model.functions()) {
    functions.insert({function.domain(), function.name()});
    taken.insert(function.input().begin(), function.input().end());
    takeNames(function.node());
  }
}

void Upgrader::takeNames(const GraphProto &graph) {
  for (const auto &input : graph.input())
    taken.insert(input.name());
  for (const auto &initializer : graph.initializer())
    taken.insert(initializer.name());
  takeNames(graph.node());
}

void Upgrader::takeNames(const google::protobuf::RepeatedPtrField<NodeProto> &nodes) {
  for (const NodeProto &node : nodes) {
    taken.insert(node.output().begin(), node.output().end());
    for (const AttributeProto &attr : node.attribute())
      if (attr.has_g())
        takeNames(attr.g());
  }
}

std::string Upgrader::freshName() {
  std::string name;
  do
    name = "onnxc_upgrade_" + std::to_string(counter++);
  while (!taken.insert(name).second);
  return name;
}

void Upgrader::upgradeNode(NodeUpgrade &upgrade, const OpsetMap &opsets) {
  NodeProto &node = upgrade.node;
  auto opset = opsets.find(node.domain());
  if (opset == opsets.end() || !isStandardDomain(node.domain()) ||
      functions.count({node.domain(), node.op_type()}))
    return;
  int newestVersion = int(newestOpsets().at(node.domain()));
  if (opset->second == newestVersion)
    return;
  auto *registry = ::onnx::OpSchemaRegistry::Instance();
  const ::onnx::OpSchema *old = registry->GetSchema(node.op_type(), int(opset->second), node.domain());
  const ::onnx::OpSchema *newest = registry->GetSchema(node.op_type(), newestVersion, node.domain());
  if (!old)
    return;
  takeAttribute(node, "consumed_inputs");
  if (newest)
    keepOldDefaults(node, *old, *newest);

  // An adapter may change the operator, whose own adapters then go on from there.
  int version = int(opset->second);
  for (;;) {
    auto adapters = adapterMap().find({node.domain(), node.op_type()});
    if (adapters == adapterMap().end())
      break;
    auto next = adapters->second.upper_bound(version);
    if (next == adapters->second.end())
      break;
    version = next->first;
    next->second->apply(upgrade);
    if (upgrade.done)
      break;
  }
}

void Upgrader::upgradeNodes(google::protobuf::RepeatedPtrField<NodeProto> &nodes, ValueScope &scope,
                            const OpsetMap &opsets) {
  google::protobuf::RepeatedPtrField<NodeProto> result;
  result.Reserve(nodes.size());
  for (NodeProto &node : nodes) {
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g())
        upgradeGraph(*attr.mutable_g(), &scope, opsets);
    scope.addConstant(node);
    std::string description = describe(node, opsets);
    NodeUpgrade upgrade(std::move(node), scope, *this);
    try {
      upgradeNode(upgrade, opsets);
    } catch (const ImportError &error) {
      fail(description + ": " + error.what());
    }
    for (NodeProto &made : upgrade.before)
      *result.Add() = std::move(made);
    if (!upgrade.node.op_type().empty())
      *result.Add() = std::move(upgrade.node);
    for (NodeProto &made : upgrade.after)
      *result.Add() = std::move(made);
  }
  nodes.Swap(&result);
}

void Upgrader::upgradeGraph(GraphProto &graph, const ValueScope *outer, const OpsetMap &opsets) {
  ValueScope scope(outer);
  scope.addGraph(graph);
  upgradeNodes(*graph.mutable_node(), scope, opsets);
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static bool isNewest(const OpsetMap &opsets) {
  for (const auto &[domain, version] : opsets)
    if (isStandardDomain(domain) && newestOpsets().at(domain) != version)
      return false;
  return true;
}

static void setImports(google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto> &imports,
                       const OpsetMap &custom) {
  imports.Clear();
  OpsetMap all = newestOpsets();
  all.insert(custom.begin(), custom.end());
  for (const auto &[domain, version] : all) {
    auto *import = imports.Add();
    import->set_domain(domain);
    import->set_version(version);
  }
}

void upgradeModel(ModelProto &model, const OpsetMap &opsets, const Schemas &schemas) {
  bool newest = isNewest(opsets);
  if (!newest)
    inferTypes(model, opsets, schemas); // some adapters need ranks
  Upgrader upgrader(model);
  OpsetMap custom = opsets;
  for (FunctionProto &function : *model.mutable_functions()) {
    OpsetMap own;
    for (const auto &import : function.opset_import()) {
      own[import.domain()] = import.version();
      custom.emplace(import.domain(), import.version());
    }
    try {
      ValueScope scope;
      upgrader.upgradeNodes(*function.mutable_node(), scope, own);
    } catch (const ImportError &error) {
      fail("in function '" + function.name() + "': " + error.what());
    }
  }
  if (!newest)
    upgrader.upgradeGraph(*model.mutable_graph(), nullptr, opsets);
  // The same imports everywhere: functions can then be inlined as they are.
  setImports(*model.mutable_opset_import(), custom);
  for (FunctionProto &function : *model.mutable_functions())
    setImports(*function.mutable_opset_import(), custom);
  model.set_ir_version(::onnx::Version::IR_VERSION);
}

} // namespace onnxc::importer
