// The onnx dialect: registration, types, and the operations that no schema
// describes.
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace onnxc::onnx;

#include "onnxc/Dialect/Onnx/IR/OnnxDialect.cpp.inc"
#include "onnxc/Dialect/Onnx/IR/OnnxInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "onnxc/Dialect/Onnx/IR/OnnxTypes.cpp.inc"

namespace onnxc::onnx::detail {
void registerDeprecatedOps(OnnxDialect &dialect); // OnnxDeprecatedOps.cpp
} // namespace onnxc::onnx::detail

void OnnxDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "onnxc/Dialect/Onnx/IR/OnnxTypes.cpp.inc"
      >();
  registerOnnxDialectOperations(this);
  onnxc::onnx::detail::registerDeprecatedOps(*this);
}

Operation *OnnxDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                            Location loc) {
  if (isa<NoneType>(type) && isa<UnitAttr>(value))
    return NoneOp::create(builder, loc, type);
  auto elements = dyn_cast<ElementsAttr>(value);
  if (elements && isa<RankedTensorType>(type))
    return ConstantOp::create(builder, loc, type, elements);
  return nullptr;
}

//===- Constant ------------------------------------------------------------===//

const OpInfo &ConstantOp::getOnnxInfo() {
  static constexpr ParamInfo outputs[] = {
      {"output", ParamInfo::Single, "", true, 1, {~0u, 0, 0, 0, 0, 0, 0, 0}}};
  static constexpr OpInfo info = {"Constant", "", 25, false, {}, outputs};
  return info;
}

OpFoldResult ConstantOp::fold(FoldAdaptor adaptor) { return getValue(); }

//===- None ----------------------------------------------------------------===//

OpFoldResult NoneOp::fold(FoldAdaptor adaptor) { return UnitAttr::get(getContext()); }

//===- Element types --------------------------------------------------------===//

// Numbers of onnx::TensorProto::DataType.
int32_t onnxc::onnx::toOnnxElementType(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return integer.isSignless() ? 9 : 0;
    case 2:
      return isUnsigned ? 25 : 26;
    case 4:
      return isUnsigned ? 21 : 22;
    case 8:
      return isUnsigned ? 2 : 3;
    case 16:
      return isUnsigned ? 4 : 5;
    case 32:
      return isUnsigned ? 12 : 6;
    case 64:
      return isUnsigned ? 13 : 7;
    default:
      return 0;
    }
  }
  return TypeSwitch<Type, int32_t>(type)
      .Case<Float32Type>([](Type) { return 1; })
      .Case<StringType>([](Type) { return 8; })
      .Case<Float16Type>([](Type) { return 10; })
      .Case<Float64Type>([](Type) { return 11; })
      .Case<ComplexType>([](ComplexType complex) {
        return complex.getElementType().isF32() ? 14 : complex.getElementType().isF64() ? 15 : 0;
      })
      .Case<BFloat16Type>([](Type) { return 16; })
      .Case<Float8E4M3FNType>([](Type) { return 17; })
      .Case<Float8E4M3FNUZType>([](Type) { return 18; })
      .Case<Float8E5M2Type>([](Type) { return 19; })
      .Case<Float8E5M2FNUZType>([](Type) { return 20; })
      .Case<Float4E2M1FNType>([](Type) { return 23; })
      .Case<Float8E8M0FNUType>([](Type) { return 24; })
      .Case<Float6E2M3FNType>([](Type) { return 27; })
      .Case<Float6E3M2FNType>([](Type) { return 28; })
      .Default([](Type) { return 0; });
}

Type onnxc::onnx::fromOnnxElementType(MLIRContext *context, int32_t elementType) {
  auto integer = [&](unsigned width, bool isUnsigned = false) {
    return IntegerType::get(context, width,
                            isUnsigned ? IntegerType::Unsigned : IntegerType::Signless);
  };
  switch (elementType) {
  case 1:
    return Float32Type::get(context);
  case 2:
    return integer(8, true);
  case 3:
    return integer(8);
  case 4:
    return integer(16, true);
  case 5:
    return integer(16);
  case 6:
    return integer(32);
  case 7:
    return integer(64);
  case 8:
    return StringType::get(context);
  case 9:
    return integer(1);
  case 10:
    return Float16Type::get(context);
  case 11:
    return Float64Type::get(context);
  case 12:
    return integer(32, true);
  case 13:
    return integer(64, true);
  case 14:
    return ComplexType::get(Float32Type::get(context));
  case 15:
    return ComplexType::get(Float64Type::get(context));
  case 16:
    return BFloat16Type::get(context);
  case 17:
    return Float8E4M3FNType::get(context);
  case 18:
    return Float8E4M3FNUZType::get(context);
  case 19:
    return Float8E5M2Type::get(context);
  case 20:
    return Float8E5M2FNUZType::get(context);
  case 21:
    return integer(4, true);
  case 22:
    return integer(4);
  case 23:
    return Float4E2M1FNType::get(context);
  case 24:
    return Float8E8M0FNUType::get(context);
  case 25:
    return integer(2, true);
  case 26:
    return integer(2);
  case 27:
    return Float6E2M3FNType::get(context);
  case 28:
    return Float6E3M2FNType::get(context);
  default:
    return {};
  }
}
