// Contractions between transpositions that nothing else wants. A convolution asks for its channels in vectors, with a
// transposition on either side. Where both are left when all others have met (the network around it is in
// NCHW), it can as well be computed in the order that memory has: vectors run along positions, and no element moves.
#include "Transposes.h"

#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr int64_t kAssumedSize = 128, kLanes = 16;

// Costs are in vectors of products at their best, of which a core does two a cycle.

/// An element that is transposed: it is loaded, shuffled, stored, and loaded again.
constexpr double kTurnedElement = 1.5;

/// A vector of products with channels in vectors, and with positions in vectors that are neighbours in memory or not (then
/// each is put together from two).
struct Costs {
  double channels, positions, stridedPositions;
};
/// One by one, as weights outside of panels are read, they take a little longer. Strided ones are copied before.
constexpr Costs kPointwise = {1, 1.1, 1.1};
/// What fills vectors is loaded for several filters, or for each product, and padded.
constexpr Costs kGrouped = {1, 1.5, 2.5}, kDepthwise = {3, 5, 10};

/// Elementwise operations and reshapes between a convolution and the transposition of its result.
constexpr unsigned kMaxVisited = 16;

double assumed(int64_t size) { return ShapedType::isDynamic(size) ? kAssumedSize : size; }

/// How many vectors the loops need for one pass of `size` iterations.
double vectorsAlong(int64_t size) { return std::ceil(assumed(size) / kLanes); }

/// Whether a generic operation would do as well with its operand `value` in another order: it is elementwise, and
/// what else it reads is small or transposed itself.
bool takesAnyOrder(Transposer &t, linalg::GenericOp op, Value value) {
  if (op.getNumReductionLoops() != 0 || op->getNumResults() != 1 || !op.hasPureTensorSemantics())
    return false;
  return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    auto type = dyn_cast<RankedTensorType>(input->get().getType());
    return input->get() == value || !type || type.getRank() <= 1 || t.match(input->get()) ||
           input->get().getDefiningOp<arith::ConstantOp>();
  });
}

/// The dimension of `user`'s result that runs along dimension `dim` of its operand `value`, if it does any elementwise
/// work or reshape that takes the operand in any order.
std::optional<int64_t> dimBehind(Transposer &t, Operation *user, Value value, int64_t dim) {
  if (isa<tensor::CastOp>(user))
    return dim;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(user))
    return expand.getReassociationIndices()[dim].back();
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(user)) {
    for (auto [at, group] : llvm::enumerate(collapse.getReassociationIndices()))
      if (group.back() == dim)
        return at;
    return std::nullopt;
  }
  auto generic = dyn_cast<linalg::GenericOp>(user);
  if (!generic || !takesAnyOrder(t, generic, value))
    return std::nullopt;
  AffineMap out = generic.getMatchingIndexingMap(generic.getDpsInitOperand(0));
  for (OpOperand *input : generic.getDpsInputOperands())
    if (input->get() == value)
      if (auto at = out.getResultPosition(generic.getMatchingIndexingMap(input).getResult(dim)))
        return *at;
  return std::nullopt;
}

/// Whether every use of the value is, behind elementwise work, a transposition that makes `dim` the last dimension.
bool isTurnedByAll(Transposer &t, Value value, int64_t dim) {
  SmallVector<std::pair<Value, int64_t>> pending{{value, dim}};
  for (unsigned visited = 0; !pending.empty(); ++visited) {
    auto [next, at] = pending.pop_back_val();
    if (visited == kMaxVisited || next.use_empty())
      return false;
    for (Operation *user : next.getUsers()) {
      if (auto transpose = dyn_cast<linalg::TransposeOp>(user)) {
        if (transpose.getPermutation().back() != at)
          return false;
        continue;
      }
      std::optional<int64_t> behind = dimBehind(t, user, next, at);
      if (!behind)
        return false;
      pending.push_back({user->getResult(0), *behind});
    }
  }
  return true;
}

class OuterLayout {
public:
  OuterLayout(Transposer &t, linalg::GenericOp op) : t(t), op(op) {}

  /// The new operation, or none.
  linalg::GenericOp run() {
    if (!find() || !isCheaper())
      return nullptr;
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    return isTurnedByAll(t, op->getResult(0), *out.getResultPosition(loopAt(order.size() - 1))) ? rewrite() : nullptr;
  }

private:
  bool isParallel(unsigned loop) { return op.getIteratorTypesArray()[loop] == utils::IteratorType::parallel; }

  /// The image, and the loops of the result in the order that memory has.
  bool find() {
    if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 || op.getNumDpsInputs() != 2 ||
        !isContraction(op) || cg::hasLoweringConfig(op))
      return false;
    Type element = rankedType(op->getResult(0)).getElementType();
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
    if (!element.isF32() || !fill || !out.isProjectedPermutation() || out.getNumResults() < 3)
      return false;
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (!isa<RankedTensorType>(input->get().getType()) || rankedType(input->get()).getElementType() != element)
        return false;
      (t.match(input->get()) ? image : weights) = input;
    }
    if (!image || !weights)
      return false;
    Transposed turned = *t.match(image->get());
    source = turned.source;
    sourceMap = op.getMatchingIndexingMap(image);
    sourceMap = AffineMap::get(op.getNumLoops(), 0, permuted(sourceMap.getResults(), invertPerm(turned.perm)),
                               op.getContext());
    AffineMap weightsMap = op.getMatchingIndexingMap(weights);
    if (!weightsMap.isProjectedPermutation())
      return false;

    SmallVector<unsigned> filters;
    for (AffineExpr expr : out.getResults())
      if (unsigned loop = cast<AffineDimExpr>(expr).getPosition(); !sourceMap.isFunctionOfDim(loop))
        filters.push_back(loop);
    size_t behindGroups = 0;
    bool placed = filters.empty();
    for (AffineExpr expr : sourceMap.getResults()) {
      size_t before = order.size();
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        if (isParallel(loop) && expr.isFunctionOfDim(loop))
          order.push_back(loop);
      if (order.size() > before + 1)
        return false;
      if (order.size() > before && weightsMap.isFunctionOfDim(order.back()))
        behindGroups = order.size();
      if (order.size() == before && !placed) {
        order.append(filters);
        placed = true;
      }
    }
    if (!placed)
      order.insert(order.begin() + behindGroups, filters.begin(), filters.end());
    llvm::SmallDenseSet<unsigned> distinct(order.begin(), order.end());
    if (distinct.size() != order.size() || order.size() != op.getNumParallelLoops() ||
        weightsMap.isFunctionOfDim(order.back()))
      return false;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (!isParallel(loop) && llvm::count_if(sourceMap.getResults(), [&](AffineExpr expr) {
            return expr.isFunctionOfDim(loop);
          }) != 1)
        return false;
    for (; positions < order.size(); ++positions)
      if (weightsMap.isFunctionOfDim(order[order.size() - 1 - positions]))
        break;
    pointwise = isPointwise();
    return pointwise || isGrouped();
  }

  /// Whether the positions are the last dimensions of the image, and each reads one element of every channel.
  bool isPointwise() {
    strided = false;
    unsigned rank = sourceMap.getNumResults();
    if (positions > rank || order.size() == positions)
      return false;
    for (unsigned i = 0; i < positions; ++i) {
      AffineExpr expr = sourceMap.getResult(rank - positions + i), loop = loopAt(order.size() - positions + i);
      auto product = dyn_cast<AffineBinaryOpExpr>(expr);
      bool steps = product && product.getKind() == AffineExprKind::Mul && product.getLHS() == loop &&
                   isa<AffineConstantExpr>(product.getRHS());
      if (expr != loop && !steps)
        return false;
      strided |= steps;
    }
    for (AffineExpr expr : sourceMap.getResults().drop_back(positions))
      if (!isa<AffineDimExpr>(expr))
        return false;
    return true;
  }

  /// Windows of few channels each: there is little that vectors of filters could share.
  bool isGrouped() {
    AffineMap weightsMap = op.getMatchingIndexingMap(weights);
    return llvm::any_of(order, [&](unsigned loop) {
      return sourceMap.isFunctionOfDim(loop) && weightsMap.isFunctionOfDim(loop);
    });
  }

  AffineExpr loopAt(unsigned place) { return getAffineDimExpr(order[place], op.getContext()); }

  bool isCheaper() {
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    double products = 1, columns = 1;
    for (int64_t size : ranges)
      products *= assumed(size);
    for (unsigned loop : ArrayRef(order).take_back(pointwise ? positions : 1))
      columns *= assumed(ranges[loop]);
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    unsigned channel = out.getDimPosition(out.getNumResults() - 1);
    int64_t filters = ranges[channel];
    bool depthwise = sourceMap.isFunctionOfDim(channel);
    const Costs &costs = pointwise ? kPointwise : depthwise ? kDepthwise : kGrouped;
    double turned = costs.channels * products / assumed(filters) * vectorsAlong(filters) +
                    kTurnedElement * (assumedElements(image->get().getType()) + assumedElements(op->getResult(0).getType()));
    double cost = isUnitStep(sourceMap.getResults().back()) ? costs.positions : costs.stridedPositions;
    return cost * products / columns * vectorsAlong(columns) < turned;
  }

  /// Whether neighbouring results along the last loop read neighbouring elements.
  bool isUnitStep(AffineExpr expr) {
    AffineExpr loop = loopAt(order.size() - 1), step = expr.replace(loop, loop + 1) - expr;
    return simplifyAffineExpr(step, op.getNumLoops(), 0) == getAffineConstantExpr(1, op.getContext());
  }

  /// The sizes of the result in the new order.
  SmallVector<OpFoldResult> resultSizes() {
    OpOperand *init = op.getDpsInitOperand(0);
    AffineMap out = op.getMatchingIndexingMap(init);
    auto empty = fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>();
    SmallVector<OpFoldResult> all = empty ? empty.getMixedSizes() : tensor::getMixedSizes(t.b, op.getLoc(), init->get()),
                              sizes;
    for (unsigned loop : order)
      sizes.push_back(all[*out.getResultPosition(getAffineDimExpr(loop, op.getContext()))]);
    return sizes;
  }

  /// The elements that the positions read, next to each other.
  Value gather(ArrayRef<OpFoldResult> result) {
    Location loc = op.getLoc();
    unsigned rank = sourceMap.getNumResults();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(t.b, loc, source);
    SmallVector<AffineExpr> reads;
    for (unsigned dim = 0; dim < rank; ++dim) {
      AffineExpr own = t.b.getAffineDimExpr(dim), expr = sourceMap.getResult(dim);
      auto product = dyn_cast<AffineBinaryOpExpr>(expr);
      reads.push_back(product ? own * product.getRHS() : own);
      if (dim + positions >= rank)
        sizes[dim] = result[result.size() - rank + dim];
    }
    Value init = tensor::EmptyOp::create(t.b, loc, sizes, rankedType(source).getElementType());
    SmallVector<AffineMap> maps = {AffineMap::get(rank, 0, reads, op.getContext()), t.b.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel);
    return linalg::GenericOp::create(t.b, loc, init.getType(), source, init, maps, parallel,
                                     [](OpBuilder &inner, Location at, ValueRange args) {
                                       linalg::YieldOp::create(inner, at, args[0]);
                                     })
        .getResult(0);
  }

  /// Groups of channels are split before padding, which does not care: so the padding is next to what reads it.
  Value padBehindSplit(Value value) {
    auto split = value.getDefiningOp<tensor::ExpandShapeOp>();
    auto pad = split ? split.getSrc().getDefiningOp<tensor::PadOp>() : nullptr;
    Value padding = pad ? pad.getConstantPaddingValue() : nullptr;
    if (!padding || !split.getResultType().hasStaticShape() || !pad.getSourceType().hasStaticShape())
      return value;
    SmallVector<int64_t> shape;
    SmallVector<OpFoldResult> low, high;
    OpFoldResult none = t.b.getIndexAttr(0);
    for (auto [dim, group] : llvm::enumerate(split.getReassociationIndices())) {
      OpFoldResult before = pad.getMixedLowPad()[dim], after = pad.getMixedHighPad()[dim];
      bool isSplit = group.size() > 1;
      if (isSplit && !(isConstantIntValue(before, 0) && isConstantIntValue(after, 0)))
        return value;
      for (int64_t part : group) {
        shape.push_back(isSplit ? split.getResultType().getDimSize(part) : pad.getSourceType().getDimSize(dim));
        low.push_back(isSplit ? none : before);
        high.push_back(isSplit ? none : after);
      }
    }
    Location loc = pad.getLoc();
    Value whole = tensor::ExpandShapeOp::create(t.b, loc, pad.getSourceType().clone(shape), pad.getSource(),
                                                split.getReassociationIndices());
    return tensor::PadOp::create(t.b, loc, split.getResultType(), whole, low, high, padding);
  }

  /// {0}, {1}, ..., and the last `positions` of `rank` dimensions together.
  SmallVector<ReassociationIndices> groups(unsigned rank) const {
    SmallVector<ReassociationIndices> result;
    for (int64_t dim = 0; dim < rank; ++dim)
      if (dim + positions <= rank)
        result.push_back({dim});
      else
        result.back().push_back(dim);
    return result;
  }

  linalg::GenericOp rewrite() {
    t.b.setInsertionPoint(op);
    Location loc = op.getLoc();
    MLIRContext *context = op.getContext();
    SmallVector<OpFoldResult> sizes = resultSizes();
    Value read = pointwise && strided ? gather(sizes) : padBehindSplit(source);
    // A product with the positions as its columns.
    unsigned columns = pointwise ? order.size() - positions : order.size() - 1;
    bool flat = pointwise && positions > 1;
    if (flat)
      read = tensor::CollapseShapeOp::create(t.b, loc, read, groups(rankedType(read).getRank()));

    // Loops: those of the result in the new order, of a product with all positions one, then those that reduce, as
    // memory has them too.
    SmallVector<AffineExpr> renamed(op.getNumLoops());
    SmallVector<utils::IteratorType> iterators;
    for (auto [place, loop] : llvm::enumerate(order))
      renamed[loop] = getAffineDimExpr(std::min<unsigned>(place, columns), context);
    iterators.assign(columns + 1, utils::IteratorType::parallel);
    for (AffineExpr expr : sourceMap.getResults())
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        if (!isParallel(loop) && expr.isFunctionOfDim(loop)) {
          renamed[loop] = getAffineDimExpr(iterators.size(), context);
          iterators.push_back(utils::IteratorType::reduction);
        }
    unsigned numLoops = iterators.size();
    SmallVector<AffineExpr> reads(sourceMap.getResults());
    if (pointwise) {
      reads.resize(reads.size() - positions);
      reads.push_back(loopAt(columns));
    }
    AffineMap readMap = AffineMap::get(op.getNumLoops(), 0, reads, context).replaceDimsAndSymbols(renamed, {}, numLoops, 0),
              weightsMap = op.getMatchingIndexingMap(weights).replaceDimsAndSymbols(renamed, {}, numLoops, 0),
              outMap = AffineMap::getMultiDimIdentityMap(columns + 1, context);
    outMap = AffineMap::get(numLoops, 0, outMap.getResults(), context);

    SmallVector<OpFoldResult> made(sizes);
    if (flat) {
      made.resize(columns);
      made.push_back(tensor::getMixedSize(t.b, loc, read, rankedType(read).getRank() - 1));
    }
    Value empty = tensor::EmptyOp::create(t.b, loc, made, rankedType(op->getResult(0)).getElementType());
    Value init = linalg::FillOp::create(t.b, loc, fill.value(), empty).getResult(0);
    bool imageFirst = image->getOperandNumber() < weights->getOperandNumber();
    SmallVector<Value> inputs = {imageFirst ? read : weights->get(), imageFirst ? weights->get() : read};
    SmallVector<AffineMap> maps = {imageFirst ? readMap : weightsMap, imageFirst ? weightsMap : readMap, outMap};
    auto generic = linalg::GenericOp::create(t.b, loc, init.getType(), inputs, init, maps, iterators);
    t.b.inlineRegionBefore(op.getRegion(), generic.getRegion(), generic.getRegion().begin());

    Value result = generic.getResult(0);
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    Perm perm; // dimension i of the old result is dimension perm[i] of this one
    for (AffineExpr expr : out.getResults())
      perm.push_back(llvm::find(order, cast<AffineDimExpr>(expr).getPosition()) - order.begin());
    if (flat)
      result = tensor::ExpandShapeOp::create(t.b, loc, permutedType(rankedType(op->getResult(0)), invertPerm(perm)),
                                             result, groups(order.size()), sizes);
    t.replace(op->getResult(0), result, perm);
    t.b.eraseOp(op);
    return generic;
  }

  Transposer &t;
  linalg::GenericOp op;
  linalg::FillOp fill;
  OpOperand *image = nullptr, *weights = nullptr;
  Value source;                ///< the image as it lies in memory
  AffineMap sourceMap;         ///< how the loops read it
  SmallVector<unsigned> order; ///< the result's loops
  unsigned positions = 0;      ///< how many of them, the last ones, the weights do not follow
  bool pointwise = false;      ///< each position reads one element of every channel
  bool strided = false;        ///< not all positions are read
};

} // namespace

llvm::SmallPtrSet<Operation *, 8> keepOuterLayouts(Transposer &t, Operation *root) {
  SmallVector<linalg::GenericOp> generics;
  root->walk([&](linalg::GenericOp op) { generics.push_back(op); });
  llvm::SmallPtrSet<Operation *, 8> kept;
  for (linalg::GenericOp op : generics)
    if (linalg::GenericOp made = OuterLayout(t, op).run())
      kept.insert(made);
  return kept;
}

LogicalResult joinBehind(Operation *root, const llvm::SmallPtrSet<Operation *, 8> &flat) {
  std::function<bool(Value, unsigned)> isFlat = [&](Value value, unsigned depth) {
    auto generic = value.getDefiningOp<linalg::GenericOp>();
    if (!generic || flat.contains(generic))
      return generic != nullptr;
    return depth > 0 && generic.getNumReductionLoops() == 0 &&
           llvm::any_of(generic.getDpsInputs(), [&](Value input) { return isFlat(input, depth - 1); });
  };
  RewritePatternSet patterns(root->getContext());
  auto joins = [&](OpOperand *operand) {
    Operation *reshape = operand->get().getDefiningOp();
    auto user = dyn_cast<linalg::GenericOp>(operand->getOwner());
    return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(reshape) && user &&
           user.getNumReductionLoops() == 0 && isFlat(reshape->getOperand(0), kMaxVisited);
  };
  linalg::populateFoldReshapeOpsByCollapsingPatterns(patterns, joins);
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, joins);
  return applyPatternsGreedily(root, std::move(patterns));
}

} // namespace onnxc
