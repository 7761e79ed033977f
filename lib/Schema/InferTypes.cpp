// The adapter that lets the schemas' inference functions, written for ONNX's
// protobuf graphs, work on MLIR operations.
#include "onnxc/Schema/InferTypes.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Schema/CustomOperators.h"
#include "onnxc/Schema/Limits.h"
#include "onnxc/Schema/MicrosoftSchemas.h"
#include "onnxc/Schema/Protos.h"

#include "onnxc/Schema/MissingInference.h"

#include "mlir/IR/Matchers.h"
#include "onnx/defs/schema.h"

#include <deque>
#include <map>

using namespace mlir;
using ::onnx::AttributeProto;
using ::onnx::GraphInferencer;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;

namespace onnxc {
namespace {

// Gives the types that the body of an operator with subgraphs yields; the body's own
// inference is done by who calls inferTypes.
class YieldedTypes : public GraphInferencer {
public:
  explicit YieldedTypes(Region &region) {
    for (Type type : region.front().getTerminator()->getOperandTypes())
      typeToProto(type, types.emplace_back());
  }

  std::vector<const TypeProto *> doInferencing(const std::vector<const TypeProto *> &,
                                               const std::vector<const TensorProto *> &) override {
    std::vector<const TypeProto *> out;
    out.reserve(types.size());
    for (const TypeProto &type : types)
      out.push_back(&type);
    return out;
  }

private:
  std::deque<TypeProto> types;
};

// Trailing `none`s do not exist for ONNX.
size_t countPresent(TypeRange types) {
  size_t count = types.size();
  while (count > 0 && isa<NoneType>(types[count - 1]))
    --count;
  return count;
}

class OpInferenceContext : public ::onnx::InferenceContext {
public:
  OpInferenceContext(Operation *op, const ::onnx::OpSchema &schema, SymbolicInference *symbols)
      : op(op), schema(schema), symbols(symbols), numInputs(countPresent(op->getOperandTypes())),
        inputTypes(numInputs), inputs(numInputs),
        outputTypes(countPresent(op->getResultTypes())) {
    for (size_t i = 0; i < numInputs; ++i)
      if (Value operand = op->getOperand(i); !isa<NoneType>(operand.getType()))
        setInputType(operand, inputTypes[i].emplace());
  }

  const AttributeProto *getAttribute(const std::string &name) const override {
    auto [entry, isNew] = attributes.try_emplace(name);
    if (isNew)
      entry->second = readAttribute(name);
    return entry->second ? &*entry->second : nullptr;
  }

  size_t getNumInputs() const override { return numInputs; }
  const TypeProto *getInputType(size_t i) const override {
    return i < numInputs && inputTypes[i] ? &*inputTypes[i] : nullptr;
  }
  const TensorProto *getInputData(size_t i) const override {
    const InputData *data = inputData(i);
    return data && data->tensor ? &*data->tensor : nullptr;
  }
  const TensorShapeProto *getSymbolicInput(size_t i) const override {
    const InputData *data = inputData(i);
    return data && data->elements ? &*data->elements : nullptr;
  }
  const ::onnx::SparseTensorProto *getInputSparseData(size_t) const override { return nullptr; }

  size_t getNumOutputs() const override { return outputTypes.size(); }
  TypeProto *getOutputType(size_t i) override {
    return i < outputTypes.size() ? &outputTypes[i] : nullptr;
  }

  GraphInferencer *getGraphAttributeInferencer(const std::string &name) override {
    Region *region = findRegion(name);
    if (!region)
      return nullptr;
    return &bodies.try_emplace(name, *region).first->second;
  }

private:
  // What is known of an input's elements: all of them, or some.
  struct InputData {
    std::optional<TensorProto> tensor;
    std::optional<TensorShapeProto> elements;
  };

  Operation *op;
  const ::onnx::OpSchema &schema;
  SymbolicInference *symbols;
  size_t numInputs;
  std::vector<std::optional<TypeProto>> inputTypes;
  mutable std::vector<std::optional<InputData>> inputs;
  std::vector<TypeProto> outputTypes;
  mutable std::map<std::string, std::optional<AttributeProto>> attributes;
  std::map<std::string, YieldedTypes> bodies;

  void setInputType(Value value, TypeProto &proto) {
    typeToProto(value.getType(), proto);
    if (!symbols || !symbols->shapeOf || !isa<TensorType>(value.getType()))
      return;
    if (std::optional<SymbolicDims> dims = symbols->shapeOf(value)) {
      TensorShapeProto *shape = proto.mutable_tensor_type()->mutable_shape();
      shape->Clear();
      for (SymbolicDim dim : *dims)
        dimToProto(dim, *shape->add_dim());
    }
  }

  // Defaults are left out, as exporters do: some inference functions take
  // the presence of an attribute for a choice between forms.
  std::optional<AttributeProto> readAttribute(const std::string &name) const {
    auto custom = dyn_cast<onnx::CustomOp>(op);
    Attribute attr = custom ? custom.getAttrs().get(name) : op->getAttr(name);
    if (!attr)
      return std::nullopt;
    std::optional<AttributeProto> proto = attributeToProto(name, attr);
    auto declared = schema.attributes().find(name);
    if (proto && declared != schema.attributes().end() && !declared->second.required &&
        isDefault(*proto, declared->second.default_value))
      return std::nullopt;
    return proto;
  }

  static bool isDefault(const AttributeProto &value, const AttributeProto &dflt) {
    if (value.type() != dflt.type())
      return false;
    switch (dflt.type()) {
    case AttributeProto::INT:
      return value.i() == dflt.i();
    case AttributeProto::FLOAT:
      return value.f() == dflt.f();
    case AttributeProto::STRING:
      return value.s() == dflt.s();
    default:
      return false;
    }
  }

  const InputData *inputData(size_t i) const {
    if (i >= numInputs || !inputTypes[i])
      return nullptr;
    if (!inputs[i])
      inputs[i] = readInput(op->getOperand(i));
    return &*inputs[i];
  }

  InputData readInput(Value value) const {
    InputData data;
    ElementsAttr constant;
    if (matchPattern(value, m_Constant(&constant))) {
      TensorProto tensor;
      if (tensorToProto(constant, maxInferenceElements, tensor))
        data.tensor = std::move(tensor);
      return data;
    }
    const SymbolicDims *known =
        symbols && symbols->contentsOf ? symbols->contentsOf(value) : nullptr;
    auto type = dyn_cast<TensorType>(value.getType());
    if (!known || !type)
      return data;
    if (llvm::all_of(*known, [](const SymbolicDim &dim) { return dim.isKnown(); }))
      data.tensor = knownTensor(*known, type);
    if (!data.tensor) {
      data.elements.emplace();
      for (SymbolicDim dim : *known)
        dimToProto(dim, *data.elements->add_dim());
    }
    return data;
  }

  static std::optional<TensorProto> knownTensor(const SymbolicDims &elements, TensorType type) {
    TensorProto tensor;
    bool isScalar = type.hasRank() && type.getRank() == 0;
    if (!isScalar)
      tensor.add_dims(elements.size());
    if (type.getElementType().isInteger(64)) {
      tensor.set_data_type(TensorProto::INT64);
      for (SymbolicDim element : elements)
        tensor.add_int64_data(element.getValue());
      return tensor;
    }
    if (type.getElementType().isInteger(32)) {
      tensor.set_data_type(TensorProto::INT32);
      for (SymbolicDim element : elements)
        tensor.add_int32_data(static_cast<int32_t>(element.getValue()));
      return tensor;
    }
    return std::nullopt;
  }

  // A graph attribute is a region; regions are in the reverse order of their names.
  Region *findRegion(const std::string &name) {
    unsigned index = 0;
    for (const auto &[other, attr] : schema.attributes())
      if (attr.type == AttributeProto::GRAPH && other > name)
        ++index;
    if (index >= op->getNumRegions() || op->getRegion(index).empty())
      return nullptr;
    return &op->getRegion(index);
  }
};

const ::onnx::OpSchema *findSchema(Operation *op) {
  if (auto custom = dyn_cast<onnx::CustomOp>(op)) {
    if (auto version = op->getAttrOfType<IntegerAttr>(kCustomVersionAttr)) {
      const CustomOperators *customs = customOperators(op->getContext());
      const CustomOperators::Operator *found =
          customs ? customs->find(custom.getDomainName().str(), custom.getOpType().str(), version.getInt()) : nullptr;
      return found ? found->schema.get() : nullptr;
    }
    if (custom.getDomainName() != microsoftDomain)
      return nullptr;
    registerMicrosoftSchemas();
    return ::onnx::OpSchemaRegistry::Schema(custom.getOpType().str(), microsoftDomain);
  }
  auto onnxOp = dyn_cast<onnx::OnnxOpInterface>(op);
  if (!onnxOp)
    return nullptr;
  return ::onnx::OpSchemaRegistry::Schema(onnxOp.getOnnxName().str(), onnxOp.getOnnxDomain().str());
}

SymbolicDims resultDims(const TypeProto &proto) {
  SymbolicDims dims;
  if (proto.has_tensor_type() && proto.tensor_type().has_shape())
    for (const auto &dim : proto.tensor_type().shape().dim())
      dims.push_back(dimFromProto(dim));
  return dims;
}

// ONNX's messages begin with a tag that says nothing to users.
StringRef withoutTag(StringRef message) {
  if (message.consume_front("[ShapeInferenceError] ") ||
      message.consume_front("[TypeInferenceError] "))
    return message;
  return message;
}

} // namespace

LogicalResult inferTypes(Operation *op, SmallVectorImpl<Type> &types, SymbolicInference *symbols) {
  types.assign(op->getNumResults(), Type());
  if (symbols)
    symbols->resultShapes.assign(op->getNumResults(), {});
  for (auto [type, result] : llvm::zip(types, op->getResults()))
    if (isa<NoneType>(result.getType()))
      type = result.getType();

  // A constant needs no inference, and may be large.
  if (auto constant = dyn_cast<onnx::ConstantOp>(op)) {
    types[0] = constant.getValue().getShapedType();
    return success();
  }
  try {
    const ::onnx::OpSchema *schema = findSchema(op);
    if (!schema)
      return success();
    OpInferenceContext context(op, *schema, symbols);
    ::onnx::InferenceFunction infer = inferenceFunctionOf(*schema);
    infer(context);
    for (size_t i = 0; i < context.getNumOutputs(); ++i) {
      if (types[i])
        continue;
      const TypeProto &proto = *context.getOutputType(i);
      if (proto.has_tensor_type() && proto.tensor_type().shape().dim_size() > maxRank)
        return op->emitError("has a result of ")
               << proto.tensor_type().shape().dim_size() << " dimensions, at most " << maxRank << " are supported";
      types[i] = typeFromProto(proto, op->getContext());
      if (symbols && isa_and_nonnull<RankedTensorType>(types[i]))
        symbols->resultShapes[i] = resultDims(proto);
    }
    return success();
  } catch (const std::exception &error) {
    return op->emitError("invalid operator: ") << withoutTag(error.what());
  }
}

} // namespace onnxc
