// Transpositions and the operations that move or reshape tensors: each is done on the source, in
// the source's order, and its result transposed.
#include "Transposes.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

using Dims = SmallVector<int64_t>;

/// The order that perm gives to the dimensions that are kept.
Perm withoutDropped(ArrayRef<int64_t> perm, const llvm::SmallBitVector &dropped) {
  // Kept positions of the source, counted among the kept ones.
  SmallVector<int64_t> number(perm.size(), -1);
  Perm inverse = invertPerm(perm);
  int64_t next = 0;
  for (int64_t dim = 0, rank = perm.size(); dim < rank; ++dim)
    if (!dropped.test(inverse[dim]))
      number[dim] = next++;
  Perm result;
  for (int64_t dim = 0, rank = perm.size(); dim < rank; ++dim)
    if (!dropped.test(dim))
      result.push_back(number[perm[dim]]);
  return result;
}

bool sink(Transposer &t, linalg::TransposeOp op) {
  std::optional<Transposed> inner = t.match(op.getInput());
  bool isConstant = op.getInput().getDefiningOp<arith::ConstantOp>() != nullptr;
  if (!inner && !isConstant && !isIdentityPerm(op.getPermutation()))
    return false;
  Value value = t.transpose(op.getLoc(), op.getInput(), op.getPermutation());
  if (auto made = value.getDefiningOp<linalg::TransposeOp>(); made && made.getInput() == op.getInput())
    return false; // a constant that cannot be folded
  t.b.replaceOp(op, value);
  return true;
}

bool sink(Transposer &t, tensor::DimOp op) {
  std::optional<Transposed> from = t.match(op.getSource());
  std::optional<int64_t> dim = op.getConstantIndex();
  if (!from || !dim || *dim < 0 || *dim >= static_cast<int64_t>(from->perm.size()))
    return false;
  t.b.replaceOpWithNewOp<tensor::DimOp>(op, from->source, from->perm[*dim]);
  return true;
}

bool sink(Transposer &t, tensor::ExtractOp op) {
  std::optional<Transposed> from = t.match(op.getTensor());
  if (!from)
    return false;
  SmallVector<Value> indices(op.getIndices());
  t.b.replaceOpWithNewOp<tensor::ExtractOp>(op, from->source,
                                            permuted(indices, invertPerm(from->perm)));
  return true;
}

bool sink(Transposer &t, tensor::CastOp op) {
  std::optional<Transposed> from = t.match(op.getSource());
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!from || !type)
    return false;
  Value cast = tensor::CastOp::create(t.b, op.getLoc(), permutedType(type, invertPerm(from->perm)),
                                      from->source);
  t.replace(op->getResult(0), cast, from->perm);
  t.b.eraseOp(op);
  return true;
}

bool sink(Transposer &t, tensor::PadOp op) {
  std::optional<Transposed> from = t.match(op.getSource());
  Value padding = op.getConstantPaddingValue();
  if (!from || !padding)
    return false;
  Perm inverse = invertPerm(from->perm);
  auto pad = tensor::PadOp::create(t.b, op.getLoc(), permutedType(op.getResultType(), inverse),
                                   from->source, permuted(op.getMixedLowPad(), inverse),
                                   permuted(op.getMixedHighPad(), inverse), padding, op.getNofold());
  t.replace(op->getResult(0), pad, from->perm);
  t.b.eraseOp(op);
  return true;
}

bool sink(Transposer &t, tensor::ExtractSliceOp op) {
  std::optional<Transposed> from = t.match(op.getSource());
  if (!from)
    return false;
  Perm inverse = invertPerm(from->perm), kept = withoutDropped(from->perm, op.getDroppedDims());
  auto slice = tensor::ExtractSliceOp::create(
      t.b, op.getLoc(), permutedType(op.getType(), invertPerm(kept)), from->source,
      permuted(op.getMixedOffsets(), inverse), permuted(op.getMixedSizes(), inverse),
      permuted(op.getMixedStrides(), inverse));
  t.replace(op->getResult(0), slice, kept);
  t.b.eraseOp(op);
  return true;
}

/// Has no contents yet, or the same everywhere: as good in any order.
bool isUniform(Value value) {
  Operation *def = value.getDefiningOp();
  if (auto constant = dyn_cast_or_null<arith::ConstantOp>(def)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    return dense && dense.isSplat();
  }
  return def && isa<tensor::EmptyOp, linalg::FillOp>(def);
}

/// Elements of a part that have to move to bring it into the order that perm asks of the whole.
int64_t movedElements(Transposer &t, tensor::InsertSliceOp op, ArrayRef<int64_t> perm) {
  Value part = op.getSource();
  if (part.getDefiningOp<arith::ConstantOp>())
    return 0;
  Perm move = invertPerm(withoutDropped(perm, op.getDroppedDims()));
  if (std::optional<Transposed> from = t.match(part)) {
    part = from->source;
    move = permuted(from->perm, move);
  }
  return movesOnlyUnits(rankedType(part), move) ? 0 : assumedElements(part.getType());
}

/// The order for a tensor that is put together from parts: the one in which the fewest elements
/// of what is inserted from here on have to move.
std::optional<Perm> chooseChainOrder(Transposer &t, tensor::InsertSliceOp op) {
  SmallVector<tensor::InsertSliceOp> chain;
  for (tensor::InsertSliceOp next = op; next;) {
    chain.push_back(next);
    Value whole = next.getResult();
    auto user = whole.hasOneUse() ? dyn_cast<tensor::InsertSliceOp>(*whole.user_begin()) : nullptr;
    next = user && user.getDest() == whole ? user : tensor::InsertSliceOp();
  }
  auto cost = [&](ArrayRef<int64_t> perm) {
    int64_t sum = 0;
    for (tensor::InsertSliceOp part : chain)
      sum += movedElements(t, part, perm);
    return sum;
  };
  Perm identity = llvm::to_vector(llvm::seq<int64_t>(0, op.getType().getRank()));
  SmallVector<Perm> tried{identity};
  std::optional<Perm> best;
  int64_t least = cost(identity);
  for (tensor::InsertSliceOp part : chain) {
    std::optional<Transposed> from = t.match(part.getSource());
    if (!from || from->perm.size() != identity.size() || llvm::is_contained(tried, from->perm))
      continue;
    tried.push_back(from->perm);
    int64_t price = cost(from->perm);
    if (price < least || (price == least && !best && isUndoneBelow(chain.back().getResult(), from->perm))) {
      least = price;
      best = from->perm;
    }
  }
  return best;
}

bool sink(Transposer &t, tensor::InsertSliceOp op) {
  Perm perm;
  if (std::optional<Transposed> dest = t.match(op.getDest())) {
    perm = dest->perm;
  } else if (isUniform(op.getDest())) {
    std::optional<Perm> order = chooseChainOrder(t, op);
    if (!order)
      return false;
    perm = *order;
  } else {
    return false;
  }
  Location loc = op.getLoc();
  Perm inverse = invertPerm(perm), kept = withoutDropped(perm, op.getDroppedDims());
  Value part = t.undo(loc, op.getSource(), kept), dest = t.undo(loc, op.getDest(), perm);
  auto insert = tensor::InsertSliceOp::create(t.b, loc, part, dest,
                                              permuted(op.getMixedOffsets(), inverse),
                                              permuted(op.getMixedSizes(), inverse),
                                              permuted(op.getMixedStrides(), inverse));
  t.replace(op->getResult(0), insert, perm);
  t.b.eraseOp(op);
  return true;
}

bool sink(Transposer &t, tensor::ExpandShapeOp op) {
  std::optional<Transposed> from = t.match(op.getSrc());
  if (!from || from->perm.empty())
    return false;
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices(), newGroups;
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape(), newSizes;
  SmallVector<int64_t> order; // dimension of the result for each of the new one
  for (int64_t dim : invertPerm(from->perm)) {
    newGroups.emplace_back();
    for (int64_t d : groups[dim]) {
      newGroups.back().push_back(order.size());
      order.push_back(d);
      newSizes.push_back(sizes[d]);
    }
  }
  auto expand = tensor::ExpandShapeOp::create(t.b, op.getLoc(),
                                              permutedType(op.getResultType(), order), from->source,
                                              newGroups, newSizes);
  t.replace(op->getResult(0), expand, invertPerm(order));
  t.b.eraseOp(op);
  return true;
}

/// Where the dimensions of a group do not lie behind each other in the source, the source is brought into
/// an order in which they do, and which is otherwise as near to its own as possible: what is
/// innermost in memory stays there.
bool sink(Transposer &t, tensor::CollapseShapeOp op) {
  std::optional<Transposed> from = t.match(op.getSrc());
  if (!from)
    return false;
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  if (groups.empty()) // a scalar: no order is left
    return false;
  RankedTensorType type = op.getSrcType();
  // Each group has the place of its last dimension that is not of size 1.
  auto placeOf = [&](ArrayRef<int64_t> group) {
    int64_t place = -1;
    for (int64_t dim : group)
      if (type.getDimSize(dim) != 1)
        place = std::max(place, from->perm[dim]);
    return place < 0 ? from->perm[group.back()] : place;
  };
  Dims order = llvm::to_vector(llvm::seq<int64_t>(0, groups.size()));
  llvm::stable_sort(order, [&](int64_t x, int64_t y) { return placeOf(groups[x]) < placeOf(groups[y]); });
  SmallVector<ReassociationIndices> newGroups;
  Dims dims; // dimensions of the operand in the new order
  for (int64_t group : order) {
    newGroups.emplace_back();
    for (int64_t dim : groups[group]) {
      newGroups.back().push_back(dims.size());
      dims.push_back(dim);
    }
  }
  // A transposition that stays: nothing is won if the result's order is the plain one.
  Perm moved = permuted(from->perm, dims);
  bool moves = !movesOnlyUnits(rankedType(from->source), moved);
  if (moves && isIdentityPerm(order))
    return false;
  Value source = t.transpose(op.getLoc(), from->source, moved);
  auto collapse = tensor::CollapseShapeOp::create(
      t.b, op.getLoc(), permutedType(op.getResultType(), order), source, newGroups);
  t.replace(op->getResult(0), collapse, invertPerm(order));
  t.b.eraseOp(op);
  return true;
}

} // namespace

bool sinkThroughShapeOp(Transposer &t, Operation *op) {
  t.b.setInsertionPoint(op);
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<linalg::TransposeOp, tensor::DimOp, tensor::ExtractOp, tensor::CastOp, tensor::PadOp,
            tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::ExpandShapeOp,
            tensor::CollapseShapeOp>([&](auto typed) { return sink(t, typed); })
      .Default([](Operation *) { return false; });
}

} // namespace onnxc
