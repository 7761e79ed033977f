#include "Builder.h"

#include "Constants.h"
#include "TypeInference.h"
#include "Types.h"

#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "onnx/defs/schema.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

using namespace mlir;

namespace onnxc::importer {

// Blocks are filled before they are part of an operation.
static OpBuilder atEndOf(Block *block, MLIRContext *context) {
  OpBuilder builder(context);
  builder.setInsertionPointToEnd(block);
  return builder;
}

std::vector<std::pair<std::string, AttributeProto::AttributeType>>
sortedAttributes(const ::onnx::OpSchema &schema) {
  std::vector<std::pair<std::string, AttributeProto::AttributeType>> attributes;
  for (const auto &[name, attr] : schema.attributes())
    attributes.emplace_back(name, attr.type);
  llvm::sort(attributes, std::greater<>());
  return attributes;
}

std::string dialectOpName(const std::string &domain, const std::string &op) {
  if (domain.empty())
    return "onnx." + op;
  if (domain == "ai.onnx.ml")
    return "onnx.ml." + op;
  if (domain == "ai.onnx.preview")
    return "onnx.preview." + op;
  if (domain == "ai.onnx.preview.training")
    return "onnx.training." + op;
  return "";
}

Location GraphBuilder::location(StringRef kind, StringRef name, unsigned index) {
  if (fixedLoc)
    return *fixedLoc;
  return NameLoc::get(StringAttr::get(context, kind + ":" + name), FileLineColLoc::get(file, index, 0));
}

//===----------------------------------------------------------------------===//
// Values and types
//===----------------------------------------------------------------------===//

Value GraphBuilder::none(Scope &scope) {
  Scope *top = &scope;
  while (top->outer)
    top = top->outer;
  // At the current end of the outermost list: before whatever holds the user.
  if (!top->none)
    top->none = onnx::NoneOp::create(top->builder, fixedLoc.value_or(UnknownLoc::get(context)),
                                     NoneType::get(context));
  return top->none;
}

Value GraphBuilder::lookup(Scope &scope, const std::string &name) {
  for (Scope *s = &scope; s; s = s->outer) {
    if (auto it = s->values.find(name); it != s->values.end())
      return it->second;
    if (auto it = s->initializers.find(name); it != s->initializers.end())
      return s->values[name] = makeConstant(s->builder, *it->second, location("Constant", name, 0));
  }
  fail("its input '" + name + "' is not defined");
}

Value GraphBuilder::makeConstant(OpBuilder &builder, TensorProto &tensor, Location loc) {
  ElementsAttr value = toElementsAttr(tensor, external, context);
  return onnx::ConstantOp::create(builder, loc, value.getType(), value);
}

Type GraphBuilder::knownType(Scope &scope, const std::string &name) {
  auto it = scope.types.find(name);
  return it == scope.types.end() ? Type() : toMlirType(*it->second, context);
}

[[noreturn]] static void failToInfer(const NodeProto &node, int i) {
  fail("the type of its output '" + node.output(i) +
       "' cannot be inferred: the model should give it in value_info");
}

// Where the inference of the whole model found nothing (it skips some
// subgraphs), that of the node may, and the schema still says much: an output
// that shares its type variable with an input, or that has only one type. Null: nothing is known.
Type GraphBuilder::resultType(Scope &scope, NodeProto &node, int i, ValueRange operands) {
  if (node.output(i).empty())
    return NoneType::get(context);
  if (Type known = knownType(scope, node.output(i)))
    return known;
  std::vector<TypeProto> inputTypes;
  for (Value operand : operands)
    inputTypes.push_back(fromMlirType(operand.getType()));
  std::string why;
  if (Type inferred = toMlirType(inferOutputTypes(node, inputTypes, schemas, &why)[size_t(i)], context))
    return inferred;
  const ::onnx::OpSchema *schema = schemas.newest(node);
  // What a library says of its own operator is what counts.
  if (!why.empty() && schemas.custom(node))
    fail("invalid operator: " + why);
  if (schema && !schema->outputs().empty()) {
    const auto &output = schema->outputs()[std::min(size_t(i), schema->outputs().size() - 1)];
    const auto &inputs = schema->inputs();
    for (size_t k = 0; output.GetIsHomogeneous() && k < operands.size() && !inputs.empty(); ++k) {
      const auto &input = inputs[std::min(k, inputs.size() - 1)];
      if (input.GetTypeStr() == output.GetTypeStr() && !isa<NoneType>(operands[k].getType()))
        return withoutShape(operands[k].getType());
    }
    if (output.GetTypes().size() == 1)
      if (Type type = toMlirType(::onnx::Utils::DataTypeUtils::ToTypeProto(*output.GetTypes().begin()), context))
        return type;
  }
  return {};
}

// What output i of a Loop, Scan, If or SequenceMap is by what its subgraph yields: the sizes may change from
// one iteration or branch to the next, and outputs behind the states are stacked.
static Type yieldedType(const NodeProto &node, int i, Region &region) {
  StringRef name = node.op_type();
  bool loop = name == "Loop", scan = name == "Scan", map = name == "SequenceMap";
  if (region.empty() || !(loop || scan || map || name == "If"))
    return {};
  auto yielded = region.front().getTerminator()->getOperands();
  size_t at = size_t(i) + (loop ? 1 : 0); // behind the condition
  if (at >= yielded.size())
    return {};
  Type type = yielded[at].getType();
  return map ? Type(onnx::SeqType::get(type.getContext(), withoutShape(type))) : withoutShape(type);
}

void GraphBuilder::declare(Scope &scope, GraphProto &graph) {
  for (const auto *values : {&graph.output(), &graph.input(), &graph.value_info()})
    for (const ValueInfoProto &value : *values)
      if (value.type().value_case() != TypeProto::VALUE_NOT_SET)
        scope.types[value.name()] = &value.type();
  for (TensorProto &tensor : *graph.mutable_initializer())
    scope.initializers[tensor.name()] = &tensor;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

Attribute GraphBuilder::convertAttribute(AttributeProto &attr) {
  Builder b(context);
  switch (attr.type()) {
  case AttributeProto::INT:
    return b.getI64IntegerAttr(attr.i());
  case AttributeProto::FLOAT:
    return b.getF32FloatAttr(attr.f());
  case AttributeProto::STRING:
    return b.getStringAttr(attr.s());
  case AttributeProto::INTS:
    return b.getDenseI64ArrayAttr({attr.ints().data(), size_t(attr.ints_size())});
  case AttributeProto::FLOATS:
    return b.getDenseF32ArrayAttr({attr.floats().data(), size_t(attr.floats_size())});
  case AttributeProto::STRINGS: {
    SmallVector<Attribute> strings;
    for (const std::string &s : attr.strings())
      strings.push_back(b.getStringAttr(s));
    return b.getArrayAttr(strings);
  }
  case AttributeProto::TENSOR:
    return toElementsAttr(*attr.mutable_t(), external, context);
  case AttributeProto::TENSORS: {
    SmallVector<Attribute> tensors;
    for (TensorProto &tensor : *attr.mutable_tensors())
      tensors.push_back(toElementsAttr(tensor, external, context));
    return b.getArrayAttr(tensors);
  }
  case AttributeProto::TYPE_PROTO:
    if (Type type = toMlirType(attr.tp(), context))
      return TypeAttr::get(type);
    fail("attribute '" + attr.name() + "' holds a type that is not complete");
  default:
    fail("attribute '" + attr.name() + "' has a kind that is not supported");
  }
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

// What the inputs of an operator's subgraph are when nothing declares it.
static SmallVector<Type> subgraphInputTypes(const NodeProto &node, ValueRange operands, int count) {
  SmallVector<Type> types(count);
  if (operands.empty())
    return types;
  MLIRContext *context = operands.front().getContext();
  auto scalar = [&](Type element) { return RankedTensorType::get({}, element); };
  const AttributeProto *scans = findAttribute(node, "num_scan_inputs");
  int64_t states = int64_t(operands.size()) - (scans ? scans->i() : 0);
  for (int i = 0; i < count; ++i) {
    if (node.op_type() == "Loop") {
      if (i == 0)
        types[i] = scalar(IntegerType::get(context, 64));
      else if (i == 1)
        types[i] = scalar(IntegerType::get(context, 1));
      else if (size_t(i) < operands.size())
        types[i] = withoutShape(operands[i].getType());
    } else if (node.op_type() == "Scan" && size_t(i) < operands.size()) {
      types[i] = withoutShape(operands[i].getType());
      auto tensor = dyn_cast<RankedTensorType>(operands[i].getType());
      if (i >= states && tensor && tensor.getRank() > 0)
        types[i] = RankedTensorType::get(SmallVector<int64_t>(tensor.getRank() - 1, ShapedType::kDynamic),
                                         tensor.getElementType());
    } else if (node.op_type() == "SequenceMap" && size_t(i) < operands.size()) {
      auto seq = dyn_cast<onnx::SeqType>(operands[i].getType());
      types[i] = seq ? seq.getElementType() : operands[i].getType();
    }
  }
  return types;
}

void GraphBuilder::buildRegion(Scope &outer, GraphProto &graph, Region &region, ArrayRef<Type> inputTypes,
                               Location loc) {
  Block *block = new Block;
  region.push_back(block);
  Scope scope{&outer, atEndOf(block, context), {}, {}, {}, {}};
  declare(scope, graph);
  for (auto [i, input] : llvm::enumerate(graph.input())) {
    if (scope.initializers.count(input.name()))
      continue;
    Type type = knownType(scope, input.name());
    if (!type && i < inputTypes.size())
      type = inputTypes[i];
    if (!type)
      fail("the type of its subgraph's input '" + input.name() + "' cannot be inferred");
    scope.values[input.name()] = block->addArgument(type, loc);
  }
  buildNodes(scope, graph);
  SmallVector<Value> results;
  for (const ValueInfoProto &output : graph.output())
    results.push_back(lookup(scope, output.name()));
  onnx::YieldOp::create(scope.builder, loc, results);
}

void GraphBuilder::buildConstant(Scope &scope, NodeProto &node, Location loc) {
  if (node.attribute_size() != 1 || node.output_size() != 1)
    fail("it must have one value and one output");
  AttributeProto &attr = *node.mutable_attribute(0);
  TensorProto tensor;
  switch (attr.type()) {
  case AttributeProto::TENSOR:
    tensor = std::move(*attr.mutable_t());
    break;
  case AttributeProto::INT:
    tensor.set_data_type(TensorProto::INT64);
    tensor.add_int64_data(attr.i());
    break;
  case AttributeProto::FLOAT:
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.add_float_data(attr.f());
    break;
  case AttributeProto::STRING:
    tensor.set_data_type(TensorProto::STRING);
    tensor.add_string_data(attr.s());
    break;
  case AttributeProto::INTS:
    tensor.set_data_type(TensorProto::INT64);
    tensor.add_dims(attr.ints_size());
    tensor.mutable_int64_data()->Swap(attr.mutable_ints());
    break;
  case AttributeProto::FLOATS:
    tensor.set_data_type(TensorProto::FLOAT);
    tensor.add_dims(attr.floats_size());
    tensor.mutable_float_data()->Swap(attr.mutable_floats());
    break;
  case AttributeProto::STRINGS:
    tensor.set_data_type(TensorProto::STRING);
    tensor.add_dims(attr.strings_size());
    tensor.mutable_string_data()->Swap(attr.mutable_strings());
    break;
  default:
    fail("attribute '" + attr.name() + "' has a kind that is not supported");
  }
  if (tensor.name().empty())
    tensor.set_name(node.output(0));
  scope.values[node.output(0)] = makeConstant(scope.builder, tensor, loc);
}

void GraphBuilder::buildCustom(Scope &scope, NodeProto &node, Location loc) {
  SmallVector<Value> operands;
  for (const std::string &input : node.input())
    operands.push_back(input.empty() ? none(scope) : lookup(scope, input));
  SmallVector<Type> types;
  for (int i = 0; i < node.output_size(); ++i) {
    types.push_back(resultType(scope, node, i, operands));
    if (!types.back())
      failToInfer(node, i);
  }
  NamedAttrList attrs;
  for (AttributeProto &attr : *node.mutable_attribute()) {
    if (attr.has_g())
      fail("an operator of another domain with a subgraph is not supported");
    attrs.set(attr.name(), convertAttribute(attr));
  }
  Builder b(context);
  auto op = onnx::CustomOp::create(scope.builder, loc, types, b.getStringAttr(node.domain()),
                                   b.getStringAttr(node.op_type()), attrs.getDictionary(context), operands);
  if (const auto *declared = schemas.custom(node))
    op->setAttr(kCustomVersionAttr, b.getI64IntegerAttr(declared->op->since_version));
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      scope.values[node.output(i)] = op->getResult(i);
}

// A node that stands for a region of the operation that is being expanded.
void GraphBuilder::buildPlaceholder(Scope &scope, NodeProto &node) {
  size_t number = size_t(node.attribute(0).i());
  Block &block = placeholderRegions[number]->front();
  IRMapping mapping;
  for (int i = 0; i < node.input_size(); ++i)
    mapping.map(block.getArgument(i), lookup(scope, node.input(i)));
  for (Operation &op : block.without_terminator())
    scope.builder.clone(op, mapping);
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands()))
    scope.values[node.output(int(i))] = mapping.lookupOrDefault(value);
}

// Names mean nothing in the dialect: the tensors that Gradient's attributes name become inputs.
static void addNamedTensors(NodeProto &node) {
  int values = node.input_size();
  for (const char *attrName : {"xs", "zs"})
    if (AttributeProto *names = findAttribute(node, attrName))
      for (const std::string &name : names->strings())
        node.add_input(name);
  AttributeProto *target = findAttribute(node, "y");
  if (!target || node.input_size() != 2 * values)
    fail("it needs an attribute y, and one input for each name in xs and zs");
  node.add_input(target->s());
}

void GraphBuilder::buildNode(Scope &scope, NodeProto &node, Location loc) {
  if (node.domain() == internalDomain)
    return buildPlaceholder(scope, node);
  if (node.domain().empty() && node.op_type() == "Constant")
    return buildConstant(scope, node, loc);
  if (node.domain() == "ai.onnx.preview.training" && node.op_type() == "Gradient")
    addNamedTensors(node);
  std::string name = dialectOpName(node.domain(), node.op_type());
  if (name.empty())
    return buildCustom(scope, node, loc);
  const ::onnx::OpSchema *schema = ::onnx::OpSchemaRegistry::Instance()->GetSchema(
      node.op_type(), int(newestOpsets().at(node.domain())), node.domain());
  if (!schema || !RegisteredOperationName::lookup(name, context))
    fail("the operator does not exist in the newest opset and has no equivalent there");

  OperationState state(loc, name);
  auto isVariadic = [](const std::vector<::onnx::OpSchema::FormalParameter> &params) {
    return !params.empty() && params.back().GetOption() == ::onnx::OpSchema::Variadic;
  };
  // All parameters are present; those that the node lacks as none.
  int inputs = int(schema->inputs().size()), outputs = int(schema->outputs().size());
  inputs = isVariadic(schema->inputs()) ? std::max(inputs - 1, node.input_size()) : inputs;
  outputs = isVariadic(schema->outputs()) ? std::max(outputs - 1, node.output_size()) : outputs;
  if (node.input_size() > inputs || node.output_size() > outputs)
    fail("it has too many inputs or outputs");
  for (int i = 0; i < inputs; ++i)
    state.operands.push_back(hasInput(node, i) ? lookup(scope, node.input(i)) : none(scope));
  SmallVector<Value> operands(state.operands.begin(), state.operands.end());
  for (const auto &[attrName, attrType] : sortedAttributes(*schema)) {
    AttributeProto *attr = findAttribute(node, attrName);
    if (attrType == AttributeProto::GRAPH) {
      Region *region = state.addRegion();
      if (attr)
        buildRegion(scope, *attr->mutable_g(), *region,
                    subgraphInputTypes(node, operands, attr->g().input_size()), loc);
    } else if (attr) {
      state.addAttribute(attrName, convertAttribute(*attr));
    }
  }
  for (int i = 0; i < outputs; ++i) {
    Type type = hasOutput(node, i) ? resultType(scope, node, i, operands) : Type(NoneType::get(context));
    for (size_t r = 0; !type && r < state.regions.size(); ++r)
      type = yieldedType(node, i, *state.regions[r]);
    if (!type)
      failToInfer(node, i);
    state.addTypes(type);
  }
  Operation *op = scope.builder.create(state);
  for (int i = 0; i < node.output_size(); ++i)
    if (hasOutput(node, i))
      scope.values[node.output(i)] = op->getResult(i);
}

void GraphBuilder::buildNodes(Scope &scope, GraphProto &graph) {
  unsigned index = 0;
  for (NodeProto &node : *graph.mutable_node()) {
    Location loc = location(node.op_type(), node.name(), index++);
    try {
      buildNode(scope, node, loc);
    } catch (const ImportError &error) {
      // Inside subgraphs the innermost node is the one to name.
      if (error.namesNode)
        throw;
      throw ImportError(describe(node, opsets) + ": " + error.what(), error.notes, /*namesNode=*/true);
    }
  }
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

void GraphBuilder::buildMain(GraphProto &graph, ModuleOp module) {
  Location loc = FileLineColLoc::get(file, 0, 0);
  OpBuilder top = OpBuilder::atBlockEnd(module.getBody());
  Builder b(context);
  auto block = std::make_unique<Block>();
  Scope scope{nullptr, atEndOf(block.get(), context), {}, {}, {}, {}};
  declare(scope, graph);

  auto describeValue = [&](const std::string &name, const TypeProto &type) -> Attribute {
    return b.getDictionaryAttr({b.getNamedAttr("onnx.name", b.getStringAttr(name)),
                                b.getNamedAttr("onnx.dim_params", dimNames(type, context))});
  };
  SmallVector<Type> argTypes, resultTypes;
  SmallVector<Attribute> argAttrs, resultAttrs;
  for (const ValueInfoProto &input : graph.input()) {
    if (scope.initializers.count(input.name()))
      continue;
    Type type = toMlirType(input.type(), context);
    if (!type)
      fail("input '" + input.name() + "' has a type that is not complete or not supported");
    argTypes.push_back(type);
    argAttrs.push_back(describeValue(input.name(), input.type()));
    scope.values[input.name()] = block->addArgument(type, loc);
  }
  buildNodes(scope, graph);
  SmallVector<Value> results;
  for (const ValueInfoProto &output : graph.output()) {
    results.push_back(lookup(scope, output.name()));
    resultTypes.push_back(results.back().getType());
    auto known = scope.types.find(output.name());
    TypeProto type = known == scope.types.end() ? TypeProto() : *known->second;
    if (auto *inferred = tensorShape(&type)) {
      // The model's own names go before inferred ones.
      const auto *declared = tensorShape(&output.type());
      if (declared && declared->dim_size() == inferred->dim_size())
        for (int i = 0; i < declared->dim_size(); ++i)
          if (!inferred->dim(i).has_dim_value() && !declared->dim(i).dim_param().empty())
            type.mutable_tensor_type()->mutable_shape()->mutable_dim(i)->set_dim_param(
                declared->dim(i).dim_param());
    }
    resultAttrs.push_back(describeValue(output.name(), type));
  }
  func::ReturnOp::create(scope.builder, loc, results);

  auto func = func::FuncOp::create(top, loc, "main_graph", b.getFunctionType(argTypes, resultTypes));
  func.getBody().push_back(block.release());
  func.setAllArgAttrs(argAttrs);
  func.setAllResultAttrs(resultAttrs);
}

SmallVector<Value> GraphBuilder::buildInline(GraphProto &graph, ValueRange inputs, Block *block,
                                             Location loc) {
  fixedLoc = loc;
  Scope scope{nullptr, atEndOf(block, context), {}, {}, {}, {}};
  declare(scope, graph);
  for (auto [input, value] : llvm::zip(graph.input(), inputs))
    scope.values[input.name()] = value;
  buildNodes(scope, graph);
  SmallVector<Value> results;
  for (const ValueInfoProto &output : graph.output())
    results.push_back(output.name().empty() ? Value() : lookup(scope, output.name()));
  return results;
}

} // namespace onnxc::importer
