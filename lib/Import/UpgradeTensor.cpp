// Upgrade steps of elementwise, reduction and data-movement operators. Each
// function's name is the operator and the version that it leads to.
#include "Upgrade.h"

#include <algorithm>
#include <cmath>

namespace onnxc::importer {

namespace {

// Opset 6 and older: B is aligned with A's dimensions from `axis` on.
void broadcast7(NodeUpgrade &u) {
  auto flag = takeAttribute(u.node, "broadcast");
  auto axisAttr = takeAttribute(u.node, "axis");
  if (!flag || flag->i() == 0 || !axisAttr)
    return;
  const std::string a = u.node.input(0), b = u.node.input(1);
  int64_t rankA = u.neededRank(a), rankB = u.neededRank(b);
  int64_t axis = axisAttr->i() < 0 ? axisAttr->i() + rankA : axisAttr->i();
  std::vector<int64_t> axes;
  for (int64_t i = rankB; i < rankA - axis; ++i)
    axes.push_back(i);
  if (!axes.empty())
    u.setInput(1, u.emit("Unsqueeze", {b, u.constInts(axes)}));
}

// A slope of one value per channel was enough before opset 7.
void prelu7(NodeUpgrade &u) {
  const std::string x = u.node.input(0), slope = u.node.input(1);
  if (u.neededRank(slope) != 1)
    return;
  std::vector<int64_t> axes;
  for (int64_t i = 1; i + 1 < u.neededRank(x); ++i)
    axes.push_back(i);
  if (!axes.empty())
    u.setInput(1, u.emit("Unsqueeze", {slope, u.constInts(axes)}));
}

void gemm7(NodeUpgrade &u) { takeAttribute(u.node, "broadcast"); }

void cast6(NodeUpgrade &u) {
  auto to = takeAttribute(u.node, "to");
  if (!to)
    return;
  std::string name = to->s();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  TensorProto::DataType type;
  if (!TensorProto::DataType_Parse(name, &type))
    fail("attribute 'to' has the unknown type '" + to->s() + "'");
  u.addAttribute(makeAttribute("to", int64_t(type)));
}

void concat4(NodeUpgrade &u) {
  if (!findAttribute(u.node, "axis"))
    u.addAttribute(makeAttribute("axis", int64_t(1)));
}

// Moves an attribute, where the node has it, to an input.
void attributeToInput(NodeUpgrade &u, const char *name, int input) {
  if (auto attr = takeAttribute(u.node, name))
    u.setInput(input, u.constAttribute(*attr));
}

void reshape5(NodeUpgrade &u) {
  if (!findAttribute(u.node, "shape"))
    fail("attribute 'shape' is missing");
  attributeToInput(u, "shape", 1);
}

void axesToInput(NodeUpgrade &u) { attributeToInput(u, "axes", 1); }

void tile6(NodeUpgrade &u) {
  const std::string tiles = u.node.input(1), axis = u.node.input(2);
  std::vector<int64_t> ones(size_t(u.neededRank(u.node.input(0))), 1);
  auto asInts = [&](const std::string &value) {
    std::string ints = u.emit("Cast", {value}, {makeAttribute("to", int64_t(TensorProto::INT64))});
    return u.emit("Reshape", {ints, u.constInts({1})});
  };
  std::string repeats = u.emit("ScatterElements", {u.constInts(ones), asInts(axis), asInts(tiles)});
  u.setInputs({u.node.input(0), repeats});
}

void pad2(NodeUpgrade &u) {
  if (AttributeProto *attr = findAttribute(u.node, "paddings"))
    attr->set_name("pads");
}

// A float as an input of the data's type.
std::string scalarLike(NodeUpgrade &u, const AttributeProto &attr, const std::string &data) {
  std::string value = u.constAttribute(attr);
  return u.elementType(data) == TensorProto::FLOAT ? value : u.emit("CastLike", {value, data});
}

void pad11(NodeUpgrade &u) {
  const std::string data = u.node.input(0);
  auto value = takeAttribute(u.node, "value");
  attributeToInput(u, "pads", 1);
  if (value && (value->f() != 0 || !value->ref_attr_name().empty()))
    u.setInput(2, scalarLike(u, *value, data));
}

void clip11(NodeUpgrade &u) {
  const std::string data = u.node.input(0);
  auto low = takeAttribute(u.node, "min"), high = takeAttribute(u.node, "max");
  if (low)
    u.setInput(1, scalarLike(u, *low, data));
  if (high)
    u.setInput(2, scalarLike(u, *high, data));
}

// Version 1 could have the sizes as an input of the data's type.
void split2(NodeUpgrade &u) {
  if (hasInput(u.node, 1))
    u.setInput(1, u.emit("Cast", {u.node.input(1)}, {makeAttribute("to", int64_t(TensorProto::INT64))}));
}

void split13(NodeUpgrade &u) { attributeToInput(u, "split", 1); }

void split18(NodeUpgrade &u) {
  if (!hasInput(u.node, 1))
    u.addAttribute(makeAttribute("num_outputs", int64_t(u.node.output_size())));
}

void slice10(NodeUpgrade &u) {
  attributeToInput(u, "starts", 1);
  attributeToInput(u, "ends", 2);
  attributeToInput(u, "axes", 3);
}

void topK10(NodeUpgrade &u) {
  int64_t k = u.intAttribute("k", 0);
  takeAttribute(u.node, "k");
  u.setInput(1, u.constInts({k}));
}

void scatter11(NodeUpgrade &u) { u.node.set_op_type("ScatterElements"); }

// Before opset 13 the input was taken as a matrix, split at `axis`.
void softmax13(NodeUpgrade &u) {
  const std::string x = u.node.input(0);
  int64_t axis = u.intAttribute("axis", 1);
  takeAttribute(u.node, "axis");
  if (const auto *shape = tensorShape(u.type(x))) {
    int64_t rank = shape->dim_size(), from = axis < 0 ? axis + rank : axis;
    bool single = true;
    for (int64_t i = from + 1; i < rank; ++i)
      single &= shape->dim(int(i)).has_dim_value() && shape->dim(int(i)).dim_value() == 1;
    if (from >= 0 && from < rank && single) {
      u.addAttribute(makeAttribute("axis", from));
      return;
    }
  }
  std::string shape = u.emit("Shape", {x});
  u.setInput(0, u.emit("Flatten", {x}, {makeAttribute("axis", axis)}));
  u.addAttribute(makeAttribute("axis", int64_t(1)));
  auto y = u.detachOutput(0);
  u.emitAfter("Reshape", {y.fresh, shape}, y.original, {makeAttribute("allowzero", int64_t(1))});
}

// Integers were allowed before opset 28.
void reduceLog28(NodeUpgrade &u) {
  const std::string x = u.node.input(0);
  switch (u.elementType(x)) {
  case TensorProto::INT32:
  case TensorProto::INT64:
  case TensorProto::UINT32:
  case TensorProto::UINT64: {
    u.setInput(0, u.emit("Cast", {x}, {makeAttribute("to", int64_t(TensorProto::DOUBLE))}));
    auto y = u.detachOutput(0);
    u.emitAfter("CastLike", {y.fresh, x}, y.original);
    break;
  }
  default:
    break;
  }
}

// Version 1 numbers the classes in their order.
void labelEncoder2(NodeUpgrade &u) {
  auto classes = takeAttribute(u.node, "classes_strings");
  AttributeProto numbers = makeAttribute("", std::vector<int64_t>());
  AttributeProto names = classes ? *classes : AttributeProto();
  names.set_type(AttributeProto::STRINGS);
  for (int i = 0; i < names.strings_size(); ++i)
    numbers.add_ints(i);
  int32_t type = u.elementType(u.node.input(0));
  if (type != TensorProto::STRING && type != TensorProto::INT64)
    fail("cannot be upgraded to the newest version because its input's type is not known");
  bool fromStrings = type == TensorProto::STRING;
  names.set_name(fromStrings ? "keys_strings" : "values_strings");
  numbers.set_name(fromStrings ? "values_int64s" : "keys_int64s");
  u.addAttribute(names);
  u.addAttribute(numbers);
}

} // namespace

const std::vector<Adapter> &tensorAdapters() {
  static const std::vector<Adapter> adapters = {
      {"Add", 7, broadcast7},
      {"Sub", 7, broadcast7},
      {"Mul", 7, broadcast7},
      {"Div", 7, broadcast7},
      {"Pow", 7, broadcast7},
      {"And", 7, broadcast7},
      {"Or", 7, broadcast7},
      {"Xor", 7, broadcast7},
      {"Equal", 7, broadcast7},
      {"Greater", 7, broadcast7},
      {"Less", 7, broadcast7},
      {"PRelu", 7, prelu7},
      {"Gemm", 7, gemm7},
      {"Cast", 6, cast6},
      {"Concat", 4, concat4},
      {"Reshape", 5, reshape5},
      {"Tile", 6, tile6},
      {"Pad", 2, pad2},
      {"Pad", 11, pad11},
      {"Clip", 11, clip11},
      {"Split", 2, split2},
      {"Split", 13, split13},
      {"Split", 18, split18},
      {"Slice", 10, slice10},
      {"TopK", 10, topK10},
      {"Scatter", 11, scatter11},
      {"Squeeze", 13, axesToInput},
      {"Unsqueeze", 13, axesToInput},
      {"ReduceSum", 13, axesToInput},
      {"ReduceL1", 18, axesToInput},
      {"ReduceL2", 18, axesToInput},
      {"ReduceLogSum", 18, axesToInput},
      {"ReduceLogSumExp", 18, axesToInput},
      {"ReduceMax", 18, axesToInput},
      {"ReduceMean", 18, axesToInput},
      {"ReduceMin", 18, axesToInput},
      {"ReduceProd", 18, axesToInput},
      {"ReduceSumSquare", 18, axesToInput},
      {"ReduceLogSum", 28, reduceLog28},
      {"ReduceLogSumExp", 28, reduceLog28},
      {"Softmax", 13, softmax13},
      {"LogSoftmax", 13, softmax13},
      {"Hardmax", 13, softmax13},
      {"LabelEncoder", 2, labelEncoder2, "ai.onnx.ml"},
  };
  return adapters;
}

} // namespace onnxc::importer
