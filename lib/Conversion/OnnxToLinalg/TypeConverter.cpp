// The table of docs/architecture.md, "From onnx to linalg: representation".
#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"
#include "onnxc/Conversion/OnnxToLinalg/DimAnalysis.h"
#include "onnxc/Conversion/OnnxToLinalg/ScalarCodec.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

using namespace mlir;

namespace onnxc {

OnnxTypeConverter::OnnxTypeConverter(MLIRContext *context) {
  addConversion([](Type type) -> std::optional<Type> {
    if (isa<IndexType, NoneType>(type))
      return type;
    if (isa<onnx::SeqType, onnx::OptType, onnx::MapType>(type))
      return RankedTensorType::get({}, IntegerType::get(type.getContext(), 64));
    return std::nullopt;
  });
  addConversion([](RankedTensorType type) -> std::optional<Type> {
    return type.clone(ScalarCodec(type.getElementType()).storageType());
  });
  // Where an operator stays unconverted, casts stay with it, so that the pass comes to its end
  // and can name the operator.
  auto cast = [](OpBuilder &b, Type type, ValueRange inputs, Location loc) -> Value {
    return UnrealizedConversionCastOp::create(b, loc, type, inputs).getResult(0);
  };
  addSourceMaterialization(cast);
  addTargetMaterialization(cast);
}

OnnxTypeConverter::~OnnxTypeConverter() = default;

void OnnxTypeConverter::analyse(Operation *root) {
  dimAnalysis = std::make_unique<DimAnalysis>(root);
}

LogicalResult OnnxTypeConverter::refuse(Operation *op, const Twine &reason) const {
  reasons[op] = reason.str();
  return failure();
}

StringRef OnnxTypeConverter::reasonFor(Operation *op) const {
  auto it = reasons.find(op);
  return it == reasons.end() ? StringRef() : StringRef(it->second);
}

} // namespace onnxc
