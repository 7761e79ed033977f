#include "onnxc/Import/ExpandFunction.h"

#include "Builder.h"
#include "Constants.h"
#include "TypeInference.h"
#include "Types.h"
#include "Upgrade.h"

#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "onnx/defs/function.h"
#include "onnx/defs/schema.h"

#include <map>

using namespace mlir;

namespace onnxc {

using namespace importer;

namespace {

// The operation as a node. Regions become graphs with one node of the internal
// domain, which the builder replaces by the region itself: a function body may
// put the graph into another one.
class NodeExporter {
public:
  NodeExporter(Operation *op, const ::onnx::OpSchema &schema) : op(op), schema(schema) {}

  NodeProto run();
  SmallVector<Region *> regions;

private:
  Operation *op;
  const ::onnx::OpSchema &schema;

  AttributeProto exportAttribute(const std::string &name, Attribute value);
  AttributeProto exportRegion(const std::string &name, Region &region);
};

AttributeProto NodeExporter::exportAttribute(const std::string &name, Attribute value) {
  AttributeProto attr;
  attr.set_name(name);
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    attr.set_type(AttributeProto::INT);
    attr.set_i(integer.getInt());
  } else if (auto number = dyn_cast<FloatAttr>(value)) {
    attr.set_type(AttributeProto::FLOAT);
    attr.set_f(number.getValue().convertToFloat());
  } else if (auto text = dyn_cast<StringAttr>(value)) {
    attr.set_type(AttributeProto::STRING);
    attr.set_s(text.getValue().str());
  } else if (auto ints = dyn_cast<DenseI64ArrayAttr>(value)) {
    attr.set_type(AttributeProto::INTS);
    for (int64_t i : ints.asArrayRef())
      attr.add_ints(i);
  } else if (auto floats = dyn_cast<DenseF32ArrayAttr>(value)) {
    attr.set_type(AttributeProto::FLOATS);
    for (float f : floats.asArrayRef())
      attr.add_floats(f);
  } else if (auto elements = dyn_cast<ElementsAttr>(value)) {
    attr.set_type(AttributeProto::TENSOR);
    *attr.mutable_t() = fromElementsAttr(elements, name);
  } else if (auto array = dyn_cast<ArrayAttr>(value)) {
    attr.set_type(AttributeProto::STRINGS);
    for (Attribute element : array) {
      auto text = dyn_cast<StringAttr>(element);
      if (!text)
        fail("attribute '" + name + "' has an unexpected kind");
      attr.add_strings(text.getValue().str());
    }
  } else if (auto type = dyn_cast<TypeAttr>(value)) {
    attr.set_type(AttributeProto::TYPE_PROTO);
    *attr.mutable_tp() = fromMlirType(type.getValue());
  } else {
    fail("attribute '" + name + "' has an unexpected kind");
  }
  return attr;
}

AttributeProto NodeExporter::exportRegion(const std::string &name, Region &region) {
  AttributeProto attr;
  attr.set_name(name);
  attr.set_type(AttributeProto::GRAPH);
  GraphProto &graph = *attr.mutable_g();
  graph.set_name(name);
  NodeProto &node = *graph.add_node();
  node.set_domain(internalDomain);
  node.set_op_type("Region");
  *node.add_attribute() = makeAttribute("number", int64_t(regions.size()));
  regions.push_back(&region);
  std::string prefix = "onnxc_" + name + "_";
  for (auto [i, arg] : llvm::enumerate(region.front().getArguments())) {
    ValueInfoProto &input = *graph.add_input();
    input.set_name(prefix + "in" + std::to_string(i));
    *input.mutable_type() = fromMlirType(arg.getType());
    node.add_input(input.name());
  }
  for (auto [i, value] : llvm::enumerate(region.front().getTerminator()->getOperands())) {
    ValueInfoProto &output = *graph.add_output();
    output.set_name(prefix + "out" + std::to_string(i));
    *output.mutable_type() = fromMlirType(value.getType());
    *graph.add_value_info() = output;
    node.add_output(output.name());
  }
  return attr;
}

NodeProto NodeExporter::run() {
  NodeProto node;
  node.set_op_type(schema.Name());
  node.set_domain(schema.domain());
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    node.add_input(onnx::isNone(operand) ? "" : "onnxc_in" + std::to_string(i));
  while (node.input_size() && node.input(node.input_size() - 1).empty())
    node.mutable_input()->RemoveLast();
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    node.add_output(onnx::isNone(result) ? "" : "onnxc_out" + std::to_string(i));
  while (node.output_size() && node.output(node.output_size() - 1).empty())
    node.mutable_output()->RemoveLast();
  unsigned region = 0;
  for (const auto &[name, attrType] : sortedAttributes(schema)) {
    if (attrType == AttributeProto::GRAPH) {
      Region &body = op->getRegion(region++);
      if (!body.empty())
        *node.add_attribute() = exportRegion(name, body);
    } else if (Attribute value = op->getAttr(name)) {
      *node.add_attribute() = exportAttribute(name, value);
    }
  }
  return node;
}

// Binds a function body to a node: attribute references become the node's
// attributes, formal names its values.
class BodyBinder {
public:
  BodyBinder(const FunctionProto &function, const NodeProto &node) {
    for (const AttributeProto &attr : function.attribute_proto())
      attributes[attr.name()] = attr;
    for (const AttributeProto &attr : node.attribute())
      attributes[attr.name()] = attr;
    for (int i = 0; i < function.input_size(); ++i)
      names[function.input(i)] = hasInput(node, i) ? node.input(i) : "";
    for (int i = 0; i < function.output_size(); ++i)
      if (hasOutput(node, i))
        names[function.output(i)] = node.output(i);
  }

  void bind(NodeProto &node) {
    for (std::string &input : *node.mutable_input())
      rename(input);
    for (std::string &output : *node.mutable_output())
      rename(output);
    for (int i = 0; i < node.attribute_size();) {
      AttributeProto &attr = *node.mutable_attribute(i);
      if (!attr.ref_attr_name().empty()) {
        auto it = attributes.find(attr.ref_attr_name());
        if (it == attributes.end()) {
          node.mutable_attribute()->DeleteSubrange(i, 1);
          continue;
        }
        std::string name = attr.name();
        attr = it->second;
        attr.set_name(name);
      }
      if (attr.has_g())
        bind(*attr.mutable_g());
      ++i;
    }
  }

private:
  std::map<std::string, AttributeProto> attributes;
  std::map<std::string, std::string> names;

  void rename(std::string &name) {
    if (auto it = names.find(name); it != names.end())
      name = it->second;
  }
  void bind(GraphProto &graph) {
    for (NodeProto &node : *graph.mutable_node())
      bind(node);
    for (auto *values : {graph.mutable_output(), graph.mutable_value_info()})
      for (ValueInfoProto &value : *values)
        rename(*value.mutable_name());
  }
};

const ::onnx::OpSchema *schemaOf(Operation *op) {
  auto interface = dyn_cast<onnx::OnnxOpInterface>(op);
  if (!interface)
    return nullptr;
  std::string domain = interface.getOnnxDomain().str();
  auto newest = newestOpsets().find(domain);
  if (newest == newestOpsets().end())
    return nullptr;
  return ::onnx::OpSchemaRegistry::Instance()->GetSchema(interface.getOnnxName().str(),
                                                         int(newest->second), domain);
}

std::optional<FunctionProto> functionBody(const ::onnx::OpSchema &schema, const NodeProto &node,
                                          const std::vector<TypeProto> &inputTypes) {
  int version = int(newestOpsets().at(schema.domain()));
  if (schema.HasContextDependentFunction()) {
    ::onnx::FunctionBodyBuildContextImpl context(node, inputTypes);
    FunctionProto function;
    if (schema.BuildContextDependentFunction(context, function, version))
      return function;
  }
  if (schema.HasFunction())
    if (const FunctionProto *function = schema.GetFunction(version))
      return *function;
  return std::nullopt;
}

// The body as a model: the node's present inputs are the graph's.
ModelProto bodyModel(const FunctionProto &function, const NodeProto &node,
                     const std::vector<TypeProto> &inputTypes, OpsetMap &opsets) {
  ModelProto model;
  GraphProto &graph = *model.mutable_graph();
  *graph.mutable_node() = function.node();
  BodyBinder binder(function, node);
  for (NodeProto &inner : *graph.mutable_node()) {
    inner.set_domain(canonicalDomain(inner.domain()));
    binder.bind(inner);
  }
  for (int i = 0; i < node.input_size(); ++i)
    if (hasInput(node, i)) {
      ValueInfoProto &input = *graph.add_input();
      input.set_name(node.input(i));
      *input.mutable_type() = inputTypes[size_t(i)];
    }
  for (const std::string &output : node.output())
    graph.add_output()->set_name(output);
  for (const auto &import : function.opset_import())
    opsets[canonicalDomain(import.domain())] = import.version();
  if (opsets.empty())
    opsets = newestOpsets();
  return model;
}

// The result's type tells what the operation's users rely on.
Value refine(Value value, Type wanted) {
  auto have = dyn_cast<RankedTensorType>(value.getType());
  auto want = dyn_cast<RankedTensorType>(wanted);
  if (value.getType() == wanted || isa<BlockArgument>(value))
    return value;
  if (isa<TensorType>(value.getType()) && !have) {
    value.setType(wanted);
  } else if (have && want && have.getRank() == want.getRank()) {
    SmallVector<int64_t> dims(have.getShape());
    for (auto [dim, known] : llvm::zip(dims, want.getShape()))
      if (ShapedType::isDynamic(dim))
        dim = known;
    value.setType(RankedTensorType::get(dims, have.getElementType()));
  }
  return value;
}

LogicalResult expand(Operation *op, RewriterBase &rewriter) {
  const ::onnx::OpSchema *schema = schemaOf(op);
  if (!schema || (!schema->HasFunction() && !schema->HasContextDependentFunction()))
    return failure();
  NodeExporter exporter(op, *schema);
  NodeProto node = exporter.run();
  std::vector<TypeProto> inputTypes;
  for (Value operand : op->getOperands())
    inputTypes.push_back(fromMlirType(operand.getType()));
  std::optional<FunctionProto> function = functionBody(*schema, node, inputTypes);
  if (!function)
    return failure();
  OpsetMap opsets;
  ModelProto model = bodyModel(*function, node, inputTypes, opsets);
  Schemas schemas;
  upgradeModel(model, opsets, schemas);
  inferTypes(model, newestOpsets(), schemas);

  SmallVector<Value> inputs;
  for (Value operand : op->getOperands())
    if (!onnx::isNone(operand))
      inputs.push_back(operand);
  ExternalDataReader external("");
  GraphBuilder builder(op->getContext(), StringAttr::get(op->getContext(), ""), opsets, external, schemas);
  builder.placeholderRegions = exporter.regions;
  // Built apart, so that nothing is left of it when the body cannot be built.
  auto block = std::make_unique<Block>();
  SmallVector<Value> outputs = builder.buildInline(*model.mutable_graph(), inputs, block.get(), op->getLoc());
  rewriter.setInsertionPoint(op);
  for (Operation &made : llvm::make_early_inc_range(*block)) {
    made.remove();
    rewriter.insert(&made);
  }
  SmallVector<Value> replacements;
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    if (onnx::isNone(result)) {
      replacements.push_back(onnx::NoneOp::create(rewriter, op->getLoc(), result.getType()));
      continue;
    }
    replacements.push_back(refine(outputs[i], result.getType()));
  }
  rewriter.replaceOp(op, replacements);
  return success();
}

} // namespace

bool hasFunctionBody(Operation *op) {
  try {
    const ::onnx::OpSchema *schema = schemaOf(op);
    return schema && (schema->HasFunction() || schema->HasContextDependentFunction());
  } catch (const std::exception &) {
    return false;
  }
}

LogicalResult expandFunction(Operation *op, RewriterBase &rewriter) {
  try {
    return expand(op, rewriter);
  } catch (const std::exception &error) {
    return op->emitOpError("cannot be expanded by its ONNX function body: ") << error.what();
  }
}

} // namespace onnxc
