// See CollapseLoops.h. The rewriting is upstream's.
#include "CollapseLoops.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace onnxc {
namespace {

/// The place of `dim` followed by `dim + 1` in the results of a map; none if neither is there.
/// Fails if they are there in another way.
FailureOr<std::optional<unsigned>> placeOfPair(AffineMap map, unsigned dim) {
  if (!map.isFunctionOfDim(dim) && !map.isFunctionOfDim(dim + 1))
    return std::optional<unsigned>();
  std::optional<unsigned> place;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (!expr.isFunctionOfDim(dim) && !expr.isFunctionOfDim(dim + 1))
      continue;
    bool isPart = place && i == *place + 1 && expr == getAffineDimExpr(dim + 1, map.getContext());
    bool isStart = !place && expr == getAffineDimExpr(dim, map.getContext());
    if (!isPart && !isStart)
      return failure();
    if (isStart)
      place = i;
  }
  if (!place || *place + 1 >= map.getNumResults() || !map.isFunctionOfDim(dim + 1))
    return failure();
  return place;
}

/// Whether the loops `dim` and `dim + 1` walk over every operand as one loop would.
bool areOne(linalg::LinalgOp op, unsigned dim) {
  for (OpOperand &operand : op->getOpOperands()) {
    FailureOr<std::optional<unsigned>> place = placeOfPair(op.getMatchingIndexingMap(&operand), dim);
    if (failed(place))
      return false;
    if (!*place)
      continue;
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      return false;
    SmallVector<ReassociationIndices> groups;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (i == **place + 1)
        groups.back().push_back(i);
      else
        groups.push_back({i});
    if (!memref::CollapseShapeOp::isGuaranteedCollapsible(type, groups))
      return false;
  }
  return true;
}

/// `value` of the given shape, without the dimensions of size 1 that the map reads at a constant. Null
/// if it has no such view.
Value dropUnits(RewriterBase &rewriter, Location loc, Value value, AffineMap map, ArrayRef<int64_t> shape) {
  if (!llvm::is_contained(shape, 1)) {
    FailureOr<Value> reduced = memref::SubViewOp::rankReduceIfNeeded(rewriter, loc, value, shape);
    return succeeded(reduced) ? *reduced : Value();
  }
  // A subview that keeps some of the ones does not tell which: each dropped one joins a neighbour.
  auto type = cast<MemRefType>(value.getType());
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    bool dropped = type.getDimSize(i) == 1 && isa<AffineConstantExpr>(expr);
    if (dropped && !groups.empty()) {
      groups.back().push_back(i);
      continue;
    }
    leading.push_back(i);
    if (!dropped)
      groups.push_back(std::exchange(leading, {}));
  }
  if (!memref::CollapseShapeOp::isGuaranteedCollapsible(type, groups))
    return nullptr;
  return memref::CollapseShapeOp::create(rewriter, loc, value, groups);
}

/// Operands that are read at 0 along a dimension of size 1 lose it: what is broadcast is then told
/// by its map alone. Null if a map has other expressions than loops.
linalg::GenericOp dropUnitPositions(RewriterBase &rewriter, linalg::GenericOp op) {
  SmallVector<AffineMap> maps;
  SmallVector<Value> operands;
  bool changed = false;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    Value value = operand.get();
    auto type = dyn_cast<MemRefType>(value.getType());
    SmallVector<AffineExpr> kept;
    SmallVector<int64_t> shape;
    for (auto [i, expr] : llvm::enumerate(map.getResults())) {
      if (type && type.getDimSize(i) == 1 && isa<AffineConstantExpr>(expr))
        continue;
      kept.push_back(expr);
      shape.push_back(type ? type.getDimSize(i) : 1);
    }
    if (kept.size() < map.getNumResults()) {
      value = dropUnits(rewriter, op.getLoc(), value, map, shape);
      if (!value)
        return nullptr;
      map = AffineMap::get(map.getNumDims(), 0, kept, op.getContext());
      changed = true;
    }
    if (!map.isProjectedPermutation())
      return nullptr;
    maps.push_back(map);
    operands.push_back(value);
  }
  if (!changed)
    return op;
  auto clone = cast<linalg::GenericOp>(rewriter.clone(*op));
  clone->setOperands(operands);
  clone.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
  rewriter.eraseOp(op);
  return clone;
}

} // namespace

linalg::LinalgOp collapseLoops(RewriterBase &rewriter, linalg::LinalgOp op,
                               utils::IteratorType kind) {
  auto generic = dyn_cast<linalg::GenericOp>(*op);
  if (!generic || op.hasIndexSemantics() || llvm::count(op.getIteratorTypesArray(), kind) < 2)
    return nullptr;
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  linalg::GenericOp plain = dropUnitPositions(rewriter, generic);
  if (!plain)
    return nullptr;
  bool changed = plain != generic;
  op = plain;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<ReassociationIndices> groups;
  for (unsigned dim = 0; dim < iterators.size(); ++dim) {
    bool joins = dim > 0 && iterators[dim] == kind && iterators[dim - 1] == kind && areOne(op, dim - 1);
    if (joins)
      groups.back().push_back(dim);
    else
      groups.push_back({dim});
  }
  linalg::LinalgOp unmerged = changed ? op : nullptr;
  if (groups.size() == iterators.size())
    return unmerged;
  rewriter.setInsertionPoint(op);
  FailureOr<linalg::CollapseResult> collapsed = linalg::collapseOpIterationDims(op, groups, rewriter);
  if (failed(collapsed))
    return unmerged;
  rewriter.eraseOp(op);
  return collapsed->collapsedOp;
}

} // namespace onnxc
