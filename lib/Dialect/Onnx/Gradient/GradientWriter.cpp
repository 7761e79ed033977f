#include "GradientWriter.h"

using namespace mlir;

namespace onnxc::onnx {

Value GradientWriter::swapAxes(Value x, int64_t a, int64_t b) {
  SmallVector<int64_t> perm = llvm::to_vector(llvm::seq<int64_t>(0, rank(x)));
  std::swap(perm[a < 0 ? a + rank(x) : a], perm[b < 0 ? b + rank(x) : b]);
  return transpose(x, perm);
}

Value GradientWriter::reduceSum(Value x, Ints axes, bool keepDims) {
  return axes.empty() ? x : op("ReduceSum", {x, vector(axes)}, {integerAttr("keepdims", keepDims)});
}

Value GradientWriter::ratioOfCounts(Value x, Value y) {
  return castLike(div(count(x), op("Max", {count(y), scalar(b.getI64Type(), 1)})), x);
}

Value GradientWriter::sumTo(Value x, Value like) {
  std::optional<SymbolicDims> from = state.shapeOf(x), to = state.shapeOf(like);
  if (!from || !to || from->size() < to->size())
    return {};
  int64_t lead = from->size() - to->size();
  SmallVector<int64_t> ones, leading = llvm::to_vector(llvm::seq<int64_t>(0, lead));
  SmallVector<int64_t> open;
  for (auto [i, dim] : llvm::enumerate(*to)) {
    SymbolicDim wide = (*from)[lead + i];
    if (dim == wide || (dim.isKnown() && dim.getValue() != 1))
      continue;
    (dim.isKnown() ? ones : open).push_back(i);
  }
  x = reduceSum(x, leading, false);
  x = reduceSum(x, ones, true);
  if (open.empty())
    return x;
  // An axis that may have been repeated is split in two: how often, and its own size.
  SmallVector<Value> sizes;
  SmallVector<int64_t> repeated;
  for (int64_t i = 0, n = to->size(); i < n; ++i) {
    if (llvm::is_contained(open, i)) {
      repeated.push_back(sizes.size());
      sizes.push_back(div(size(x, i), op("Max", {size(like, i), scalar(b.getI64Type(), 1)})));
    }
    sizes.push_back(size(like, i));
  }
  return reduceSum(reshape(x, concat(sizes)), repeated, false);
}

Value GradientWriter::fitTo(Value x, Value like, int64_t first) {
  std::optional<SymbolicDims> from = state.shapeOf(x), to = state.shapeOf(like);
  if (from && to && std::equal(from->begin() + first, from->end(), to->begin() + first, to->end()))
    return x;
  Value missing = sub(shapeFrom(like, first), shapeFrom(x, first));
  SmallVector<int64_t> zeros(rank(x) + first, 0);
  return op("Pad", {x, concat({vector(zeros), missing})});
}

} // namespace onnxc::onnx
