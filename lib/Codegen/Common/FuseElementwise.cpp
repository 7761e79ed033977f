// onnxc-fuse-elementwise: see Passes.td. Fusion itself is upstream's; what is decided here is
// when a producer may be computed again.
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/MemRef/Transforms/Transforms.h"

#include <numeric>

namespace onnxc {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// A first-level cache, of which some ways are left to what else is read.
constexpr int64_t kLineBytes = 64, kSets = 64, kWays = 8;

/// Computing it again costs no more than loading its result.
bool isCheap(linalg::GenericOp op) {
  Block &body = op.getRegion().front();
  for (Operation &inner : body.without_terminator())
    if (!isa<arith::ConstantOp, arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp,
             arith::IndexCastOp, linalg::IndexOp>(inner))
      return false;
  return op.getNumDpsInputs() <= 1;
}

/// The producer is the copy that gives a product its columns next to each other, or its rows
/// at a distance that the cache likes better.
bool movesColumnsOut(OpOperand *operand, linalg::GenericOp producer) {
  auto consumer = cast<linalg::LinalgOp>(operand->getOwner());
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  AffineMap out = consumer.getMatchingIndexingMap(consumer.getDpsInitOperand(0));
  if (map.getNumResults() == 0 || out.getNumResults() == 0 ||
      map.getResults().back() != out.getResults().back())
    return false;
  AffineMap from = producer.getIndexingMapsArray().front(),
            to = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
  if (producer.getNumDpsInputs() != 1 || from.getNumResults() < 2 || to.getNumResults() < 2 ||
      !from.isProjectedPermutation() || !to.isProjectedPermutation() ||
      !wantsColumnsInside(consumer, *operand))
    return false;
  if (from.getResults().back() != to.getResults().back())
    return true;
  std::optional<unsigned> depth = from.getResultPosition(to.getResult(to.getNumResults() - 2));
  if (!depth || *depth + 2 == from.getNumResults())
    return false;
  auto type = cast<ShapedType>(producer.getDpsInputs()[0].getType());
  int64_t distance = type.getElementTypeBitWidth() / 8;
  for (int64_t size : type.getShape().drop_front(*depth + 1))
    distance = ShapedType::isDynamic(size) || ShapedType::isDynamic(distance) ? ShapedType::kDynamic
                                                                              : distance * size;
  return collidesInCache(distance);
}

/// The producer is the copy that lets a contraction read its depth element after element, and without it the
/// depth's elements would lie in few sets of the first-level cache, more than these hold.
bool spreadsDepth(OpOperand *operand, linalg::GenericOp producer) {
  auto consumer = cast<linalg::LinalgOp>(operand->getOwner());
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  AffineMap from = producer.getIndexingMapsArray().front(),
            to = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
  auto type = dyn_cast<RankedTensorType>(producer->getOperand(0).getType());
  if (!isContraction(consumer) || producer.getNumDpsInputs() != 1 || !type || !type.hasStaticShape() ||
      map.getNumResults() == 0 || !from.isPermutation() || !to.isPermutation())
    return false;
  auto depth = dyn_cast<AffineDimExpr>(map.getResults().back());
  if (!depth || consumer.getIteratorTypesArray()[depth.getPosition()] != utils::IteratorType::reduction)
    return false;
  unsigned at = *from.getResultPosition(to.getResults().back());
  int64_t distance = type.getElementTypeBitWidth() / 8;
  for (int64_t size : type.getShape().drop_front(at + 1))
    distance *= size;
  int64_t lines = distance / kLineBytes;
  return lines > 1 && type.getDimSize(at) > kSets / std::gcd(lines, kSets) * kWays;
}

bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer)
    return false;
  // A strategy is for the operation as it stands.
  if (cg::hasLoweringConfig(producer) || cg::hasLoweringConfig(consumer))
    return false;
  // A sum over no loop adds to what is there: its result could not be left out, and in a reduction it
  // would be one more result, along the loops that the reduction is carried through.
  if (llvm::any_of(producer.getRegionOutputArgs(), [](BlockArgument start) { return !start.use_empty(); }))
    return false;
  // A body that reads other tensors does not vectorise: keep it from spreading.
  auto gathers = [](linalg::GenericOp op) {
    return !op.getRegion().getOps<tensor::ExtractOp>().empty();
  };
  if (gathers(producer) && consumer.getNumReductionLoops() > 0)
    return false;
  // A reduction reads its operand more than once when some parallel loop does not
  // move with it: then the producer's work would be repeated.
  if (consumer.getNumReductionLoops() > 0) {
    if (movesColumnsOut(operand, producer) || isPanels(consumer, *operand) ||
        spreadsDepth(operand, producer))
      return false;
    if (isCheap(producer) && producer->hasOneUse())
      return consumer.getMatchingIndexingMap(operand).getNumResults() > 0 &&
             consumer.getMatchingIndexingMap(operand).isProjectedPermutation();
    if (!consumer.getMatchingIndexingMap(operand).isPermutation())
      return false;
    return producer->hasOneUse();
  }
  if (!consumer.getMatchingIndexingMap(operand).isPermutation() && !isCheap(producer))
    return false;
  return producer->hasOneUse() || isCheap(producer);
}

/// Whether `value` is a product's result, or elementwise work on one.
bool comesFromProduct(Value value, int depth = 8) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
    return comesFromProduct(op->getOperand(0), depth - 1);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp)
    return false;
  return linalgOp.getNumReductionLoops() > 0 ||
         llvm::any_of(linalgOp.getDpsInputs(),
                      [&](Value input) { return comesFromProduct(input, depth - 1); });
}

/// The operand is a product's result seen without its panels: elementwise work moves to the
/// product's own shape, so that it can join its tiles.
bool hidesPanels(OpOperand *operand) {
  auto reshape = operand->get().getDefiningOp<tensor::CollapseShapeOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!reshape || !consumer || consumer.getNumReductionLoops() > 0 || !reshape->hasOneUse() ||
      !consumer.getMatchingIndexingMap(operand).isPermutation())
    return false;
  // Other dimensions stay together: see splitsRows.
  SmallVector<ReassociationIndices> groups = reshape.getReassociationIndices();
  for (const ReassociationIndices &group : ArrayRef(groups).drop_back())
    if (group.size() > 1)
      return false;
  return comesFromProduct(reshape.getSrc());
}

/// A contraction: it reads one operand's rows for each row of another.
bool usesRowsApart(linalg::GenericOp op) {
  if (op.getNumReductionLoops() == 0)
    return false;
  for (auto [dim, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::parallel)
      for (OpOperand *input : op.getDpsInputOperands())
        if (!op.isScalar(input) && !op.getMatchingIndexingMap(input).isFunctionOfDim(dim))
          return true;
  return false;
}

/// The operand is a product's result whose rows are seen as several dimensions: work along rows
/// takes them as one.
bool splitsRows(OpOperand *operand) {
  auto reshape = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  return reshape && consumer && !usesRowsApart(consumer) &&
         (reshape.getSrcType().getRank() == 1 ||
          reshape.getReassociationIndices().back().size() == 1) &&
         consumer.getMatchingIndexingMap(operand).isIdentity() &&
         comesFromProduct(reshape.getSrc());
}

struct FuseElementwise : impl::FuseElementwisePassBase<FuseElementwise> {
  using FuseElementwisePassBase::FuseElementwisePassBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    {
      RewritePatternSet patterns(context);
      linalg::populateDecomposePadPatterns(patterns);
      if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
        return signalPassFailure();
    }
    // Named elementwise forms (transpose, broadcast, map) fuse as generics.
    IRRewriter rewriter(context);
    SmallVector<linalg::LinalgOp> named;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp, linalg::FillOp>(op.getOperation()) &&
          op.getNumReductionLoops() == 0)
        named.push_back(op);
    });
    for (linalg::LinalgOp op : named) {
      rewriter.setInsertionPoint(op);
      (void)linalg::generalizeNamedOp(rewriter, op);
    }
    // One after the other: what the second takes apart is not for the first.
    if (failed(fuse([](RewritePatternSet &patterns) {
          linalg::populateFoldReshapeOpsByCollapsingPatterns(patterns, splitsRows);
        })) ||
        failed(fuse([](RewritePatternSet &patterns) {
          linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, hidesPanels);
        })))
      signalPassFailure();
  }

  LogicalResult fuse(llvm::function_ref<void(RewritePatternSet &)> populateReshapes) {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    populateReshapes(patterns);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CastOp::getCanonicalizationPatterns(patterns, context);
    // Sizes are asked of the operands: a result of which only a size is wanted has one user less.
    memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
    context->getLoadedDialect<linalg::LinalgDialect>()->getCanonicalizationPatterns(patterns);
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};

} // namespace
} // namespace onnxc
