// Gelu and its relatives, and sums with biases.
#include "Expansion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

Value gelu(Expansion &e, Value x, StringRef approximate) {
  return e.op("Gelu", {x}, {e.textAttr("approximate", approximate)});
}

Results expandGelu(Expansion &e) { return Values{gelu(e, e.in(0), "none")}; }
Results expandBiasGelu(Expansion &e) { return Values{gelu(e, e.addIf(e.in(0), e.in(1)), "none")}; }
Results expandFastGelu(Expansion &e) { return Values{gelu(e, e.addIf(e.in(0), e.in(1)), "tanh")}; }

Results expandQuickGelu(Expansion &e) {
  return Values{e.op("Swish", {e.in(0)}, {e.realAttr("alpha", e.real("alpha", 1.702))})};
}

Results expandBiasSplitGelu(Expansion &e) {
  Value x = e.add(e.in(0), e.in(1));
  int64_t size = e.dim(x, -1);
  if (ShapedType::isDynamic(size) || size % 2 != 0)
    return e.refuse("needs a last dimension of known, even size");
  Values halves = e.split(x, {size / 2, size / 2}, -1);
  return Values{e.mul(halves[0], gelu(e, halves[1], "none"))};
}

Results expandBiasAdd(Expansion &e) { return Values{e.add(e.add(e.in(0), e.in(1)), e.in(2))}; }

/// Dropout does nothing in inference; the mask then is all ones.
Results expandBiasDropout(Expansion &e) {
  Value x = e.add(e.in(0), e.in(1));
  Values made = e.ops("Dropout", {x, e.in(3), e.in(4)}, e.keep({"seed"}), {true, e.wants(1)});
  return Values{e.addIf(made[0], e.in(2)), made[1]};
}

/// Softmax over all dimensions from `axis` on; the bias lacks the dimensions ahead of the axis, or those
/// right before it.
Results expandBiasSoftmax(Expansion &e) {
  Value x = e.in(0), bias = e.in(1);
  int64_t rank = e.rank(x), biasRank = e.rank(bias);
  if (rank < 1 || biasRank < 0)
    return e.refuse("needs inputs whose rank is known");
  int64_t axis = e.integer("axis", 1);
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis >= rank)
    return e.refuse("has an axis outside of the input's rank");
  Value y = e.add(x, bias);
  if (axis == rank - 1)
    return Values{e.op("Softmax", {y}, {e.integerAttr("axis", axis)})};
  SmallVector<int64_t> flat(axis, 0);
  flat.push_back(-1);
  Value rows = e.op("Softmax", {e.reshape(y, flat)}, {e.integerAttr("axis", axis)});
  return Values{e.op("Reshape", {rows, e.op("Shape", {x})})};
}

} // namespace

Expander elementwiseExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("Gelu", expandGelu)
      .Case("BiasGelu", expandBiasGelu)
      .Case("FastGelu", expandFastGelu)
      .Case("QuickGelu", expandQuickGelu)
      .Case("BiasSplitGelu", expandBiasSplitGelu)
      .Case("BiasAdd", expandBiasAdd)
      .Case("BiasDropout", expandBiasDropout)
      .Case("BiasSoftmax", expandBiasSoftmax)
      .Default(nullptr);
}

} // namespace onnxc::onnx
