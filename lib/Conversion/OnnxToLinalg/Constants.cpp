// Reading constants of the original program, and the conversion of onnx.Constant.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace onnxc {

Type onnxElem(Type type) {
  auto shaped = dyn_cast<TensorType>(type);
  return shaped ? shaped.getElementType() : Type();
}

RankedTensorType tensorType(Value value) { return dyn_cast<RankedTensorType>(value.getType()); }

int64_t rankOf(Value value) {
  auto type = tensorType(value);
  return type ? type.getRank() : -1;
}

std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

ElementsAttr getConstantElements(Value original) {
  if (!original)
    return {};
  while (Operation *op = original.getDefiningOp()) {
    if (auto constant = dyn_cast<onnx::ConstantOp>(op))
      return dyn_cast_or_null<ElementsAttr>(constant.getValueAttr());
    bool integerCast = isa<onnx::CastOp>(op) && isIntElem(onnxElem(op->getResult(0))) &&
                       onnxElem(op->getOperand(0)) && isIntElem(onnxElem(op->getOperand(0)));
    if (!isa<onnx::IdentityOp>(op) && !integerCast)
      return {};
    original = op->getOperand(0);
  }
  return {};
}

// Bytes of one element in a blob.
static unsigned blobElementSize(Type elem) {
  if (auto c = dyn_cast<ComplexType>(elem))
    return 2 * blobElementSize(c.getElementType());
  return std::max(1u, elem.getIntOrFloatBitWidth() / 8);
}

std::optional<SmallVector<APInt>> getRawInts(ElementsAttr attr) {
  Type elem = attr.getElementType();
  if (!elem.isIntOrFloat())
    return std::nullopt;
  unsigned width = elem.getIntOrFloatBitWidth();
  SmallVector<APInt> result;
  if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    result.reserve(dense.getNumElements());
    if (isa<FloatType>(elem))
      for (APFloat v : dense.getValues<APFloat>())
        result.push_back(v.bitcastToAPInt());
    else
      llvm::append_range(result, dense.getValues<APInt>());
    return result;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  AsmResourceBlob *blob = resource ? resource.getRawHandle().getBlob() : nullptr;
  unsigned size = blobElementSize(elem);
  int64_t count = attr.getNumElements();
  if (!blob || static_cast<int64_t>(blob->getData().size()) < count * size)
    return std::nullopt;
  result.reserve(count);
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    memcpy(&bits, blob->getData().data() + i * size, size);
    result.push_back(APInt(width, bits, /*isSigned=*/false, /*implicitTrunc=*/true));
  }
  return result;
}

std::optional<SmallVector<int64_t>> getConstantInts(Value original) {
  ElementsAttr attr = getConstantElements(original);
  if (!attr || !isa<IntegerType>(attr.getElementType()))
    return std::nullopt;
  auto raw = getRawInts(attr);
  if (!raw)
    return std::nullopt;
  bool isUnsigned = isUnsignedElem(attr.getElementType());
  SmallVector<int64_t> result;
  for (const APInt &v : *raw)
    result.push_back(isUnsigned ? static_cast<int64_t>(v.getZExtValue()) : v.getSExtValue());
  return result;
}

std::optional<SmallVector<double>> getConstantDoubles(Value original) {
  SmallVector<double> result;
  if (auto ints = getConstantInts(original)) {
    llvm::append_range(result, *ints);
    return result;
  }
  ElementsAttr attr = getConstantElements(original);
  auto type = attr ? dyn_cast<FloatType>(attr.getElementType()) : FloatType();
  auto raw = type ? getRawInts(attr) : std::nullopt;
  if (!raw)
    return std::nullopt;
  for (const APInt &v : *raw) {
    APFloat f(type.getFloatSemantics(), v);
    bool lossy;
    f.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
    result.push_back(f.convertToDouble());
  }
  return result;
}

// The same elements with the storage element type; null if it has none.
static TypedAttr convertElements(ElementsAttr attr, RankedTensorType to) {
  Type elem = attr.getElementType();
  unsigned size = elem.isIntOrFloat() || isa<ComplexType>(elem) ? blobElementSize(elem) : 0;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    if (elem == to.getElementType())
      return resource;
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    // Sub-byte elements take a byte in a blob as well.
    if (blob && static_cast<int64_t>(blob->getData().size()) == attr.getNumElements() * size)
      return DenseResourceElementsAttr::get(to, resource.getRawHandle());
    return {};
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense)
    return {};
  if (elem == to.getElementType())
    return dense;
  auto storage = dyn_cast<IntegerType>(to.getElementType());
  if (!storage)
    return {};
  bool zeroExtend = isUnsignedElem(elem) || isa<FloatType>(elem);
  auto extend = [&](const APInt &v) {
    return zeroExtend ? v.zext(storage.getWidth()) : v.sext(storage.getWidth());
  };
  if (auto floatType = dyn_cast<FloatType>(elem))
    return dense.mapValues(storage, [&](const APFloat &v) { return extend(v.bitcastToAPInt()); });
  return dense.mapValues(storage, [&](const APInt &v) { return extend(v); });
}

Value storageConstant(OpBuilder &b, Location loc, const OnnxTypeConverter &types,
                      ElementsAttr attr) {
  RankedTensorType type = types.convertTensor(attr.getShapedType());
  if (!type || !type.hasStaticShape())
    return {};
  if (isStringElem(attr.getElementType())) {
    auto strings = dyn_cast<DenseStringElementsAttr>(attr);
    if (!strings)
      return {};
    SmallVector<StringRef> values(strings.getValues<StringRef>());
    return rt::StringConstantOp::create(b, loc, type, b.getStrArrayAttr(values));
  }
  TypedAttr converted = convertElements(attr, type);
  return converted ? arith::ConstantOp::create(b, loc, converted) : Value();
}

namespace {

struct ConstantPattern : OnnxPattern<onnx::ConstantOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ConstantOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto attr = dyn_cast_or_null<ElementsAttr>(op.getValueAttr());
    Value result =
        attr ? storageConstant(rewriter, op.getLoc(), types(), attr) : Value();
    if (!result)
      return refuse(op, "has a value whose data does not fit its type");
    replaceOp(rewriter, types(), op, result);
    return success();
  }
};

} // namespace

void populateConstantPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ConstantPattern>(patterns, converter);
}

} // namespace onnxc
