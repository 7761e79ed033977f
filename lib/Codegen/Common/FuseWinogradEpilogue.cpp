// onnxc-fuse-winograd-epilogue: see Passes.td.
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/Cg.h"

namespace onnxc {
#define GEN_PASS_DEF_FUSEWINOGRADEPILOGUEPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Each result of the map is a loop or the first element; channels only come last, so that they
/// are neighbours in memory.
bool isReadable(AffineMap map) {
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr); constant && constant.getValue() == 0)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || (dim.getPosition() == 3 && i + 1 != map.getNumResults()))
      return false;
  }
  return true;
}

bool isElementwise(Block &body) {
  for (Operation &inner : body.without_terminator())
    if (inner.getNumRegions() != 0 ||
        (!OpTrait::hasElementwiseMappableTraits(&inner) && !isa<arith::ConstantOp>(inner)))
      return false;
  return llvm::all_of(body.getArgumentTypes(), [](Type type) { return type.isIntOrFloat(); });
}

/// The elementwise operation that alone reads the convolution's result, if it can join it.
linalg::GenericOp findConsumer(cg::WinogradConvOp conv) {
  Value result = conv.getResult();
  if (!result || !result.hasOneUse())
    return {};
  OpOperand &use = *result.getUses().begin();
  auto generic = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!generic || generic->getBlock() != conv->getBlock() || !generic.hasPureTensorSemantics() ||
      generic.getNumReductionLoops() != 0 || generic->getNumResults() != 1 ||
      generic.isDpsInit(&use) || !generic.getMatchingIndexingMap(&use).isIdentity() ||
      generic.getNumLoops() != 4)
    return {};
  OpOperand *init = generic.getDpsInitOperand(0);
  auto type = cast<RankedTensorType>(generic->getResult(0).getType());
  if (!generic.getMatchingIndexingMap(init).isIdentity() ||
      !generic.getMatchingBlockArgument(init).use_empty() || !type.getElementType().isF32() ||
      type.getDimSize(3) != conv.getNumFilters() || !isElementwise(generic.getRegion().front()))
    return {};
  for (OpOperand *input : generic.getDpsInputOperands())
    if (input != &use && !isReadable(generic.getMatchingIndexingMap(input)))
      return {};
  return generic;
}

cg::WinogradConvOp fuse(IRRewriter &rewriter, cg::WinogradConvOp conv, linalg::GenericOp generic) {
  SmallVector<Value> extras(conv.getExtras());
  SmallVector<AffineMap> maps(conv.getExtraMaps().getAsValueRange<AffineMapAttr>());
  for (OpOperand *input : generic.getDpsInputOperands())
    if (input->get() != conv.getResult()) {
      extras.push_back(input->get());
      maps.push_back(generic.getMatchingIndexingMap(input));
    }
  rewriter.setInsertionPoint(generic);
  Location loc = generic.getLoc();
  auto fused = cg::WinogradConvOp::create(
      rewriter, loc, generic.getResultTypes(), conv.getInput(), conv.getWeights(), extras,
      generic.getDpsInits()[0], rewriter.getAffineMapArrayAttr(maps), conv.getTile(), conv.getLow(),
      conv.getPanel(), conv.getLanes(), conv.getRows(), conv.getBlock(), conv.getSplits(),
      conv.getDepth());
  Block *body = rewriter.createBlock(&fused.getEpilogue());
  body->addArgument(rewriter.getF32Type(), loc);
  for (Value extra : extras)
    body->addArgument(getElementTypeOrSelf(extra.getType()), loc);

  // The convolution's own work, then what reads it.
  IRMapping mapping;
  Block &before = conv.getEpilogue().front(), &after = generic.getRegion().front();
  for (auto [from, to] : llvm::zip(before.getArguments(), body->getArguments()))
    mapping.map(from, to);
  for (Operation &inner : before.without_terminator())
    rewriter.clone(inner, mapping);
  Value value = mapping.lookupOrDefault(cast<cg::YieldOp>(before.getTerminator()).getValue());
  unsigned next = before.getNumArguments();
  for (OpOperand *input : generic.getDpsInputOperands())
    mapping.map(generic.getMatchingBlockArgument(input),
                input->get() == conv.getResult() ? value : Value(body->getArgument(next++)));
  for (Operation &inner : after.without_terminator())
    rewriter.clone(inner, mapping);
  cg::YieldOp::create(rewriter, loc, mapping.lookupOrDefault(after.getTerminator()->getOperand(0)));
  rewriter.replaceOp(generic, fused->getResults());
  rewriter.eraseOp(conv);
  return fused;
}

struct FuseWinogradEpilogue : impl::FuseWinogradEpiloguePassBase<FuseWinogradEpilogue> {
  using FuseWinogradEpiloguePassBase::FuseWinogradEpiloguePassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<cg::WinogradConvOp> open;
    getOperation().walk([&](cg::WinogradConvOp conv) { open.push_back(conv); });
    while (!open.empty()) {
      cg::WinogradConvOp conv = open.pop_back_val();
      if (linalg::GenericOp consumer = findConsumer(conv))
        open.push_back(fuse(rewriter, conv, consumer));
    }
  }
};

} // namespace
} // namespace onnxc
