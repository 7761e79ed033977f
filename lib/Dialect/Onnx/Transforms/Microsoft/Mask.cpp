// Masks of attention as what is added to the scores.
#include "Mask.h"

using namespace mlir;

namespace onnxc::onnx {

/// A vector of as many ends as there are sequences, or of ends and then starts: true from start to end.
static FailureOr<Value> visibleKeys(Expansion &e, Value mask, const MaskedScores &scores,
                                    int64_t parts) {
  Type i64 = e.b.getI64Type();
  Value ends = e.cast(mask, i64), starts;
  if (parts == 2) {
    starts = e.slice(ends, scores.batch, e.mul(scores.batch, e.vector({2})), 0);
    ends = e.slice(ends, e.vector({0}), scores.batch, 0);
  }
  Value keys = e.iota(scores.total);
  Value visible = e.op("Less", {keys, e.unsqueeze(ends, {1, 2, 3})});
  if (starts)
    visible = e.op("And", {visible, e.op("GreaterOrEqual", {keys, e.unsqueeze(starts, {1, 2, 3})})});
  return visible;
}

FailureOr<Value> maskBias(Expansion &e, Value mask, const MaskedScores &scores) {
  if (!mask)
    return Value();
  Value visible;
  int64_t rank = e.rank(mask);
  if (rank == 1) {
    // Lengths unless twice as many as there are sequences; a longer vector holds sums for packed input.
    int64_t parts = e.partsOf(mask, scores.batch);
    if (parts != 1 && parts != 2)
      return e.refuse("has a mask with one dimension which is not known to be the batch's or twice that");
    auto found = visibleKeys(e, mask, scores, parts);
    if (failed(found))
      return failure();
    visible = *found;
  } else if (rank >= 2 && rank <= 4) {
    if (rank == 4) {
      // One square for all positions: its rows of the queries, its columns of the keys.
      mask = e.slice(mask, e.sub(scores.total, scores.queries), scores.total, 2);
      mask = e.slice(mask, e.vector({0}), scores.total, 3);
    } else {
      mask = e.unsqueeze(mask, rank == 2 ? Ints{1, 2} : Ints{1});
    }
    visible = e.op("Greater", {mask, e.scalar(e.elem(mask), 0)});
  } else {
    return e.refuse("has a mask of a rank that is not supported");
  }
  double filter = e.real("mask_filter_value", -10000);
  return e.op("Where", {visible, e.scalar(scores.elem, 0), e.scalar(scores.elem, filter)});
}

} // namespace onnxc::onnx
