//===- Expansion.cpp - What expanders build with --------------------------===//
#include "Expansion.h"

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

} // namespace onnxc::onnx
