// Result shapes that ONNX's own inference leaves open: ranks where only the size of a shape tensor
// is known, and shape tensors that are known in part (Reshape, Expand, ConstantOfShape, Tile,
// Slice, Pad, TopK, Range, Resize, Squeeze, the caches of Attention).
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"

using namespace mlir;

namespace onnxc::onnx {

namespace {

using MaybeDims = std::optional<SymbolicDims>;

/// The elements of a shape tensor; where none is known but their number is, that many unknown ones.
MaybeDims shapeTensor(Value value, ShapeState &state) {
  if (const Contents *known = state.contentsOf(value))
    return known->elements;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() > ShapeState::kMaxElements)
    return std::nullopt;
  return SymbolicDims(type.getNumElements());
}

/// The integers of an operand that is known entirely; `absent` if it is none.
std::optional<SmallVector<int64_t>> constantInts(Value value, ShapeState &state,
                                                 SmallVector<int64_t> absent) {
  if (isNone(value))
    return absent;
  const Contents *known = state.contentsOf(value);
  if (!known || !known->constant)
    return std::nullopt;
  return known->constant->ints();
}

MaybeDims reshapeRule(ReshapeOp op, ShapeState &state) {
  MaybeDims target = shapeTensor(op.getShape(), state);
  if (!target)
    return std::nullopt;
  MaybeDims source = state.shapeOf(op.getData());
  bool allowZero = op.getAllowzero() != 0;
  // What is left of the source's dimensions when those of the target are taken away: the -1.
  int64_t sourceFactor = 1, targetFactor = 1, inferred = -1;
  SymbolicDims left;
  bool exact = source.has_value();
  for (const SymbolicDim &dim : source ? *source : SymbolicDims()) {
    if (dim.isKnown())
      exact &= !llvm::MulOverflow(sourceFactor, dim.getValue(), sourceFactor);
    else
      left.push_back(dim);
  }
  for (auto [i, dim] : llvm::enumerate(*target)) {
    if (dim.isKnown(0) && !allowZero)
      dim = source && i < source->size() ? (*source)[i] : SymbolicDim();
    if (dim.isKnown(-1)) {
      exact &= inferred < 0;
      inferred = i;
      dim = SymbolicDim();
    } else if (dim.isKnown()) {
      exact &= dim.getValue() >= 0 && !llvm::MulOverflow(targetFactor, dim.getValue(), targetFactor);
      if (dim.getValue() < 0)
        return std::nullopt;
    } else if (auto *it = llvm::find(left, dim); it != left.end()) {
      left.erase(it);
    } else {
      exact = false;
    }
  }
  if (exact && inferred >= 0 && targetFactor > 0 && sourceFactor % targetFactor == 0) {
    int64_t rest = sourceFactor / targetFactor;
    if (left.empty())
      (*target)[inferred] = SymbolicDim::known(rest);
    else if (rest == 1 && left.size() == 1)
      (*target)[inferred] = left.front();
  }
  return target;
}

MaybeDims expandRule(ExpandOp op, ShapeState &state) {
  MaybeDims target = shapeTensor(op.getShape(), state), source = state.shapeOf(op.getInput());
  if (!target || !source)
    return std::nullopt;
  SymbolicDims result(std::max(target->size(), source->size()));
  for (size_t i = 0; i < result.size(); ++i) {
    auto from = [&](const SymbolicDims &dims) {
      size_t lead = result.size() - dims.size();
      return i < lead ? SymbolicDim::known(1) : dims[i - lead];
    };
    SymbolicDim a = from(*source), b = from(*target);
    // Broadcasting to a size that is not 1 gives that size.
    if (a == b || b.isKnown(1))
      result[i] = a;
    else if (a.isKnown(1))
      result[i] = b;
    else if (a.isKnown() || b.isKnown())
      result[i] = a.isKnown() ? a : b;
  }
  return result;
}

MaybeDims tileRule(TileOp op, ShapeState &state) {
  MaybeDims dims = state.shapeOf(op.getInput()), repeats = shapeTensor(op.getRepeats(), state);
  if (!dims || !repeats || dims->size() != repeats->size())
    return dims ? MaybeDims(SymbolicDims(dims->size())) : std::nullopt;
  for (auto [dim, repeat] : llvm::zip(*dims, *repeats)) {
    int64_t product;
    if (dim.isKnown() && repeat.isKnown() && repeat.getValue() >= 0 &&
        !llvm::MulOverflow(dim.getValue(), repeat.getValue(), product))
      dim = SymbolicDim::known(product);
    else if (dim.isKnown(1))
      dim = repeat.isSymbol() ? repeat : SymbolicDim();
    else if (!repeat.isKnown(1))
      dim = SymbolicDim();
  }
  return dims;
}

MaybeDims sliceRule(SliceOp op, ShapeState &state) {
  MaybeDims dims = state.shapeOf(op.getData());
  if (!dims)
    return std::nullopt;
  int64_t rank = dims->size();
  MaybeDims starts = shapeTensor(op.getStarts(), state), ends = shapeTensor(op.getEnds(), state);
  if (!starts || !ends || starts->size() != ends->size())
    return SymbolicDims(rank);
  size_t n = starts->size();
  auto axes = constantInts(op.getAxes(), state, llvm::to_vector(llvm::seq<int64_t>(0, n)));
  auto steps = constantInts(op.getSteps(), state, SmallVector<int64_t>(n, 1));
  if (!axes || axes->size() != n)
    return SymbolicDims(rank);
  for (size_t i = 0; i < n; ++i) {
    auto axis = detail::wrapAxis((*axes)[i], rank);
    if (!axis)
      return std::nullopt;
    SymbolicDim &dim = (*dims)[*axis];
    SymbolicDim start = (*starts)[i], end = (*ends)[i];
    bool unit = steps && steps->size() == n && (*steps)[i] == 1;
    // The whole dimension.
    bool fromZero = unit && start.isKnown(0);
    if (fromZero && (end == dim || (end.isKnown() && end.getValue() >= INT32_MAX)))
      continue;
    if (dim.isKnown() && unit && start.isKnown() && end.isKnown()) {
      int64_t size = dim.getValue();
      auto clampTo = [&](int64_t x) { return std::clamp<int64_t>(x < 0 ? x + size : x, 0, size); };
      int64_t from = clampTo(start.getValue()), to = clampTo(end.getValue());
      dim = SymbolicDim::known(std::max<int64_t>(to - from, 0));
      continue;
    }
    // The last k of a dimension of at least k are k, but nothing says that there are so many.
    dim = SymbolicDim();
  }
  return dims;
}

MaybeDims padRule(PadOp op, ShapeState &state) {
  MaybeDims dims = state.shapeOf(op.getData()), pads = shapeTensor(op.getPads(), state);
  if (!dims)
    return std::nullopt;
  int64_t rank = dims->size();
  auto axes = constantInts(op.getAxes(), state, llvm::to_vector(llvm::seq<int64_t>(0, rank)));
  if (!pads || !axes || pads->size() != 2 * axes->size())
    return SymbolicDims(rank);
  for (size_t i = 0; i < axes->size(); ++i) {
    auto axis = detail::wrapAxis((*axes)[i], rank);
    if (!axis)
      return std::nullopt;
    SymbolicDim &dim = (*dims)[*axis], before = (*pads)[i], after = (*pads)[axes->size() + i];
    if (before.isKnown(0) && after.isKnown(0))
      continue;
    int64_t sum;
    if (dim.isKnown() && before.isKnown() && after.isKnown() &&
        !llvm::AddOverflow(before.getValue(), after.getValue(), sum) &&
        !llvm::AddOverflow(dim.getValue(), sum, sum))
      dim = SymbolicDim::known(std::max<int64_t>(sum, 0));
    else
      dim = SymbolicDim();
  }
  return dims;
}

MaybeDims topKRule(TopKOp op, ShapeState &state) {
  MaybeDims dims = state.shapeOf(op.getX()), k = shapeTensor(op.getK(), state);
  if (!dims || dims->empty())
    return std::nullopt;
  auto axis = detail::wrapAxis(op.getAxis(), dims->size());
  if (!axis)
    return std::nullopt;
  (*dims)[*axis] = k && k->size() == 1 ? k->front() : SymbolicDim();
  return dims;
}

/// Reductions over axes that only the run knows: the rank, and the sizes where nothing is reduced.
template <typename OpT> MaybeDims reduceRule(OpT op, ShapeState &state) {
  MaybeDims dims = state.shapeOf(op.getData());
  if (!dims)
    return std::nullopt;
  int64_t rank = dims->size();
  bool keepDims = op.getKeepdims() != 0, noop = op.getNoopWithEmptyAxes() != 0;
  auto known = constantInts(op.getAxes(), state, {});
  auto type = dyn_cast<RankedTensorType>(op.getAxes().getType());
  if (!known && keepDims)
    return SymbolicDims(rank);
  if (!known && (!type || type.getRank() != 1 || type.isDynamicDim(0)))
    return std::nullopt;
  int64_t count = known ? known->size() : type.getDimSize(0);
  if (count == 0) {
    if (noop)
      return dims;
    return keepDims ? SymbolicDims(rank, SymbolicDim::known(1)) : SymbolicDims();
  }
  if (!known)
    return count > rank ? std::nullopt : MaybeDims(SymbolicDims(rank - count));
  SmallVector<bool> reduced(rank);
  for (int64_t a : *known) {
    auto axis = detail::wrapAxis(a, rank);
    if (!axis)
      return std::nullopt;
    reduced[*axis] = true;
  }
  SymbolicDims result;
  for (int64_t i = 0; i < rank; ++i)
    if (!reduced[i] || keepDims)
      result.push_back(reduced[i] ? SymbolicDim::known(1) : (*dims)[i]);
  return result;
}

/// Where the kernel's sizes are not known.
MaybeDims convRule(ConvOp op, ShapeState &state) {
  MaybeDims x = state.shapeOf(op.getX()), w = state.shapeOf(op.getW());
  if (!x || !w || x->size() < 3 || w->size() != x->size())
    return std::nullopt;
  SymbolicDims result(x->size());
  result[0] = (*x)[0];
  result[1] = (*w)[0];
  return result;
}

/// Without axes all sizes of 1 go. Where some are known to be 1 and others are not known, the others stay: the lowering
/// checks that they are not 1.
MaybeDims squeezeRule(SqueezeOp op, ShapeState &state) {
  MaybeDims dims = state.shapeOf(op.getData());
  if (!dims || !isNone(op.getAxes()))
    return std::nullopt;
  SymbolicDims kept;
  for (const SymbolicDim &dim : *dims)
    if (!dim.isKnown(1))
      kept.push_back(dim);
  auto declared = dyn_cast<RankedTensorType>(op.getResult().getType());
  bool isLikely = declared ? static_cast<int64_t>(kept.size()) == declared.getRank() : kept.size() < dims->size();
  return isLikely ? MaybeDims(kept) : std::nullopt;
}

MaybeDims ruleFor(Operation *op, ShapeState &state) {
  return llvm::TypeSwitch<Operation *, MaybeDims>(op)
      .Case<ReshapeOp>([&](auto op) { return reshapeRule(op, state); })
      .Case<ExpandOp>([&](auto op) { return expandRule(op, state); })
      .Case<TileOp>([&](auto op) { return tileRule(op, state); })
      .Case<SliceOp>([&](auto op) { return sliceRule(op, state); })
      .Case<PadOp>([&](auto op) { return padRule(op, state); })
      .Case<TopKOp>([&](auto op) { return topKRule(op, state); })
      .Case<ReduceSumOp, ReduceMeanOp, ReduceProdOp, ReduceMaxOp, ReduceMinOp, ReduceL1Op,
            ReduceL2Op, ReduceLogSumOp, ReduceLogSumExpOp, ReduceSumSquareOp>(
          [&](auto op) { return reduceRule(op, state); })
      .Case<ConstantOfShapeOp>([&](auto op) { return shapeTensor(op.getInput(), state); })
      .Case<ConvOp>([&](auto op) { return convRule(op, state); })
      .Case<SqueezeOp>([&](auto op) { return squeezeRule(op, state); })
      .Case<RangeOp>([&](auto) { return SymbolicDims(1); })
      .Case<ResizeOp>([&](auto op) -> MaybeDims {
        MaybeDims dims = state.shapeOf(op.getX());
        return dims ? MaybeDims(SymbolicDims(dims->size())) : std::nullopt;
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// The rank that users declare for a value: what an operator of one input that keeps its shape gives has the rank of
/// its input.
std::optional<int64_t> rankFromUsers(Value value, int depth = 0) {
  constexpr int kMaxDepth = 8;
  for (Operation *user : value.getUsers()) {
    if (depth > kMaxDepth || !isa<IdentityOp, CastOp, LogOp, SqrtOp, ExpOp, NegOp, AbsOp, ReciprocalOp>(user))
      continue;
    Value result = user->getResult(0);
    if (auto type = dyn_cast<RankedTensorType>(result.getType()))
      return type.getRank();
    if (std::optional<int64_t> rank = rankFromUsers(result, depth + 1))
      return rank;
  }
  return std::nullopt;
}

/// The cache that Attention gives, [batch, heads, past and new keys, size]. `fresh` are keys or values of rank 3 or 4.
MaybeDims cacheRule(AttentionOp op, Value fresh, Value past, ShapeState &state) {
  MaybeDims dims = state.shapeOf(fresh);
  if (!dims || (dims->size() != 3 && dims->size() != 4))
    return std::nullopt;
  if (dims->size() == 3) {
    int64_t heads = op.getKvNumHeads() ? static_cast<int64_t>(*op.getKvNumHeads()) : 0;
    SymbolicDim all = (*dims)[2];
    bool known = heads > 0 && all.isKnown() && all.getValue() % heads == 0;
    dims = SymbolicDims{(*dims)[0], heads > 0 ? SymbolicDim::known(heads) : SymbolicDim(), (*dims)[1],
                        known ? SymbolicDim::known(all.getValue() / heads) : SymbolicDim()};
  }
  if (isNone(past))
    return dims;
  MaybeDims cached = state.shapeOf(past);
  SymbolicDim &keys = (*dims)[2];
  bool known = cached && cached->size() == 4 && (*cached)[2].isKnown() && keys.isKnown();
  keys = known ? SymbolicDim::known(keys.getValue() + (*cached)[2].getValue()) : SymbolicDim();
  return dims;
}

} // namespace

SmallVector<MaybeDims> inferShapeRules(Operation *op, ShapeState &state) {
  SmallVector<MaybeDims> result(op->getNumResults());
  if (result.empty())
    return result;
  result[0] = ruleFor(op, state);
  // As for a reduction whose axes are not known, but whose result the model declares.
  if (!result[0] && isa<UnrankedTensorType>(op->getResult(0).getType()))
    if (std::optional<int64_t> rank = rankFromUsers(op->getResult(0)))
      result[0] = SymbolicDims(*rank);
  if (isa<TopKOp>(op))
    result[1] = result[0];
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    result[1] = cacheRule(attention, attention.getK(), attention.getPastKey(), state);
    result[2] = cacheRule(attention, attention.getV(), attention.getPastValue(), state);
  }
  return result;
}

SmallVector<std::pair<unsigned, int64_t>> requiredLengths(Operation *op) {
  auto rankOf = [](Value value) -> std::optional<int64_t> {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type ? std::optional(type.getRank()) : std::nullopt;
  };
  SmallVector<std::pair<unsigned, int64_t>> result;
  auto require = [&](unsigned operand, std::optional<int64_t> length) {
    if (length && *length >= 0)
      result.emplace_back(operand, *length);
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case<PadOp>([&](PadOp op) {
        if (std::optional<int64_t> rank = rankOf(op.getData()); rank && isNone(op.getAxes()))
          require(1, 2 * *rank);
      })
      .Case<SplitOp>([&](SplitOp op) { require(1, op->getNumResults()); })
      .Case<TileOp>([&](TileOp op) { require(1, rankOf(op.getInput())); })
      .Case<ResizeOp>([&](ResizeOp op) {
        std::optional<int64_t> length = rankOf(op.getX());
        if (auto axes = op.getAxes())
          length = axes->size();
        require(2, length);
        require(3, length);
      })
      .Case<CenterCropPadOp>([&](CenterCropPadOp op) {
        auto axes = op.getAxes();
        require(1, axes ? std::optional<int64_t>(axes->size()) : rankOf(op->getOperand(0)));
      })
      // Where the model declares the result's rank.
      .Case<ReshapeOp>([&](ReshapeOp op) { require(1, rankOf(op->getResult(0))); })
      .Case<ConstantOfShapeOp>([&](ConstantOfShapeOp op) { require(0, rankOf(op->getResult(0))); })
      .Case<ReduceSumOp, ReduceMeanOp, ReduceProdOp, ReduceMaxOp, ReduceMinOp, ReduceL1Op,
            ReduceL2Op, ReduceLogSumOp, ReduceLogSumExpOp, ReduceSumSquareOp>([&](auto op) {
        auto from = rankOf(op.getData()), to = rankOf(op->getResult(0));
        // No axes may stand for all of them.
        if (from && to && *to > 0 && op.getKeepdims() == 0 && !isNone(op.getAxes()))
          require(1, *from - *to);
      })
      .Case<UnsqueezeOp>([&](UnsqueezeOp op) {
        auto from = rankOf(op.getData()), to = rankOf(op->getResult(0));
        require(1, from && to ? std::optional(*to - *from) : std::nullopt);
      })
      .Case<SqueezeOp>([&](SqueezeOp op) {
        auto from = rankOf(op.getData()), to = rankOf(op->getResult(0));
        require(1, from && to ? std::optional(*from - *to) : std::nullopt);
      });
  return result;
}

} // namespace onnxc::onnx
