#include "CustomInference.h"

#include "onnxc/Schema/ElementTypes.h"
#include "onnxc/Schema/Limits.h"

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

using ::onnx::AttributeProto;
using ::onnx::InferenceContext;
using ::onnx::TensorProto;
using ::onnx::TypeProto;

namespace onnxc {
namespace {

constexpr int32_t newestElemType = 62; // what fits into the bits of a declaration

// Bytes of an element in memory, where none is packed.
unsigned elementBytes(int32_t type) { return std::max(1u, elementBits(type) / 8); }

// One element's low bytes at the end of `out`.
void append(std::string &out, const void *value, unsigned bytes) {
  out.append(static_cast<const char *>(value), bytes);
}

// The elements as the runtime stores them; any type but string.
std::string elementsOf(const TensorProto &tensor, size_t count) {
  int32_t type = tensor.data_type();
  unsigned bytes = elementBytes(type);
  std::string out;
  if (tensor.has_raw_data())
    out = tensor.raw_data();
  else if (tensor.float_data_size())
    out.assign(reinterpret_cast<const char *>(tensor.float_data().data()), size_t(tensor.float_data_size()) * 4);
  else if (tensor.double_data_size())
    out.assign(reinterpret_cast<const char *>(tensor.double_data().data()), size_t(tensor.double_data_size()) * 8);
  else if (tensor.int64_data_size())
    out.assign(reinterpret_cast<const char *>(tensor.int64_data().data()), size_t(tensor.int64_data_size()) * 8);
  else if (tensor.uint64_data_size())
    for (uint64_t value : tensor.uint64_data())
      append(out, &value, bytes);
  else
    for (int32_t value : tensor.int32_data())
      append(out, &value, bytes);
  bool isPacked = elementBits(type) == 2 || elementBits(type) == 4;
  return isPacked ? unpackElements(out, type, count) : out;
}

// What the callback sees, and what that points to.
class Call {
public:
  Call(const onnxc_op &op, InferenceContext &ctx) : op(op), ctx(ctx) {}
  void run();

private:
  const onnxc_op &op;
  InferenceContext &ctx;
  std::deque<std::vector<int64_t>> shapes;
  std::deque<std::string> bytes;
  std::deque<std::vector<onnxc_string>> strings;
  std::deque<onnxc_op_tensor> tensors;
  std::map<std::string, int64_t> symbols; // dim_param to number
  std::vector<std::string> names;
  std::map<std::string, int32_t> typeVars;
  std::string wrong;

  void addInput(size_t i, std::vector<onnxc_op_tensor> &inputs);
  void addAttribute(const onnxc_op_attr_decl &decl, std::vector<onnxc_op_attr> &attrs);
  onnxc_op_tensor constant(const TensorProto &tensor);
  const std::vector<onnxc_string> &keep(const google::protobuf::RepeatedPtrField<std::string> &values);
  void checkType(const char *what, size_t i, const onnxc_op_param *params, int32_t count, int32_t type);
  void setOutput(int32_t index, int32_t type, int32_t rank, const int64_t *dims);
};

const std::vector<onnxc_string> &Call::keep(const google::protobuf::RepeatedPtrField<std::string> &values) {
  std::vector<onnxc_string> &list = strings.emplace_back();
  for (const std::string &value : values)
    list.push_back({value.data(), value.size()});
  return list;
}

onnxc_op_tensor Call::constant(const TensorProto &tensor) {
  std::vector<int64_t> &dims = shapes.emplace_back(tensor.dims().begin(), tensor.dims().end());
  onnxc_op_tensor result{nullptr, dims.data(), int32_t(dims.size()), tensor.data_type()};
  int64_t count = 1;
  for (int64_t dim : dims)
    count = dim < 0 || count > maxInferenceElements ? maxInferenceElements + 1 : count * dim;
  if (count > maxInferenceElements || tensor.data_location() == TensorProto::EXTERNAL)
    return result;
  if (tensor.data_type() == TensorProto::STRING) {
    if (tensor.string_data_size() == count)
      result.data = const_cast<onnxc_string *>(keep(tensor.string_data()).data());
    return result;
  }
  std::string &data = bytes.emplace_back(elementsOf(tensor, size_t(count)));
  if (data.size() == size_t(count) * elementBytes(tensor.data_type()))
    result.data = data.data();
  return result;
}

// The type is one that the declaration allows, and that of others with its variable.
void Call::checkType(const char *what, size_t i, const onnxc_op_param *params, int32_t count, int32_t type) {
  const onnxc_op_param &param = params[std::min(i, size_t(count) - 1)];
  auto describe = [&] {
    return std::string(what) + " " + std::to_string(i) + (param.name ? std::string(" '") + param.name + "'" : "");
  };
  auto nameOf = [](int32_t type) { return TensorProto::DataType_Name(TensorProto::DataType(type)); };
  if (type <= 0 || type > newestElemType || !(param.types & ONNXC_OP_TYPE(type)))
    fail_type_inference(describe(), " has the element type ", nameOf(type), ", which ", op.domain, "::", op.name,
                        " does not allow");
  if (!param.type_var)
    return;
  auto [it, fresh] = typeVars.try_emplace(param.type_var, type);
  if (!fresh && it->second != type)
    fail_type_inference(describe(), " has the element type ", nameOf(type), ", but another parameter of type ",
                        param.type_var, " has ", nameOf(it->second));
}

void Call::addInput(size_t i, std::vector<onnxc_op_tensor> &inputs) {
  const TypeProto *type = ctx.hasInput(i) ? ctx.getInputType(i) : nullptr;
  onnxc_op_tensor &input = inputs.emplace_back(onnxc_op_tensor{nullptr, nullptr, 0, 0});
  if (!type || type->value_case() == TypeProto::VALUE_NOT_SET)
    return;
  if (!type->has_tensor_type())
    fail_type_inference("input ", i, " is not a tensor: custom operators take tensors only");
  if (const TensorProto *data = ctx.getInputData(i)) {
    input = constant(*data);
  } else {
    input.elem_type = type->tensor_type().elem_type();
    input.rank = -1;
    if (type->tensor_type().has_shape()) {
      std::vector<int64_t> &dims = shapes.emplace_back();
      for (const auto &dim : type->tensor_type().shape().dim()) {
        if (dim.has_dim_value() && dim.dim_value() >= 0) {
          dims.push_back(dim.dim_value());
        } else if (dim.dim_param().empty()) {
          dims.push_back(ONNXC_OP_UNKNOWN);
        } else {
          auto [it, fresh] = symbols.try_emplace(dim.dim_param(), ONNXC_OP_UNKNOWN - 1 - int64_t(names.size()));
          if (fresh)
            names.push_back(dim.dim_param());
          dims.push_back(it->second);
        }
      }
      input.rank = int32_t(dims.size());
      input.dims = dims.data();
    }
  }
  checkType("input", i, op.inputs, op.num_inputs, input.elem_type);
}

void Call::addAttribute(const onnxc_op_attr_decl &decl, std::vector<onnxc_op_attr> &attrs) {
  const AttributeProto *attr = ctx.getAttribute(decl.name);
  if (!attr)
    return;
  onnxc_op_attr result{decl.name, decl.kind, 1, nullptr};
  auto number = [&](const void *data, size_t size) {
    result.data = bytes.emplace_back(static_cast<const char *>(data), size).data();
  };
  switch (attr->type()) {
  case AttributeProto::INT: {
    int64_t value = attr->i();
    number(&value, sizeof value);
    break;
  }
  case AttributeProto::FLOAT: {
    float value = attr->f();
    number(&value, sizeof value);
    break;
  }
  case AttributeProto::STRING:
    result.data = &strings.emplace_back(1, onnxc_string{attr->s().data(), attr->s().size()}).front();
    break;
  case AttributeProto::INTS:
    result.data = attr->ints().data();
    result.count = attr->ints_size();
    break;
  case AttributeProto::FLOATS:
    result.data = attr->floats().data();
    result.count = attr->floats_size();
    break;
  case AttributeProto::STRINGS:
    result.data = keep(attr->strings()).data();
    result.count = attr->strings_size();
    break;
  case AttributeProto::TENSOR:
    result.data = &tensors.emplace_back(constant(attr->t()));
    break;
  default:
    fail_type_inference("attribute '", decl.name, "' has a kind that custom operators cannot have");
  }
  attrs.push_back(result);
}

// Called from the library: nothing may be thrown.
void Call::setOutput(int32_t index, int32_t type, int32_t rank, const int64_t *dims) {
  auto complain = [&](const char *what) {
    if (wrong.empty())
      wrong = "its library's infer gives output " + std::to_string(index) + " " + what;
  };
  if (index < 0 || size_t(index) >= ctx.getNumOutputs())
    return complain("a type, which the node does not have");
  if (rank < -1 || rank > ONNXC_MAX_RANK || (rank > 0 && !dims))
    return complain("no proper shape");
  TypeProto &output = *ctx.getOutputType(size_t(index));
  output.mutable_tensor_type()->set_elem_type(type);
  output.mutable_tensor_type()->clear_shape();
  if (rank < 0)
    return;
  auto *shape = output.mutable_tensor_type()->mutable_shape();
  for (int32_t i = 0; i < rank; ++i) {
    auto *dim = shape->add_dim();
    if (dims[i] >= 0)
      dim->set_dim_value(dims[i]);
    else if (dims[i] < ONNXC_OP_UNKNOWN && ONNXC_OP_UNKNOWN - 1 - dims[i] < int64_t(names.size()))
      dim->set_dim_param(names[size_t(ONNXC_OP_UNKNOWN - 1 - dims[i])]);
    else if (dims[i] != ONNXC_OP_UNKNOWN)
      return complain("a size that is no size and no symbol of the inputs");
  }
}

void Call::run() {
  std::vector<onnxc_op_tensor> inputs;
  for (size_t i = 0; i < ctx.getNumInputs(); ++i)
    addInput(i, inputs);
  std::vector<onnxc_op_attr> attrs;
  for (int32_t i = 0; i < op.num_attrs; ++i)
    addAttribute(op.attrs[i], attrs);
  std::string name = ctx.getDisplayName();
  onnxc_op_node node{sizeof(onnxc_op_node),        name.c_str(), int32_t(inputs.size()),
                     int32_t(ctx.getNumOutputs()), int64_t(attrs.size()), attrs.data()};
  onnxc_op_infer infer{sizeof(onnxc_op_infer), &node, inputs.data(), this,
                       [](onnxc_op_infer *infer, int32_t index, int32_t type, int32_t rank, const int64_t *dims) {
                         static_cast<Call *>(infer->impl)->setOutput(index, type, rank, dims);
                       }};
  onnxc_op_error error{};
  if (int32_t status = op.infer(&infer, &error)) {
    error.text[sizeof error.text - 1] = 0;
    fail_shape_inference(error.text[0] ? std::string(error.text) : "its library's infer ended with " + std::to_string(status));
  }
  if (!wrong.empty())
    fail_shape_inference(wrong);
  for (size_t i = 0; i < ctx.getNumOutputs(); ++i) {
    const TypeProto &type = *ctx.getOutputType(i);
    if (type.has_tensor_type() && type.tensor_type().elem_type())
      checkType("output", i, op.outputs, op.num_outputs, type.tensor_type().elem_type());
    else if (ctx.hasOutput(i))
      fail_type_inference("its library's infer gives output ", i, " no type");
  }
}

} // namespace

void inferCustom(const onnxc_op &op, InferenceContext &ctx) { Call(op, ctx).run(); }

} // namespace onnxc
