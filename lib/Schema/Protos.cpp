// Between MLIR's types and attributes and ONNX's messages.
#include "onnxc/Schema/Protos.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/Endian.h"

using namespace mlir;
using ::onnx::AttributeProto;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;
using ::onnx::TypeProto;

namespace onnxc {

//===- Types ---------------------------------------------------------------===//

static Type tensorFromProto(const TypeProto::Tensor &proto, MLIRContext *context) {
  Type element = onnx::fromOnnxElementType(context, proto.elem_type());
  if (!element)
    return {};
  if (!proto.has_shape())
    return UnrankedTensorType::get(element);
  SmallVector<int64_t> shape;
  for (const auto &dim : proto.shape().dim()) {
    SymbolicDim size = dimFromProto(dim);
    shape.push_back(size.isKnown() ? size.getValue() : ShapedType::kDynamic);
  }
  return RankedTensorType::get(shape, element);
}

Type typeFromProto(const TypeProto &proto, MLIRContext *context) {
  switch (proto.value_case()) {
  case TypeProto::kTensorType:
    return tensorFromProto(proto.tensor_type(), context);
  case TypeProto::kSequenceType: {
    Type element = typeFromProto(proto.sequence_type().elem_type(), context);
    return element ? onnx::SeqType::get(context, element) : Type();
  }
  case TypeProto::kOptionalType: {
    Type element = typeFromProto(proto.optional_type().elem_type(), context);
    return element ? onnx::OptType::get(context, element) : Type();
  }
  case TypeProto::kMapType: {
    Type key = onnx::fromOnnxElementType(context, proto.map_type().key_type());
    Type value = typeFromProto(proto.map_type().value_type(), context);
    return key && value ? onnx::MapType::get(context, key, value) : Type();
  }
  default:
    return {};
  }
}

bool typeToProto(Type type, TypeProto &proto) {
  if (auto tensor = dyn_cast<TensorType>(type)) {
    int32_t element = onnx::toOnnxElementType(tensor.getElementType());
    proto.mutable_tensor_type()->set_elem_type(element);
    if (tensor.hasRank()) {
      TensorShapeProto *shape = proto.mutable_tensor_type()->mutable_shape();
      for (int64_t size : tensor.getShape()) {
        auto *dim = shape->add_dim();
        if (!ShapedType::isDynamic(size))
          dim->set_dim_value(size);
      }
    }
    return element != 0;
  }
  if (auto seq = dyn_cast<onnx::SeqType>(type))
    return typeToProto(seq.getElementType(), *proto.mutable_sequence_type()->mutable_elem_type());
  if (auto opt = dyn_cast<onnx::OptType>(type))
    return typeToProto(opt.getElementType(), *proto.mutable_optional_type()->mutable_elem_type());
  if (auto map = dyn_cast<onnx::MapType>(type)) {
    int32_t key = onnx::toOnnxElementType(map.getKeyType());
    proto.mutable_map_type()->set_key_type(key);
    return key != 0 &&
           typeToProto(map.getValueType(), *proto.mutable_map_type()->mutable_value_type());
  }
  return false;
}

void dimToProto(SymbolicDim dim, TensorShapeProto::Dimension &proto) {
  if (dim.isKnown())
    proto.set_dim_value(dim.getValue());
  else if (dim.isSymbol())
    proto.set_dim_param("s" + std::to_string(dim.getSymbol()));
}

SymbolicDim dimFromProto(const TensorShapeProto::Dimension &proto) {
  if (proto.has_dim_value() && proto.dim_value() >= 0)
    return SymbolicDim::known(proto.dim_value());
  int64_t symbol;
  StringRef name = proto.dim_param();
  if (proto.has_dim_param() && name.consume_front("s") && !name.getAsInteger(10, symbol))
    return SymbolicDim::symbol(symbol);
  return {};
}

//===- Tensors ---------------------------------------------------------------===//

// The elements of a DenseElementsAttr as raw_data holds them: little endian,
// bools in a byte each, narrower integers packed from the low bits up.
static std::string packElements(DenseElementsAttr attr) {
  Type type = attr.getElementType();
  if (auto complex = dyn_cast<ComplexType>(type))
    type = complex.getElementType();
  unsigned width = type.getIntOrFloatBitWidth();
  unsigned stored = width == 1 ? 8 : width;
  std::string out;
  unsigned filled = 8;
  auto append = [&](const APInt &bits) {
    if (stored >= 8) {
      for (unsigned i = 0; i < stored; i += 8)
        out += static_cast<char>(bits.extractBitsAsZExtValue(std::min(8u, width - i), i));
      return;
    }
    if (filled == 8) {
      out += '\0';
      filled = 0;
    }
    out.back() |= static_cast<char>(bits.getZExtValue() << filled);
    filled += stored;
  };
  if (isa<ComplexType>(attr.getElementType())) {
    for (const std::complex<APFloat> &value : attr.getValues<std::complex<APFloat>>()) {
      append(value.real().bitcastToAPInt());
      append(value.imag().bitcastToAPInt());
    }
  } else if (isa<FloatType>(type)) {
    for (const APFloat &value : attr.getValues<APFloat>())
      append(value.bitcastToAPInt());
  } else {
    for (const APInt &value : attr.getValues<APInt>())
      append(value);
  }
  return out;
}

bool tensorToProto(ElementsAttr attr, int64_t maxElements, TensorProto &proto) {
  ShapedType type = attr.getShapedType();
  proto.set_data_type(onnx::toOnnxElementType(type.getElementType()));
  for (int64_t size : type.getShape())
    proto.add_dims(size);
  if (type.getNumElements() > maxElements)
    return false;
  if (auto strings = dyn_cast<DenseStringElementsAttr>(attr)) {
    for (StringRef value : strings.getValues<StringRef>())
      proto.add_string_data(value.str());
    return true;
  }
  if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    proto.set_raw_data(packElements(dense));
    return true;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  AsmResourceBlob *blob = resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob || !type.getElementType().isIntOrFloat() ||
      type.getElementType().getIntOrFloatBitWidth() < 8)
    return false;
  proto.set_raw_data(blob->getData().data(), blob->getData().size());
  return true;
}

//===- Attributes -------------------------------------------------------------===//

// Tensors in attributes are small, or matter only by their type and shape.
constexpr int64_t maxAttributeElements = 1 << 16;

std::optional<AttributeProto> attributeToProto(StringRef name, Attribute attr) {
  AttributeProto proto;
  proto.set_name(name.str());
  if (auto value = dyn_cast<IntegerAttr>(attr)) {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value.getValue().getSExtValue());
  } else if (auto value = dyn_cast<FloatAttr>(attr)) {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(static_cast<float>(value.getValueAsDouble()));
  } else if (auto value = dyn_cast<StringAttr>(attr)) {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value.getValue().str());
  } else if (auto values = dyn_cast<DenseI64ArrayAttr>(attr)) {
    proto.set_type(AttributeProto::INTS);
    for (int64_t value : values.asArrayRef())
      proto.add_ints(value);
  } else if (auto values = dyn_cast<DenseF32ArrayAttr>(attr)) {
    proto.set_type(AttributeProto::FLOATS);
    for (float value : values.asArrayRef())
      proto.add_floats(value);
  } else if (auto values = dyn_cast<ArrayAttr>(attr)) {
    proto.set_type(AttributeProto::STRINGS);
    for (Attribute value : values) {
      auto string = dyn_cast<StringAttr>(value);
      if (!string)
        return std::nullopt;
      proto.add_strings(string.getValue().str());
    }
  } else if (auto value = dyn_cast<ElementsAttr>(attr)) {
    proto.set_type(AttributeProto::TENSOR);
    tensorToProto(value, maxAttributeElements, *proto.mutable_t());
  } else if (auto value = dyn_cast<TypeAttr>(attr)) {
    proto.set_type(AttributeProto::TYPE_PROTO);
    if (!typeToProto(value.getValue(), *proto.mutable_tp()))
      return std::nullopt;
  } else {
    return std::nullopt;
  }
  return proto;
}

} // namespace onnxc
