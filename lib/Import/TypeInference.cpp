#include "TypeInference.h"

#include "onnxc/Schema/MicrosoftSchemas.h"
#include "onnxc/Schema/MissingInference.h"

#include "onnx/defs/data_propagators.h"
#include "onnx/shape_inference/implementation.h"

#include <algorithm>
#include <list>
#include <unordered_set>

namespace onnxc::importer {

namespace inference = ::onnx::shape_inference;

namespace {

using DeclaredTypes = std::unordered_map<std::string, TypeProto>;

void dropSizes(TypeProto &type) {
  switch (type.value_case()) {
  case TypeProto::kTensorType:
    if (type.tensor_type().has_shape())
      for (auto &dim : *type.mutable_tensor_type()->mutable_shape()->mutable_dim())
        dim.clear_dim_value();
    break;
  case TypeProto::kSequenceType:
    dropSizes(*type.mutable_sequence_type()->mutable_elem_type());
    break;
  case TypeProto::kOptionalType:
    dropSizes(*type.mutable_optional_type()->mutable_elem_type());
    break;
  case TypeProto::kMapType:
    dropSizes(*type.mutable_map_type()->mutable_value_type());
    break;
  default:
    break;
  }
}

// Takes the declared types of values that nodes compute out of the graph, since
// wrong ones would stop the inference of the whole model.
void takeDeclared(GraphProto &graph, DeclaredTypes &declared) {
  // An input that is handed on as an output gets a type from nothing else.
  std::unordered_set<std::string> computed;
  for (const NodeProto &node : graph.node())
    computed.insert(node.output().begin(), node.output().end());
  for (auto *values : {graph.mutable_value_info(), graph.mutable_output()})
    for (ValueInfoProto &value : *values)
      if (value.type().value_case() != TypeProto::VALUE_NOT_SET) {
        dropSizes(*value.mutable_type());
        declared.emplace(value.name(), value.type());
        if (computed.count(value.name()))
          value.clear_type();
      }
  graph.clear_value_info();
  for (NodeProto &node : *graph.mutable_node())
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g()) {
        // Exporters write the sizes of a Loop's first iteration, which another one need not have.
        for (ValueInfoProto &input : *attr.mutable_g()->mutable_input())
          dropSizes(*input.mutable_type());
        takeDeclared(*attr.mutable_g(), declared);
      }
}

// Gives values of subgraphs for which nothing was found their declared types.
void restoreDeclared(GraphProto &graph, const DeclaredTypes &declared) {
  std::unordered_set<std::string> known;
  for (const ValueInfoProto &value : graph.value_info())
    known.insert(value.name());
  auto restore = [&](const std::string &name) {
    auto it = declared.find(name);
    if (it == declared.end() || !known.insert(name).second)
      return;
    ValueInfoProto &value = *graph.add_value_info();
    value.set_name(name);
    *value.mutable_type() = it->second;
  };
  for (NodeProto &node : *graph.mutable_node()) {
    for (const std::string &output : node.output())
      restore(output);
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g())
        restoreDeclared(*attr.mutable_g(), declared);
  }
}

class Inferrer {
public:
  Inferrer(ModelProto &model, const OpsetMap &opsets, const Schemas &schemas)
      : graph(*model.mutable_graph()), schemas(schemas) {
    for (const auto &[domain, version] : schemas.importedOpsets())
      imports[domain] = int(version);
    for (const auto &[domain, version] : opsets)
      imports[domain] = int(version);
    imports[internalDomain] = 1;
    imports[microsoftDomain] = 1;
    for (const FunctionProto &function : model.functions())
      functions.insert({function.domain() + ":" + function.name() +
                            (function.overload().empty() ? "" : ":" + function.overload()),
                        &function});
  }

  void run();

private:
  GraphProto &graph;
  const Schemas &schemas;
  std::unordered_map<std::string, int> imports;
  inference::ModelLocalFunctionsMap functions;
  DeclaredTypes declared;
  std::list<TypeProto> owned;
  std::unordered_map<std::string, TypeProto *> types;
  std::unordered_map<std::string, const TensorProto *> data;
  std::unordered_map<std::string, const ::onnx::SparseTensorProto *> sparseData;
  std::list<TensorProto> ownedData;
  inference::DataValueMap shapeData;
  ::onnx::ShapeInferenceOptions options{false, 0, true};

  void addInitializer(const TensorProto &tensor);
  void addConstant(const NodeProto &node);
  bool readsLongList(const NodeProto &node) const;
  void inferNode(NodeProto &node, inference::GraphInferenceContext &context);
  void setType(const std::string &name, const TypeProto *inferred);
};

void Inferrer::addInitializer(const TensorProto &tensor) {
  TypeProto &type = owned.emplace_back();
  type.mutable_tensor_type()->set_elem_type(tensor.data_type());
  auto *shape = type.mutable_tensor_type()->mutable_shape();
  for (int64_t dim : tensor.dims())
    shape->add_dim()->set_dim_value(dim);
  types[tensor.name()] = &type;
  if (tensor.data_location() != TensorProto::EXTERNAL)
    data[tensor.name()] = &tensor;
}

void Inferrer::addConstant(const NodeProto &node) {
  if (node.op_type() != "Constant" || !node.domain().empty() || node.output_size() != 1)
    return;
  for (const AttributeProto &attr : node.attribute()) {
    const TensorProto *value = nullptr;
    if (attr.name() == "value" && attr.has_t()) {
      if (attr.t().data_location() != TensorProto::EXTERNAL)
        value = &attr.t();
    } else if (attr.name() == "value_int") {
      TensorProto &tensor = ownedData.emplace_back();
      tensor.set_data_type(TensorProto::INT64);
      tensor.add_int64_data(attr.i());
      value = &tensor;
    } else if (attr.name() == "value_ints") {
      TensorProto &tensor = ownedData.emplace_back();
      tensor.set_data_type(TensorProto::INT64);
      tensor.add_dims(attr.ints_size());
      *tensor.mutable_int64_data() = attr.ints();
      value = &tensor;
    } else if (attr.name() == "value_floats") {
      TensorProto &tensor = ownedData.emplace_back();
      tensor.set_data_type(TensorProto::FLOAT);
      tensor.add_dims(attr.floats_size());
      *tensor.mutable_float_data() = attr.floats();
      value = &tensor;
    }
    if (value)
      data[node.output(0)] = value;
  }
}

void Inferrer::setType(const std::string &name, const TypeProto *inferred) {
  auto found = declared.find(name);
  const TypeProto *fallback = found == declared.end() ? nullptr : &found->second;
  if (!inferred || inferred->value_case() == TypeProto::VALUE_NOT_SET) {
    if (fallback)
      types[name] = &owned.emplace_back(*fallback);
    return;
  }
  TypeProto &type = owned.emplace_back(*inferred);
  types[name] = &type;
  if (!fallback || !type.has_tensor_type() || !fallback->has_tensor_type())
    return;
  auto &tensor = *type.mutable_tensor_type();
  const auto &declaredTensor = fallback->tensor_type();
  if (tensor.elem_type() == TensorProto::UNDEFINED)
    tensor.set_elem_type(declaredTensor.elem_type());
  if (!tensor.has_shape() && declaredTensor.has_shape())
    *tensor.mutable_shape() = declaredTensor.shape();
}

void Inferrer::inferNode(NodeProto &node, inference::GraphInferenceContext &context) {
  auto import = imports.find(node.domain());
  const ::onnx::OpSchema *schema =
      import == imports.end() ? nullptr
                              : schemas.GetSchema(node.op_type(), import->second, node.domain());
  inference::InferenceContextImpl ctx(node, types, data, sparseData, options, &shapeData, &context);
  try {
    auto function = functions.find(node.domain() + ":" + node.op_type() +
                                   (node.overload().empty() ? "" : ":" + node.overload()));
    if (function != functions.end())
      inference::InferShapeForFunctionNode(*function->second, &schemas, ctx, options, functions,
                                           nullptr, &shapeData);
    else if (schema && schema->has_type_and_shape_inference_function())
      inferenceFunctionOf(*schema)(ctx);
    else if (schema && schema->HasFunction())
      inference::InferShapeForFunctionNode(*schema->GetFunction(import->second), &schemas, ctx, options,
                                           functions, nullptr, &shapeData);
    else if (schema)
      inferenceFunctionOf(*schema)(ctx);
  } catch (const std::exception &) {
    // The declared type, if any, is what remains.
  }
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      setType(node.output(i), ctx.getOutputType(size_t(i)));
  addConstant(node);
  if (!schema || !schema->has_data_propagation_function() || readsLongList(node))
    return;
  try {
    inference::DataPropagationContextImpl propagation(node, types, data, shapeData);
    schema->GetDataPropagationFunction()(propagation);
  } catch (const std::exception &) {
  }
}

// Propagation makes an unknown element for each element that a list's declared length promises.
bool Inferrer::readsLongList(const NodeProto &node) const {
  constexpr int64_t longest = 4096;
  return std::any_of(node.input().begin(), node.input().end(), [&](const std::string &name) {
    auto type = types.find(name);
    const auto *shape = type == types.end() ? nullptr : tensorShape(type->second);
    return shape && shape->dim_size() == 1 && shape->dim(0).dim_value() > longest;
  });
}

void Inferrer::run() {
  takeDeclared(graph, declared);
  for (ValueInfoProto &input : *graph.mutable_input())
    types[input.name()] = input.mutable_type();
  for (const TensorProto &tensor : graph.initializer())
    addInitializer(tensor);
  inference::GraphInferenceContext context(types, imports, nullptr, functions,
                                           &schemas, &shapeData,
                                           ::onnx::Version::IR_VERSION);
  for (NodeProto &node : *graph.mutable_node())
    inferNode(node, context);

  // The declared outputs name their dimensions.
  for (ValueInfoProto &output : *graph.mutable_output())
    if (auto it = declared.find(output.name()); it != declared.end())
      *output.mutable_type() = it->second;
  for (NodeProto &node : *graph.mutable_node()) {
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g())
        restoreDeclared(*attr.mutable_g(), declared);
    for (const std::string &output : node.output())
      if (auto it = types.find(output); it != types.end() && !output.empty()) {
        ValueInfoProto &value = *graph.add_value_info();
        value.set_name(output);
        *value.mutable_type() = *it->second;
      }
  }
}

} // namespace

void inferTypes(ModelProto &model, const OpsetMap &opsets, const Schemas &schemas) {
  Inferrer(model, opsets, schemas).run();
}

std::vector<TypeProto> inferOutputTypes(NodeProto &node, std::vector<TypeProto> inputTypes, const Schemas &schemas,
                                        std::string *why) {
  std::unordered_map<std::string, TypeProto *> types;
  for (int i = 0; i < node.input_size() && size_t(i) < inputTypes.size(); ++i)
    if (hasInput(node, i) && inputTypes[size_t(i)].value_case() != TypeProto::VALUE_NOT_SET)
      types[node.input(i)] = &inputTypes[size_t(i)];
  std::vector<TypeProto> outputs(size_t(node.output_size()));
  const ::onnx::OpSchema *schema = schemas.newest(node);
  if (!schema || !schema->has_type_and_shape_inference_function())
    return outputs;
  ::onnx::ShapeInferenceOptions options(false, 0, false);
  inference::InferenceContextImpl ctx(node, types, {}, {}, options);
  try {
    schema->GetTypeAndShapeInferenceFunction()(ctx);
  } catch (const std::exception &error) {
    // Types that were found before the error are still right.
    // ONNX's messages begin with a tag in brackets that says nothing to users.
    std::string message = error.what();
    if (why)
      *why = message.rfind('[', 0) == 0 ? message.substr(std::min(message.size(), message.find(']') + 2)) : message;
  }
  for (int i = 0; i < node.output_size(); ++i)
    outputs[size_t(i)] = *ctx.getOutputType(size_t(i));
  return outputs;
}

} // namespace onnxc::importer
