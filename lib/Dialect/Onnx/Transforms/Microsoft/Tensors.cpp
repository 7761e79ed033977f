// Operators that became ONNX's own later, under the same or another name.
#include "Expansion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

Results expandTrilu(Expansion &e) {
  return Values{e.op("Trilu", {e.in(0), e.in(1)}, e.keep({"upper"}))};
}

Results expandPad(Expansion &e) {
  Value pads = e.in(1);
  if (pads && e.rank(pads) == 2) // [1, 2 * rank] is allowed
    pads = e.reshape(pads, {-1});
  return Values{e.op("Pad", {e.in(0), pads, e.in(2)}, e.keep({"mode"}))};
}

Results expandGatherND(Expansion &e) {
  return Values{e.op("GatherND", {e.in(0), e.cast(e.in(1), e.b.getI64Type())})};
}

Results expandExpandDims(Expansion &e) {
  Value axis = e.reshape(e.cast(e.in(1), e.b.getI64Type()), {1});
  return Values{e.op("Unsqueeze", {e.in(0), axis})};
}

Results expandRange(Expansion &e) {
  auto scalar = [&](unsigned i) {
    return e.rank(e.in(i)) == 0 ? e.in(i) : e.op("Reshape", {e.in(i), e.vector({})});
  };
  Value step = e.has(2) ? scalar(2) : e.scalar(e.elem(e.in(0)), 1);
  return Values{e.op("Range", {scalar(0), scalar(1), step})};
}

/// y, idx, counts: in order of appearance.
Results expandUnique(Expansion &e) {
  Values made = e.ops("Unique", {e.in(0)}, {e.integerAttr("sorted", 0)}, {true, false, true, true});
  return Values{made[0], made[2], made[3]};
}

/// The distances of each row of A to each of B, by |a|^2 - 2ab + |b|^2.
Results expandCDist(Expansion &e) {
  StringRef metric = e.text("metric", "sqeuclidean");
  if (metric != "euclidean" && metric != "sqeuclidean")
    return e.refuse("has the metric " + metric + ", which is not supported");
  Value a = e.in(0), b = e.in(1);
  auto squares = [&](Value x, int64_t keep) {
    return e.op("ReduceSumSquare", {x, e.vector({1})}, {e.integerAttr("keepdims", keep)});
  };
  Value product = e.scaled(e.op("MatMul", {a, e.transpose(b, {1, 0})}), -2);
  Value d = e.add(e.add(product, squares(a, 1)), squares(b, 0));
  d = e.op("Max", {d, e.scalar(e.elem(a), 0)}); // rounding may leave less
  return Values{metric == "euclidean" ? e.op("Sqrt", {d}) : d};
}

} // namespace

Expander tensorExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("Trilu", expandTrilu)
      .Case("Pad", expandPad)
      .Case("GatherND", expandGatherND)
      .Case("ExpandDims", expandExpandDims)
      .Case("Range", expandRange)
      .Case("Unique", expandUnique)
      .Case("CDist", expandCDist)
      .Default(nullptr);
}

} // namespace onnxc::onnx
