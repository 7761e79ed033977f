#include "Check.h"

#include "TensorData.h"

#include "onnxc/Schema/MicrosoftSchemas.h"

#include "onnx/checker.h"
#include "onnx/defs/schema.h"

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

namespace onnxc::importer {

namespace {

// External tensors up to this size are read at once, so that shape inference
// and the upgrade see constants that happen to be external.
constexpr uint64_t inlineExternalBytes = 4096;

constexpr int maxCallDepth = 200;

using Names = std::unordered_set<std::string>;

struct Scope {
  Names names;
  const Scope *outer = nullptr;
  bool contains(const std::string &name) const {
    for (const Scope *scope = this; scope; scope = scope->outer)
      if (scope->names.count(name))
        return true;
    return false;
  }
};

using FunctionKey = std::pair<std::string, std::string>; // domain, name

class Checker {
public:
  Checker(ModelProto &model, const ImportOptions &options, ExternalDataReader &external,
          const CustomOperators *customs)
      : model(model), options(options), external(external), customs(customs) {}

  OpsetMap run();

private:
  ModelProto &model;
  const ImportOptions &options;
  ExternalDataReader &external;
  const CustomOperators *customs;
  std::map<FunctionKey, std::vector<int>> functions;
  std::vector<std::string> unknown;
  int64_t nodes = 0, bytes = 0;
  int64_t irVersion = 0;

  OpsetMap readOpsets(google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto> &imports);
  void normaliseNode(NodeProto &node, const OpsetMap &opsets);
  void normaliseAttribute(AttributeProto &attr);
  void normaliseType(TypeProto &type, const std::string &name, int depth);
  void normaliseTensor(TensorProto &tensor);
  void checkGraph(GraphProto &graph, const Scope *outer, const OpsetMap &opsets, int depth,
                  bool inFunction);
  void checkNodes(google::protobuf::RepeatedPtrField<NodeProto> &list, Scope &scope,
                  const OpsetMap &opsets, int depth, bool inFunction);
  void checkNode(NodeProto &node, const OpsetMap &opsets, bool inFunction);
  void checkCustom(const NodeProto &node, const OpsetMap &opsets);
  void checkFunctions();
  void checkFunctionSizes();
};

// Names that a node reads: its inputs and what its subgraphs capture.
void collectUses(const NodeProto &node, std::vector<const std::string *> &uses) {
  for (const std::string &input : node.input())
    if (!input.empty())
      uses.push_back(&input);
  for (const AttributeProto &attr : node.attribute()) {
    if (!attr.has_g())
      continue;
    const GraphProto &graph = attr.g();
    Names local;
    for (const auto &input : graph.input())
      local.insert(input.name());
    for (const auto &initializer : graph.initializer())
      local.insert(initializer.name());
    for (const NodeProto &inner : graph.node())
      for (const std::string &output : inner.output())
        local.insert(output);
    std::vector<const std::string *> innerUses;
    for (const NodeProto &inner : graph.node())
      collectUses(inner, innerUses);
    for (const auto &output : graph.output())
      innerUses.push_back(&output.name());
    for (const std::string *name : innerUses)
      if (!local.count(*name))
        uses.push_back(name);
  }
}

// Nodes in topological order, keeping the file's order where it is one.
void sortNodes(google::protobuf::RepeatedPtrField<NodeProto> &list, const OpsetMap &opsets) {
  std::unordered_map<std::string, int> producer;
  for (int i = 0; i < list.size(); ++i)
    for (const std::string &output : list.Get(i).output())
      if (!output.empty())
        producer.emplace(output, i);
  bool sorted = true;
  std::vector<std::vector<int>> users(list.size());
  std::vector<int> waiting(list.size(), 0);
  for (int i = 0; i < list.size(); ++i) {
    std::vector<const std::string *> uses;
    collectUses(list.Get(i), uses);
    for (const std::string *name : uses)
      if (auto it = producer.find(*name); it != producer.end()) {
        sorted &= it->second < i;
        users[it->second].push_back(i);
        ++waiting[i];
      }
  }
  if (sorted)
    return;
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < list.size(); ++i)
    if (!waiting[i])
      ready.push(i);
  google::protobuf::RepeatedPtrField<NodeProto> result;
  while (!ready.empty()) {
    int i = ready.top();
    ready.pop();
    *result.Add() = list.Get(i);
    for (int user : users[i])
      if (--waiting[user] == 0)
        ready.push(user);
  }
  if (result.size() != list.size())
    for (int i = 0; i < list.size(); ++i)
      if (waiting[i])
        fail(describe(list.Get(i), opsets) + ": depends on its own output: the graph has a cycle");
  list.Swap(&result);
}

std::string opsetName(const std::string &domain) { return domain.empty() ? "ai.onnx" : domain; }

OpsetMap Checker::readOpsets(google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto> &imports) {
  OpsetMap opsets;
  for (auto &import : imports) {
    import.set_domain(canonicalDomain(import.domain()));
    const std::string &domain = import.domain();
    int64_t version = import.version();
    auto newest = newestOpsets().find(domain);
    if (newest != newestOpsets().end() && (version < 1 || version > newest->second))
      fail("opset " + std::to_string(version) + " of " + opsetName(domain) +
           " is not known: 1 to " + std::to_string(newest->second) + " are");
    auto [it, fresh] = opsets.emplace(domain, version);
    if (!fresh && it->second != version)
      fail("the model imports both opset " + std::to_string(it->second) + " and opset " +
           std::to_string(version) + " of " + opsetName(domain));
  }
  return opsets;
}

void Checker::normaliseTensor(TensorProto &tensor) {
  int64_t count = checkTensor(tensor, options.maxTensorBytes);
  uint64_t size = rawByteCount(tensor.data_type(), count);
  if (isExternal(tensor)) {
    ExternalBytes data = external.read(tensor, size);
    if (size <= inlineExternalBytes) {
      tensor.set_raw_data(std::string(data.bytes));
      tensor.clear_external_data();
      tensor.set_data_location(TensorProto::DEFAULT);
    }
  }
  bytes += int64_t(size);
  if (bytes > options.maxTensorBytes)
    fail("the model's tensors are larger than the limit of " + std::to_string(options.maxTensorBytes) +
         " bytes");
}

void Checker::normaliseType(TypeProto &type, const std::string &name, int depth) {
  if (depth > 8)
    fail("the type of '" + name + "' is nested too deeply");
  switch (type.value_case()) {
  case TypeProto::kTensorType: {
    int32_t element = type.tensor_type().elem_type();
    if (element != TensorProto::STRING && elementBits(element) == 0)
      fail("'" + name + "' has the invalid element type " + elementTypeName(element));
    if (type.tensor_type().has_shape())
      for (auto &dim : *type.mutable_tensor_type()->mutable_shape()->mutable_dim())
        if (dim.has_dim_value() && dim.dim_value() < 0)
          dim.clear_dim_value();
    break;
  }
  case TypeProto::kSequenceType:
    normaliseType(*type.mutable_sequence_type()->mutable_elem_type(), name, depth + 1);
    break;
  case TypeProto::kOptionalType:
    normaliseType(*type.mutable_optional_type()->mutable_elem_type(), name, depth + 1);
    break;
  case TypeProto::kMapType:
    normaliseType(*type.mutable_map_type()->mutable_value_type(), name, depth + 1);
    break;
  case TypeProto::VALUE_NOT_SET:
    break;
  default:
    fail("'" + name + "' has a sparse or opaque type, which is not supported");
  }
}

// IR version 1 had no type field in attributes.
void Checker::normaliseAttribute(AttributeProto &attr) {
  if (attr.type() == AttributeProto::UNDEFINED && attr.ref_attr_name().empty()) {
    if (attr.has_f())
      attr.set_type(AttributeProto::FLOAT);
    else if (attr.has_i())
      attr.set_type(AttributeProto::INT);
    else if (attr.has_s())
      attr.set_type(AttributeProto::STRING);
    else if (attr.has_t())
      attr.set_type(AttributeProto::TENSOR);
    else if (attr.has_g())
      attr.set_type(AttributeProto::GRAPH);
    else if (attr.floats_size())
      attr.set_type(AttributeProto::FLOATS);
    else if (attr.ints_size())
      attr.set_type(AttributeProto::INTS);
    else if (attr.strings_size())
      attr.set_type(AttributeProto::STRINGS);
  }
  if (attr.has_sparse_tensor() && attr.type() == AttributeProto::SPARSE_TENSOR) {
    *attr.mutable_t() = makeDense(attr.sparse_tensor(), options.maxTensorBytes, external);
    attr.clear_sparse_tensor();
    attr.set_type(AttributeProto::TENSOR);
    if (attr.name() == "sparse_value")
      attr.set_name("value");
  }
  if (attr.has_t())
    normaliseTensor(*attr.mutable_t());
  for (TensorProto &tensor : *attr.mutable_tensors())
    normaliseTensor(tensor);
  if (attr.has_tp())
    normaliseType(*attr.mutable_tp(), attr.name(), 0);
  if (attr.graphs_size() || attr.sparse_tensors_size())
    fail("attribute '" + attr.name() + "' is a list of graphs or sparse tensors, which is not supported");
}

// ONNX Runtime writes some of its own operators without their domain.
bool isMicrosoft(const NodeProto &node, const OpsetMap &opsets) {
  if (!node.domain().empty())
    return false;
  auto opset = opsets.find("");
  bool old = opset != opsets.end() && opset->second < 17;
  return node.op_type() == "SimplifiedLayerNormalization" ||
         (node.op_type() == "LayerNormalization" && old);
}

void Checker::normaliseNode(NodeProto &node, const OpsetMap &opsets) {
  node.set_domain(canonicalDomain(node.domain()));
  if (isMicrosoft(node, opsets) && !functions.count({"", node.op_type()}))
    node.set_domain(microsoftDomain);
  for (AttributeProto &attr : *node.mutable_attribute())
    normaliseAttribute(attr);
}

// The subgraphs of control flow must have the inputs and outputs that the node
// gives them: nothing after the import checks it again.
void checkSubgraphs(const NodeProto &node, int64_t opset) {
  auto expect = [&](const char *attribute, int64_t inputs, int64_t outputs) {
    const AttributeProto *attr = findAttribute(node, attribute);
    if (!attr || !attr->has_g())
      return;
    const GraphProto &graph = attr->g();
    if (graph.input_size() != inputs || graph.output_size() != outputs)
      fail("its subgraph '" + std::string(attribute) + "' must have " + std::to_string(inputs) +
           " inputs and " + std::to_string(outputs) + " outputs, it has " +
           std::to_string(graph.input_size()) + " and " + std::to_string(graph.output_size()));
  };
  int64_t inputs = node.input_size(), outputs = node.output_size();
  if (node.op_type() == "If") {
    expect("then_branch", 0, outputs);
    expect("else_branch", 0, outputs);
  } else if (node.op_type() == "Loop") {
    expect("body", std::max<int64_t>(inputs, 2), outputs + 1);
    if (inputs - 2 > outputs)
      fail("it has more loop-carried inputs than outputs");
  } else if (node.op_type() == "Scan") {
    int64_t values = opset < 9 ? inputs - 1 : inputs;
    const AttributeProto *scans = findAttribute(node, "num_scan_inputs");
    if (!scans || scans->i() < 1 || scans->i() > values)
      fail("attribute 'num_scan_inputs' must be 1 to " + std::to_string(values));
    expect("body", values, outputs);
  } else if (node.op_type() == "SequenceMap") {
    expect("body", inputs, outputs);
  }
}

// A node of an operator that a library declares.
void Checker::checkCustom(const NodeProto &node, const OpsetMap &opsets) {
  int64_t first = customs ? customs->firstVersion(node.domain(), node.op_type()) : 0;
  if (first == 0)
    return;
  Schemas schemas(customs, opsets);
  const CustomOperators::Operator *declared = schemas.custom(node);
  if (!declared)
    fail("it is declared from version " + std::to_string(first) + " of the domain on, the model imports version " +
         std::to_string(schemas.versionOf(node.domain())));
  for (const AttributeProto &attr : node.attribute())
    if (attr.has_g())
      fail("attribute '" + attr.name() + "' is a graph, which custom operators cannot have");
  declared->schema->Verify(node);
}

void Checker::checkNode(NodeProto &node, const OpsetMap &opsets, bool inFunction) {
  if (!inFunction)
    for (const AttributeProto &attr : node.attribute())
      if (!attr.ref_attr_name().empty())
        fail("attribute '" + attr.name() + "' refers to an attribute of a function, but the node is in none");
  if (node.domain() == internalDomain)
    fail("the domain is reserved");
  if (functions.count({node.domain(), node.op_type()}))
    return;
  if (!isStandardDomain(node.domain()))
    return checkCustom(node, opsets);
  auto opset = opsets.find(node.domain());
  if (opset == opsets.end())
    fail("the model imports no opset of this domain");
  auto *registry = ::onnx::OpSchemaRegistry::Instance();
  const ::onnx::OpSchema *schema =
      registry->GetSchema(node.op_type(), int(opset->second), node.domain());
  if (!schema) {
    const ::onnx::OpSchema *later =
        registry->GetSchema(node.op_type(), int(newestOpsets().at(node.domain())), node.domain());
    unknown.push_back(describe(node, opsets) +
                      (later ? ": not in this opset: it came later" : ": no such operator"));
    return;
  }
  // Deprecated operators cannot be verified. Those of ai.onnx.ml are models'
  // everyday form, others were only replaced by a newer version.
  if (schema->Deprecated()) {
    const ::onnx::OpSchema *newest =
        registry->GetSchema(node.op_type(), int(newestOpsets().at(node.domain())), node.domain());
    if (node.domain() == "ai.onnx.ml" || (newest && !newest->Deprecated()))
      return;
  }
  schema->Verify(node);
  if (node.domain().empty())
    checkSubgraphs(node, opset->second);
}

void Checker::checkNodes(google::protobuf::RepeatedPtrField<NodeProto> &list, Scope &scope,
                         const OpsetMap &opsets, int depth, bool inFunction) {
  nodes += list.size();
  if (nodes > options.maxNodes)
    fail("the model has more than " + std::to_string(options.maxNodes) + " nodes");
  sortNodes(list, opsets);
  for (NodeProto &node : list) {
    try {
      normaliseNode(node, opsets);
      for (const std::string &input : node.input())
        if (!input.empty() && !scope.contains(input))
          fail("its input '" + input + "' is not defined");
      checkNode(node, opsets, inFunction);
    } catch (const ImportError &error) {
      throw ImportError(describe(node, opsets) + ": " + error.what(), error.notes);
    } catch (const std::exception &error) {
      fail(describe(node, opsets) + ": not valid: " + error.what());
    }
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g())
        checkGraph(*attr.mutable_g(), &scope, opsets, depth + 1, inFunction);
    for (const std::string &output : node.output())
      if (!output.empty() && !scope.names.insert(output).second)
        fail(describe(node, opsets) + ": its output '" + output + "' is defined twice");
  }
}

void Checker::checkGraph(GraphProto &graph, const Scope *outer, const OpsetMap &opsets, int depth,
                         bool inFunction) {
  if (depth > options.maxNesting)
    fail("subgraphs are nested more than " + std::to_string(options.maxNesting) + " deep");
  Scope scope;
  scope.outer = outer;
  for (ValueInfoProto &input : *graph.mutable_input()) {
    if (input.name().empty())
      fail("graph '" + graph.name() + "' has an input without a name");
    if (!scope.names.insert(input.name()).second)
      fail("input '" + input.name() + "' of graph '" + graph.name() + "' is defined twice");
    normaliseType(*input.mutable_type(), input.name(), 0);
    if (!outer && input.type().value_case() == TypeProto::VALUE_NOT_SET)
      fail("input '" + input.name() + "' has no type");
  }
  for (const auto &sparse : graph.sparse_initializer())
    *graph.add_initializer() = makeDense(sparse, options.maxTensorBytes, external);
  graph.clear_sparse_initializer();
  Names initializers;
  for (TensorProto &tensor : *graph.mutable_initializer()) {
    if (tensor.name().empty())
      fail("graph '" + graph.name() + "' has an initializer without a name");
    if (!initializers.insert(tensor.name()).second)
      fail("initializer '" + tensor.name() + "' is defined twice");
    scope.names.insert(tensor.name());
    normaliseTensor(tensor);
  }
  for (ValueInfoProto &value : *graph.mutable_value_info())
    normaliseType(*value.mutable_type(), value.name(), 0);
  checkNodes(*graph.mutable_node(), scope, opsets, depth, inFunction);
  for (ValueInfoProto &output : *graph.mutable_output()) {
    normaliseType(*output.mutable_type(), output.name(), 0);
    if (!scope.contains(output.name()))
      fail("output '" + output.name() + "' of graph '" + graph.name() + "' is not defined");
  }
}

void Checker::checkFunctions() {
  for (int i = 0; i < model.functions_size(); ++i) {
    FunctionProto &function = *model.mutable_functions(i);
    function.set_domain(canonicalDomain(function.domain()));
    functions[{function.domain(), function.name()}].push_back(i);
  }
  for (FunctionProto &function : *model.mutable_functions()) {
    OpsetMap opsets = readOpsets(*function.mutable_opset_import());
    std::string what = "in function '" + function.name() + "': ";
    try {
      Scope scope;
      for (const std::string &input : function.input())
        if (input.empty() || !scope.names.insert(input).second)
          fail("its input '" + input + "' is defined twice or has no name");
      for (AttributeProto &attr : *function.mutable_attribute_proto())
        normaliseAttribute(attr);
      checkNodes(*function.mutable_node(), scope, opsets, 0, /*inFunction=*/true);
      for (const std::string &output : function.output())
        if (!scope.contains(output))
          fail("its output '" + output + "' is not defined");
    } catch (const ImportError &error) {
      throw ImportError(what + error.what(), error.notes);
    }
  }
  checkFunctionSizes();
}

// Functions that call functions can describe more nodes than would ever fit:
// counts what inlining makes, and refuses recursion.
void Checker::checkFunctionSizes() {
  if (functions.empty())
    return;
  std::vector<double> size(model.functions_size(), -1);
  std::vector<bool> active(model.functions_size(), false);
  int depth = 0;
  auto sizeOfList = [&](auto &&self, const google::protobuf::RepeatedPtrField<NodeProto> &list) -> double {
    double total = 0;
    for (const NodeProto &node : list) {
      total += 1;
      for (const AttributeProto &attr : node.attribute())
        if (attr.has_g())
          total += self(self, attr.g().node());
      auto it = functions.find({node.domain(), node.op_type()});
      if (it == functions.end())
        continue;
      for (int callee : it->second) {
        const FunctionProto &function = model.functions(callee);
        if (function.overload() != node.overload())
          continue;
        if (active[callee])
          fail("function '" + function.name() + "' calls itself");
        if (size[callee] < 0) {
          if (++depth > maxCallDepth)
            fail("functions call functions more than " + std::to_string(maxCallDepth) + " deep");
          active[callee] = true;
          size[callee] = self(self, function.node());
          active[callee] = false;
          --depth;
        }
        total += size[callee];
      }
    }
    return total;
  };
  if (sizeOfList(sizeOfList, model.graph().node()) > double(options.maxNodes))
    fail("the model has more than " + std::to_string(options.maxNodes) +
         " nodes once its functions are inlined");
}

OpsetMap Checker::run() {
  if (!model.has_graph())
    fail("not a valid ONNX model: it has no graph");
  irVersion = model.ir_version();
  int64_t newestIr = ::onnx::Version::IR_VERSION;
  if (irVersion > newestIr)
    fail("IR version " + std::to_string(irVersion) + " is not known: 1 to " + std::to_string(newestIr) +
         " are");
  OpsetMap opsets = readOpsets(*model.mutable_opset_import());
  if (opsets.empty()) {
    // Before IR version 3 a model had no opset imports: it means opset 1.
    if (irVersion >= 3)
      fail("not a valid ONNX model: it imports no operator set");
    auto *import = model.add_opset_import();
    import->set_version(1);
    opsets[""] = 1;
  }
  checkFunctions();
  checkGraph(*model.mutable_graph(), nullptr, opsets, 0, /*inFunction=*/false);
  if (!unknown.empty())
    throw ImportError(std::to_string(unknown.size()) + (unknown.size() == 1 ? " node has" : " nodes have") +
                          " an operator that is not known",
                      unknown);
  return opsets;
}

} // namespace

OpsetMap checkAndNormalise(ModelProto &model, const ImportOptions &options, ExternalDataReader &external,
                           const CustomOperators *customs) {
  return Checker(model, options, external, customs).run();
}

} // namespace onnxc::importer
