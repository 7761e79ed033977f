// LayerNormalization and RMSNormalization with what was added ahead of them, and BERT's embedding.
#include "Expansion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

constexpr double defaultEpsilon = 1e-5, skipEpsilon = 1e-12;

/// 1 / sqrt(mean(x^2) + epsilon) over the dimensions from `axis` on, in f32 as RMSNormalization has it.
Value inverseRms(Expansion &e, Value x, int64_t axis, double epsilon) {
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(axis, e.rank(x)));
  Type type = e.elem(x).isF64() ? e.elem(x) : Type(e.b.getF32Type());
  x = e.cast(x, type);
  Value mean = e.op("ReduceMean", {e.mul(x, x), e.vector(axes)});
  return e.op("Reciprocal", {e.op("Sqrt", {e.add(mean, e.scalar(type, epsilon))})});
}

/// Y, Mean, InvStdDev: the operator before ONNX had it.
Results expandLayerNormalization(Expansion &e) {
  Attrs attrs = e.keep({"axis", "epsilon", "stash_type"});
  return e.ops("LayerNormalization", {e.in(0), e.in(1), e.in(2)}, attrs,
               {true, e.wants(1), e.wants(2)});
}

/// X, scale; Y, InvStdDev. The result has the scale's type.
Results expandSimplified(Expansion &e) {
  Value x = e.in(0), scale = e.in(1);
  if (e.rank(x) < 1)
    return e.refuse("needs an input whose rank is known");
  int64_t axis = e.integer("axis", -1);
  double epsilon = e.real("epsilon", defaultEpsilon);
  Value y = e.op("RMSNormalization", {x, scale},
                 {e.integerAttr("axis", axis), e.realAttr("epsilon", epsilon),
                  e.integerAttr("stash_type", e.integer("stash_type", 1))});
  Value inverse;
  if (e.wants(1))
    inverse = inverseRms(e, x, axis < 0 ? axis + e.rank(x) : axis, epsilon);
  return Values{e.cast(y, e.elem(scale)), inverse};
}

/// input + skip (+ bias), which is a result of its own. The skip may lack the batch.
Value sumOf(Expansion &e, Value bias) { return e.addIf(e.add(e.in(0), e.in(1)), bias); }

/// input, skip, gamma, beta, bias; output, mean, inv_std_var, sum.
Results expandSkip(Expansion &e) {
  Value sum = sumOf(e, e.in(4));
  double epsilon = e.real("epsilon", skipEpsilon);
  Values made = e.ops("LayerNormalization", {sum, e.in(2), e.in(3)},
                      {e.integerAttr("axis", -1), e.realAttr("epsilon", epsilon)},
                      {true, e.wants(1), e.wants(2)});
  return Values{made[0], made[1], made[2], sum};
}

/// input, skip, gamma, bias; output, mean, inv_std_var, sum.
Results expandSkipSimplified(Expansion &e) {
  Value sum = sumOf(e, e.in(3));
  double epsilon = e.real("epsilon", skipEpsilon);
  Value y = e.op("RMSNormalization", {sum, e.in(2)},
                 {e.integerAttr("axis", -1), e.realAttr("epsilon", epsilon)});
  if (e.wants(1))
    return e.refuse("has no mean to give: it does not compute one");
  Value inverse;
  if (e.wants(2)) {
    if (e.rank(sum) < 1)
      return e.refuse("needs an input whose rank is known");
    inverse = inverseRms(e, sum, e.rank(sum) - 1, epsilon);
  }
  return Values{y, Value(), inverse, sum};
}

/// ids, segments, word, position and segment tables, gamma, beta, mask, positions; output, mask_index, sum.
Results embed(Expansion &e, Value words, Value positions, Value segments, Value gamma, Value beta,
              Value mask, Value positionIds) {
  Value ids = e.in(0);
  if (failed(e.needRank(0, {2})))
    return failure();
  Value sum = e.op("Gather", {words, ids});
  Value place = positionIds ? e.op("Gather", {positions, positionIds})
                            : e.slice(positions, e.vector({0}), e.size(ids, 1), 0);
  sum = e.add(sum, place);
  if (e.has(1) && segments)
    sum = e.add(sum, e.op("Gather", {segments, e.in(1)}));
  Value y = e.op("LayerNormalization", {sum, gamma, beta},
                 {e.integerAttr("axis", -1), e.realAttr("epsilon", e.real("epsilon", skipEpsilon))});
  Value count;
  if (e.wants(1)) {
    Type i32 = e.b.getI32Type();
    // The number of words is that of the ones; without a mask it is zero.
    Value ones = mask ? e.cast(e.op("Equal", {mask, e.scalar(i32, 1)}), i32)
                      : e.mul(e.cast(ids, i32), e.scalar(i32, 0));
    count = e.op("ReduceSum", {ones, e.vector({1})}, {e.integerAttr("keepdims", 0)});
  }
  return Values{y, count, sum};
}

Results expandEmbed(Expansion &e) {
  return embed(e, e.in(2), e.in(3), e.in(4), e.in(5), e.in(6), e.in(7), e.in(8));
}

/// The same with quantized tables: five tensors, their scales, their zero points.
Results expandQuantizedEmbed(Expansion &e) {
  auto real = [&](unsigned value, unsigned scale, unsigned zero) -> Value {
    if (!e.has(value))
      return {};
    return e.op("DequantizeLinear", {e.in(value), e.op("Squeeze", {e.in(scale)}), e.op("Squeeze", {e.in(zero)})});
  };
  for (unsigned scale = 8; scale < 18; ++scale)
    if (failed(e.needRank(scale, {0, 1})))
      return failure();
  return embed(e, real(2, 8, 13), real(3, 9, 14), real(4, 10, 15), real(5, 11, 16), real(6, 12, 17),
               e.in(7), Value());
}

} // namespace

Expander normalizationExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("LayerNormalization", expandLayerNormalization)
      .Case("SimplifiedLayerNormalization", expandSimplified)
      .Case("SkipLayerNormalization", expandSkip)
      .Case("SkipSimplifiedLayerNormalization", expandSkipSimplified)
      .Case("EmbedLayerNormalization", expandEmbed)
      .Case("QEmbedLayerNormalization", expandQuantizedEmbed)
      .Default(nullptr);
}

} // namespace onnxc::onnx
