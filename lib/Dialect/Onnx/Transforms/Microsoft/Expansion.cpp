//===- Expansion.cpp - What expanders build with --------------------------===//
#include "Expansion.h"
#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"
#include "onnxc/Schema/InferTypes.h"

using namespace mlir;

namespace onnxc::onnx {

//===-- The node ------------------------------------------------------------===//

int64_t Expansion::integer(StringRef name, int64_t fallback) {
  auto value = dyn_cast_or_null<IntegerAttr>(attr(name));
  return value ? value.getInt() : fallback;
}

double Expansion::real(StringRef name, double fallback) {
  auto value = dyn_cast_or_null<FloatAttr>(attr(name));
  return value ? value.getValueAsDouble() : fallback;
}

StringRef Expansion::text(StringRef name, StringRef fallback) {
  auto value = dyn_cast_or_null<StringAttr>(attr(name));
  return value ? value.getValue() : fallback;
}

std::optional<Ints> Expansion::ints(StringRef name) {
  if (auto value = dyn_cast_or_null<DenseI64ArrayAttr>(attr(name)))
    return value.asArrayRef();
  return std::nullopt;
}

SmallVector<double> Expansion::reals(StringRef name) {
  if (auto value = dyn_cast_or_null<DenseF32ArrayAttr>(attr(name)))
    return llvm::to_vector_of<double>(value.asArrayRef());
  return {};
}

Attrs Expansion::keep(ArrayRef<StringRef> names) {
  Attrs kept;
  for (StringRef name : names)
    if (Attribute value = attr(name))
      kept.push_back(b.getNamedAttr(name, value));
  return kept;
}

LogicalResult Expansion::refuse(const Twine &reason) {
  return node->emitError("com.microsoft operator ") << node.getOpType() << " " << reason;
}

//===-- Types ---------------------------------------------------------------===//

int64_t Expansion::dim(Value v, int64_t axis) const {
  RankedTensorType t = type(v);
  if (!t || axis >= t.getRank() || axis < -t.getRank())
    return ShapedType::kDynamic;
  return t.getDimSize(axis < 0 ? axis + t.getRank() : axis);
}

int64_t Expansion::partsOf(Value v, Value size) {
  std::optional<SymbolicDims> dims = state.shapeOf(v);
  const Contents *known = state.contentsOf(size);
  if (!dims || dims->empty() || !known || known->elements.size() != 1)
    return 0;
  const SymbolicDim &whole = dims->front(), &part = known->elements.front();
  if (whole.isKnown() && part.isKnown())
    return part.getValue() > 0 && whole.getValue() % part.getValue() == 0
               ? whole.getValue() / part.getValue()
               : 0;
  return whole.isSymbol() && whole == part ? 1 : 0;
}

LogicalResult Expansion::needRank(unsigned input, Ints ranks) {
  if (!has(input) || llvm::is_contained(ranks, rank(in(input))))
    return success();
  if (rank(in(input)) < 0)
    return refuse("has an input " + Twine(input) + " whose rank is not known");
  return refuse("has an input " + Twine(input) + " of rank " + Twine(rank(in(input))));
}

//===-- Operators -----------------------------------------------------------===//

Value Expansion::op(StringRef name, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attrs) {
  return ops(name, operands, attrs, {true})[0];
}

Values Expansion::ops(StringRef name, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attrs,
                      ArrayRef<bool> wanted) {
  OperationState state(loc, ("onnx." + name).str());
  const OpInfo &info = state.name.getInterface<OnnxOpInterface>()->getOnnxInfo();
  for (Value operand : operands)
    state.operands.push_back(operand ? operand : none());
  while (state.operands.size() < info.inputs.size() &&
         info.inputs[state.operands.size()].option != ParamInfo::Variadic)
    state.operands.push_back(none());
  state.addAttributes(attrs);
  // The types are inferred below.
  size_t results = wanted.size();
  if (!info.outputs.empty() && info.outputs.back().option != ParamInfo::Variadic)
    results = info.outputs.size();
  for (size_t i = 0; i < results; ++i)
    state.addTypes(i < wanted.size() && wanted[i]
                       ? Type(UnrankedTensorType::get(b.getF32Type()))
                       : Type(b.getNoneType()));
  Operation *made = b.create(state);
  SmallVector<Type> types;
  Values values(wanted.size());
  bool inferred = succeeded(inferTypes(made, types));
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i])
      continue;
    if (inferred && types[i])
      made->getResult(i).setType(types[i]);
    values[i] = made->getResult(i);
  }
  // A failure is reported by the inference that follows the pass.
  (void)inference.inferOp(made);
  return values;
}

Value Expansion::custom(StringRef name, Type type, ArrayRef<Value> operands,
                        ArrayRef<NamedAttribute> attrs) {
  Values present;
  for (Value operand : operands)
    present.push_back(operand ? operand : none());
  auto made = CustomOp::create(b, loc, TypeRange{type}, node.getDomainNameAttr(),
                               b.getStringAttr(name), b.getDictionaryAttr(attrs), present);
  (void)inference.inferOp(made);
  return made->getResult(0);
}

NamedAttribute Expansion::integerAttr(StringRef name, int64_t value) {
  return b.getNamedAttr(name, b.getI64IntegerAttr(value));
}
NamedAttribute Expansion::realAttr(StringRef name, double value) {
  return b.getNamedAttr(name, b.getF32FloatAttr(static_cast<float>(value)));
}
NamedAttribute Expansion::textAttr(StringRef name, StringRef value) {
  return b.getNamedAttr(name, b.getStringAttr(value));
}
NamedAttribute Expansion::intsAttr(StringRef name, Ints values) {
  return b.getNamedAttr(name, b.getDenseI64ArrayAttr(values));
}

Value Expansion::none() {
  if (!absent)
    absent = NoneOp::create(b, loc, b.getNoneType());
  return absent;
}

Value Expansion::vector(Ints values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, b.getI64Type());
  return ConstantOp::create(b, loc, ElementsAttr(DenseElementsAttr::get(type, values))).getOutput();
}

Value Expansion::constant(Type elem, Ints shape, ArrayRef<double> values) {
  HostTensor tensor = HostTensor::zeros(elem, shape);
  tensor.store(0, values.size(), values.data());
  return ConstantOp::create(b, loc, tensor.toAttr()).getOutput();
}

Value Expansion::scalar(Type elem, double value) { return constant(elem, {}, {value}); }

Value Expansion::cast(Value x, Type to) {
  if (elem(x) == to)
    return x;
  return op("Cast", {x}, {integerAttr("to", toOnnxElementType(to))});
}

Value Expansion::size(Value x, int64_t axis) {
  axis = axis < 0 ? axis + rank(x) : axis;
  if (int64_t known = dim(x, axis); !ShapedType::isDynamic(known))
    return vector({known});
  return op("Shape", {x}, {integerAttr("start", axis), integerAttr("end", axis + 1)});
}

Values Expansion::split(Value x, Ints sizes, int64_t axis) {
  return ops("Split", {x, vector(sizes)}, {integerAttr("axis", axis)},
             SmallVector<bool>(sizes.size(), true));
}

Value Expansion::iota(Value count) {
  Type i64 = b.getI64Type();
  return op("Range", {scalar(i64, 0), squeeze(count, {0}), scalar(i64, 1)});
}

} // namespace onnxc::onnx
