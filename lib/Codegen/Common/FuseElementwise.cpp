// onnxc-fuse-elementwise: see Passes.td. Fusion itself is upstream's; what is decided here is
// when a producer may be computed again.
#include "onnxc/Codegen/Passes.h"

namespace onnxc {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Computing it again costs no more than loading its result.
bool isCheap(linalg::GenericOp op) {
  Block &body = op.getRegion().front();
  for (Operation &inner : body.without_terminator())
    if (!isa<arith::ConstantOp, arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp,
             arith::IndexCastOp, linalg::IndexOp>(inner))
      return false;
  return op.getNumDpsInputs() <= 1;
}

bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer)
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
bool comesFromProduct(Value value) {
  for (int depth = 0; depth < 8; ++depth) {
    while (Operation *view = value.getDefiningOp()) {
      if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(view))
        break;
      value = view->getOperand(0);
    }
    auto op = value.getDefiningOp<linalg::LinalgOp>();
    if (!op)
      return false;
    if (op.getNumReductionLoops() > 0)
      return true;
    if (op.getNumDpsInputs() == 0)
      return false;
    value = op.getDpsInputs()[0];
  }
  return false;
}

/// The operand is a product's result seen with another number of dimensions: elementwise
/// work moves to the product's own shape, so that it can join its tiles.
template <typename ReshapeOp> bool viewsProduct(OpOperand *operand) {
  auto reshape = operand->get().getDefiningOp<ReshapeOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  return reshape && consumer && consumer.getNumReductionLoops() == 0 && reshape->hasOneUse() &&
         consumer.getMatchingIndexingMap(operand).isPermutation() &&
         comesFromProduct(reshape.getSrc());
}

/// The same for a product seen with more dimensions; not where another product has the shape of
/// the elementwise work itself, or the two would pull it to and fro.
bool viewsOnlyProduct(OpOperand *operand) {
  if (!viewsProduct<tensor::ExpandShapeOp>(operand))
    return false;
  return llvm::none_of(operand->getOwner()->getOpOperands(), [&](OpOperand &other) {
    return &other != operand && comesFromProduct(other.get());
  });
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
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns,
                                                      viewsProduct<tensor::CollapseShapeOp>);
    linalg::populateFoldReshapeOpsByCollapsingPatterns(patterns, viewsOnlyProduct);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CastOp::getCanonicalizationPatterns(patterns, context);
    context->getLoadedDialect<linalg::LinalgDialect>()->getCanonicalizationPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc
