// What QuantizedValues.h declares.
#include "QuantizedValues.h"
#include <cmath>

namespace onnxc::onnx {

using namespace mlir;

namespace {

Type elementOf(Value value) {
  auto type = dyn_cast<TensorType>(value.getType());
  return type ? type.getElementType() : Type();
}

bool isByte(Type type) {
  auto integer = dyn_cast_or_null<IntegerType>(type);
  return integer && integer.getWidth() == 8;
}

} // namespace

bool isSingle(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getNumElements() == 1;
}

bool Parameters::operator==(const Parameters &other) const {
  if (!single() || !other.single() || element != other.element)
    return false;
  if (scale == other.scale && zero == other.zero)
    return true;
  auto a = knownScale(), b = other.knownScale();
  auto za = knownZero(), zb = other.knownZero();
  return a && b && za && zb && *a == *b && *za == *zb;
}

std::optional<Dequantized> dequantized(Value value) {
  auto op = value.getDefiningOp<DequantizeLinearOp>();
  if (!op || op.getBlockSize() != 0 || !isa<Float32Type>(elementOf(op.getResult())) ||
      !isa<Float32Type>(elementOf(op.getXScale())))
    return std::nullopt;
  return Dequantized{op.getX(),
                     {op.getXScale(), op.getXZeroPoint(), static_cast<int64_t>(op.getAxis()),
                      elementOf(op.getX())}};
}

std::optional<Parameters> quantized(QuantizeLinearOp op) {
  if (op.getBlockSize() != 0 || !isa<Float32Type>(elementOf(op.getX())) ||
      !isa<Float32Type>(elementOf(op.getYScale())))
    return std::nullopt;
  Parameters p{op.getYScale(), op.getYZeroPoint(), static_cast<int64_t>(op.getAxis()),
               elementOf(op.getResult())};
  return isByte(p.element) && p.single() ? std::optional(p) : std::nullopt;
}

std::optional<Dequantized> activation(Value value) {
  auto d = dequantized(value);
  return d && isByte(d->parameters.element) && d->parameters.single() ? d : std::nullopt;
}

std::optional<Dequantized> weights(Value value, int64_t axis) {
  auto d = dequantized(value);
  auto type = d ? dyn_cast<RankedTensorType>(d->tensor.getType()) : RankedTensorType();
  if (!type || !isByte(d->parameters.element) || !constantValue(d->tensor))
    return std::nullopt;
  int64_t given = d->parameters.axis < 0 ? d->parameters.axis + type.getRank() : d->parameters.axis;
  auto scale = dyn_cast<RankedTensorType>(d->parameters.scale.getType());
  if (!d->parameters.single() && (given != axis || !scale || scale.getRank() != 1))
    return std::nullopt;
  return d;
}

Value zeroPoint(PatternRewriter &b, Location loc, const Parameters &p) {
  if (!isNone(p.zero))
    return p.zero;
  auto type = cast<RankedTensorType>(p.scale.getType());
  return createConstant(b, loc, HostTensor::zeros(p.element, type.getShape()));
}

void append(SmallVectorImpl<Value> &operands, PatternRewriter &b, Location loc, const Parameters &p) {
  operands.append({p.scale, zeroPoint(b, loc, p)});
}

void append(SmallVectorImpl<Value> &operands, PatternRewriter &b, Location loc, const Dequantized &x) {
  operands.push_back(x.tensor);
  append(operands, b, loc, x.parameters);
}

Value integerBias(Value bias, const Parameters &x, const Parameters &w) {
  auto d = dequantized(bias);
  auto integer = d ? dyn_cast<IntegerType>(d->parameters.element) : IntegerType();
  auto xs = x.knownScale();
  auto ws = constantTensor(w.scale);
  auto bs = d ? constantTensor(d->parameters.scale) : std::nullopt;
  if (!integer || integer.getWidth() != 32 || !xs || !ws || !bs)
    return {};
  if (!isNone(d->parameters.zero)) {
    auto zeros = constantInts(d->parameters.zero);
    if (!zeros || llvm::any_of(*zeros, [](int64_t v) { return v != 0; }))
      return {};
  }
  SmallVector<double> wanted = ws->floats(), given = bs->floats();
  size_t count = std::max(wanted.size(), given.size());
  if ((wanted.size() != 1 && wanted.size() != count) || (given.size() != 1 && given.size() != count))
    return {};
  for (size_t i = 0; i < count; ++i) {
    double product = *xs * wanted[wanted.size() == 1 ? 0 : i];
    if (std::fabs(given[given.size() == 1 ? 0 : i] - product) > 1e-4 * std::fabs(product))
      return {};
  }
  return d->tensor;
}

Operation *createMicrosoft(PatternRewriter &b, Location loc, StringRef name, Type type,
                           ValueRange operands, ArrayRef<NamedAttribute> attrs) {
  return CustomOp::create(b, loc, TypeRange{type}, b.getStringAttr("com.microsoft"),
                          b.getStringAttr(name), b.getDictionaryAttr(attrs), operands);
}

} // namespace onnxc::onnx
