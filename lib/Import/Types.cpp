#include "Types.h"

#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace onnxc::importer {

Type toMlirType(const TypeProto &type, MLIRContext *context) {
  switch (type.value_case()) {
  case TypeProto::kTensorType: {
    Type element = onnx::fromOnnxElementType(context, type.tensor_type().elem_type());
    if (!element)
      return {};
    if (!type.tensor_type().has_shape())
      return UnrankedTensorType::get(element);
    SmallVector<int64_t> dims;
    for (const auto &dim : type.tensor_type().shape().dim())
      dims.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value()
                                                                 : ShapedType::kDynamic);
    return RankedTensorType::get(dims, element);
  }
  case TypeProto::kSequenceType: {
    Type element = toMlirType(type.sequence_type().elem_type(), context);
    return element ? Type(onnx::SeqType::get(context, element)) : Type();
  }
  case TypeProto::kOptionalType: {
    Type element = toMlirType(type.optional_type().elem_type(), context);
    return element ? Type(onnx::OptType::get(context, element)) : Type();
  }
  case TypeProto::kMapType: {
    Type key = onnx::fromOnnxElementType(context, type.map_type().key_type());
    Type value = toMlirType(type.map_type().value_type(), context);
    return key && value ? Type(onnx::MapType::get(context, key, value)) : Type();
  }
  default:
    return {};
  }
}

TypeProto fromMlirType(Type type) {
  TypeProto proto;
  if (auto tensor = dyn_cast<TensorType>(type)) {
    proto.mutable_tensor_type()->set_elem_type(onnx::toOnnxElementType(tensor.getElementType()));
    if (tensor.hasRank()) {
      auto *shape = proto.mutable_tensor_type()->mutable_shape();
      for (int64_t dim : tensor.getShape()) {
        auto *added = shape->add_dim();
        if (!ShapedType::isDynamic(dim))
          added->set_dim_value(dim);
      }
    }
  } else if (auto seq = dyn_cast<onnx::SeqType>(type)) {
    *proto.mutable_sequence_type()->mutable_elem_type() = fromMlirType(seq.getElementType());
  } else if (auto opt = dyn_cast<onnx::OptType>(type)) {
    *proto.mutable_optional_type()->mutable_elem_type() = fromMlirType(opt.getElementType());
  } else if (auto map = dyn_cast<onnx::MapType>(type)) {
    proto.mutable_map_type()->set_key_type(onnx::toOnnxElementType(map.getKeyType()));
    *proto.mutable_map_type()->mutable_value_type() = fromMlirType(map.getValueType());
  }
  return proto;
}

ArrayAttr dimNames(const TypeProto &type, MLIRContext *context) {
  Builder builder(context);
  SmallVector<Attribute> names;
  if (const auto *shape = tensorShape(&type))
    for (const auto &dim : shape->dim())
      // Some exporters call every unknown size "?": that is no name, and says nothing of equality.
      names.push_back(builder.getStringAttr(
          dim.has_dim_value() || dim.dim_param() == "?" ? "" : dim.dim_param()));
  return builder.getArrayAttr(names);
}

Type withoutShape(Type type) {
  if (auto tensor = dyn_cast<TensorType>(type))
    return UnrankedTensorType::get(tensor.getElementType());
  return type;
}

} // namespace onnxc::importer
