// Dimensions that the user fixes (--shape, --dim).
#include "Check.h"

#include <functional>

namespace onnxc::importer {

namespace {

using DimMap = std::map<std::string, int64_t>;

std::string joinNames(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

void visitTensorShapes(TypeProto &type, const std::function<void(::onnx::TensorShapeProto &)> &visit) {
  switch (type.value_case()) {
  case TypeProto::kTensorType:
    if (type.tensor_type().has_shape())
      visit(*type.mutable_tensor_type()->mutable_shape());
    break;
  case TypeProto::kSequenceType:
    visitTensorShapes(*type.mutable_sequence_type()->mutable_elem_type(), visit);
    break;
  case TypeProto::kOptionalType:
    visitTensorShapes(*type.mutable_optional_type()->mutable_elem_type(), visit);
    break;
  case TypeProto::kMapType:
    visitTensorShapes(*type.mutable_map_type()->mutable_value_type(), visit);
    break;
  default:
    break;
  }
}

void visitShapes(GraphProto &graph, const std::function<void(::onnx::TensorShapeProto &)> &visit) {
  for (auto *values : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()})
    for (ValueInfoProto &value : *values)
      visitTensorShapes(*value.mutable_type(), visit);
  for (NodeProto &node : *graph.mutable_node())
    for (AttributeProto &attr : *node.mutable_attribute())
      if (attr.has_g())
        visitShapes(*attr.mutable_g(), visit);
}

void pin(DimMap &dims, const std::string &symbol, int64_t value) {
  auto [it, fresh] = dims.emplace(symbol, value);
  if (!fresh && it->second != value)
    fail("dimension '" + symbol + "' is set to both " + std::to_string(it->second) + " and " +
         std::to_string(value));
}

void pinInput(ValueInfoProto &input, llvm::ArrayRef<int64_t> shape, DimMap &dims) {
  if (!input.type().has_tensor_type())
    fail("input '" + input.name() + "' is not a tensor: it has no shape to set");
  auto &tensor = *input.mutable_type()->mutable_tensor_type();
  if (!tensor.has_shape())
    for (size_t i = 0; i < shape.size(); ++i)
      tensor.mutable_shape()->add_dim();
  if (size_t(tensor.shape().dim_size()) != shape.size())
    fail("input '" + input.name() + "' has rank " + std::to_string(tensor.shape().dim_size()) +
         ", the shape given for it has rank " + std::to_string(shape.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    auto &dim = *tensor.mutable_shape()->mutable_dim(int(i));
    if (shape[i] < 0)
      continue;
    if (dim.has_dim_value() && dim.dim_value() != shape[i])
      fail("dimension " + std::to_string(i) + " of input '" + input.name() + "' is " +
           std::to_string(dim.dim_value()) + " in the model, it cannot be set to " +
           std::to_string(shape[i]));
    if (!dim.dim_param().empty())
      pin(dims, dim.dim_param(), shape[i]);
    dim.set_dim_value(shape[i]);
  }
}

} // namespace

void pinDimensions(ModelProto &model, const ImportOptions &options) {
  if (options.dims.empty() && options.shapes.empty())
    return;
  GraphProto &graph = *model.mutable_graph();
  std::map<std::string, bool> known;
  visitShapes(graph, [&](::onnx::TensorShapeProto &shape) {
    for (const auto &dim : shape.dim())
      if (!dim.dim_param().empty())
        known[dim.dim_param()] = true;
  });
  std::vector<std::string> names;
  for (const auto &[name, unused] : known)
    names.push_back(name);
  DimMap dims;
  for (const auto &[symbol, value] : options.dims) {
    if (!known.count(symbol))
      fail("the model has no dimension '" + symbol + "'; it has: " + joinNames(names));
    if (value < 0)
      fail("dimension '" + symbol + "' cannot be set to " + std::to_string(value));
    pin(dims, symbol, value);
  }

  std::map<std::string, ValueInfoProto *> inputs;
  for (ValueInfoProto &input : *graph.mutable_input())
    inputs[input.name()] = &input;
  for (const TensorProto &initializer : graph.initializer())
    inputs.erase(initializer.name());
  names.clear();
  for (const auto &[name, unused] : inputs)
    names.push_back(name);
  for (const auto &[name, shape] : options.shapes) {
    auto it = inputs.find(name);
    if (it == inputs.end())
      fail("the model has no input '" + name + "'; it has: " + joinNames(names));
    pinInput(*it->second, shape, dims);
  }

  visitShapes(graph, [&](::onnx::TensorShapeProto &shape) {
    for (auto &dim : *shape.mutable_dim())
      if (auto it = dims.find(dim.dim_param()); it != dims.end() && !dim.dim_param().empty())
        dim.set_dim_value(it->second);
  });
}

} // namespace onnxc::importer
