// onnxc-propagate-transposes: see Passes.td. One walk in program order moves transpositions towards
// the uses; what meets its inverse is gone. The parts are in TransposeGeneric.cpp and TransposeShapeOps.cpp.
#include "Transposes.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

namespace onnxc {
#define GEN_PASS_DEF_PROPAGATETRANSPOSESPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// The permutation of an operation that only moves elements to other places.
std::optional<Perm> matchMove(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() != 0 || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1)
    return std::nullopt;
  auto yield = cast<linalg::YieldOp>(op.getRegion().front().getTerminator());
  if (yield.getOperand(0) != op.getRegion().getArgument(0))
    return std::nullopt;
  AffineMap in = op.getIndexingMapsArray()[0], out = op.getIndexingMapsArray()[1];
  if (!in.isPermutation() || !out.isPermutation() ||
      (op.getDpsInputs()[0].getType() == op.getResult(0).getType() && in == out))
    return std::nullopt;
  Perm perm;
  for (AffineExpr expr : out.getResults())
    perm.push_back(*in.getResultPosition(expr));
  if (permutedType(rankedType(op.getDpsInputs()[0]), perm) != op.getResult(0).getType())
    return std::nullopt;
  return perm;
}

/// Operations that are gone, of a list made before.
struct Erased : RewriterBase::Listener {
  void notifyOperationErased(Operation *op) override { ops.insert(op); }
  DenseSet<Operation *> ops;
};

struct PropagateTransposes : impl::PropagateTransposesPassBase<PropagateTransposes> {
  using PropagateTransposesPassBase::PropagateTransposesPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> moves;
    getOperation().walk([&](linalg::GenericOp op) {
      if (matchMove(op))
        moves.push_back(op);
    });
    for (linalg::GenericOp op : moves) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOpWithNewOp<linalg::TransposeOp>(op, op.getDpsInputs()[0],
                                                       op.getDpsInits()[0], *matchMove(op));
    }

    Transposer transposer(rewriter);
    sink(transposer);
    // What the borders of the network, or operations without a layout of their own, have on both sides.
    if (auto kept = keepOuterLayouts(transposer, getOperation()); !kept.empty()) {
      sink(transposer);
      if (failed(joinBehind(getOperation(), kept)))
        return signalPassFailure();
    }

    hoistAboveSlices(transposer);
    // What is left: dead ones, reshapes in disguise, and those that move elements.
    SmallVector<linalg::TransposeOp> left;
    getOperation().walk([&](linalg::TransposeOp op) { left.push_back(op); });
    for (linalg::TransposeOp op : llvm::reverse(left)) {
      if (op->use_empty())
        rewriter.eraseOp(op);
      else if (movesOnlyUnits(rankedType(op.getInput()), op.getPermutation()))
        reshape(rewriter, op);
      else if (auto pad = op.getInput().getDefiningOp<tensor::PadOp>(); pad)
        moveBeforePad(transposer, op, pad);
    }
    transposer.releaseConstants(getOperation());
  }

  void sink(Transposer &transposer) {
    SmallVector<Operation *> ops;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<linalg::GenericOp>(op)) {
        ops.push_back(op);
        return WalkResult::skip(); // its body belongs to it
      }
      ops.push_back(op);
      return WalkResult::advance();
    });
    Erased erased;
    transposer.b.setListener(&erased);
    for (Operation *op : ops) {
      if (erased.ops.contains(op))
        continue;
      if (auto generic = dyn_cast<linalg::GenericOp>(op))
        sinkThroughGeneric(transposer, generic);
      else
        sinkThroughShapeOp(transposer, op);
    }
    transposer.b.setListener(nullptr);
  }

  /// Slices that overlap (the taps of a convolution) are of a tensor that is transposed once, where together they have
  /// more elements than it.
  void hoistAboveSlices(Transposer &t) {
    llvm::MapVector<std::pair<Value, Attribute>, SmallVector<linalg::TransposeOp>> bySource;
    getOperation().walk([&](linalg::TransposeOp op) {
      auto slice = op.getInput().getDefiningOp<tensor::ExtractSliceOp>();
      if (slice && !op->use_empty() && slice.getType().getRank() == slice.getSourceType().getRank())
        bySource[{slice.getSource(), op.getPermutationAttr()}].push_back(op);
    });
    for (auto &[key, ops] : bySource) {
      Value source = key.first;
      int64_t elements = 0;
      for (linalg::TransposeOp op : ops)
        elements += assumedElements(op.getInput().getType());
      if (elements <= assumedElements(source.getType()))
        continue;
      t.b.setInsertionPointAfterValue(source);
      Perm perm(ops.front().getPermutation());
      Value whole = t.transpose(ops.front().getLoc(), source, perm);
      for (linalg::TransposeOp op : ops) {
        auto slice = op.getInput().getDefiningOp<tensor::ExtractSliceOp>();
        t.b.setInsertionPoint(op);
        t.b.replaceOpWithNewOp<tensor::ExtractSliceOp>(
            op, cast<RankedTensorType>(op->getResult(0).getType()), whole, permuted(slice.getMixedOffsets(), perm),
            permuted(slice.getMixedSizes(), perm), permuted(slice.getMixedStrides(), perm));
      }
    }
  }

  /// What is padded is smaller, and is then moved straight into its place in the padded tensor.
  static void moveBeforePad(Transposer &t, linalg::TransposeOp op, tensor::PadOp pad) {
    Value padding = pad.getConstantPaddingValue();
    SmallVector<tensor::DimOp> dims;
    for (Operation *user : pad->getUsers()) {
      if (auto dim = dyn_cast<tensor::DimOp>(user); dim && dim.getConstantIndex())
        dims.push_back(dim);
      else if (user != op)
        return;
    }
    if (!padding)
      return;
    t.b.setInsertionPoint(pad);
    Location loc = op.getLoc();
    ArrayRef<int64_t> perm = op.getPermutation();
    Value source = t.transpose(loc, pad.getSource(), perm);
    auto moved = tensor::PadOp::create(t.b, loc, cast<RankedTensorType>(op->getResult(0).getType()),
                                       source, permuted(pad.getMixedLowPad(), perm),
                                       permuted(pad.getMixedHighPad(), perm), padding, pad.getNofold());
    Perm inverse = invertPerm(perm);
    for (tensor::DimOp dim : dims) {
      t.b.setInsertionPoint(dim);
      t.b.replaceOpWithNewOp<tensor::DimOp>(dim, moved, inverse[*dim.getConstantIndex()]);
    }
    t.b.replaceOp(op, moved);
    t.b.eraseOp(pad);
  }

  /// Drops the dimensions of size 1 and puts them in where the result has them.
  static void reshape(IRRewriter &rewriter, linalg::TransposeOp op) {
    rewriter.setInsertionPoint(op);
    RankedTensorType from = rankedType(op.getInput()), to = rankedType(op->getResult(0));
    auto groupsOf = [](RankedTensorType type) {
      SmallVector<ReassociationIndices> groups;
      ReassociationIndices pending;
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        pending.push_back(dim);
        if (type.getDimSize(dim) == 1)
          continue;
        groups.push_back(std::move(pending));
        pending.clear();
      }
      if (!groups.empty())
        groups.back().append(pending);
      return groups;
    };
    SmallVector<int64_t> core;
    for (int64_t size : from.getShape())
      if (size != 1)
        core.push_back(size);
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = permuted(
        tensor::getMixedSizes(rewriter, loc, op.getInput()), op.getPermutation());
    Value value = op.getInput();
    RankedTensorType coreType = from.clone(core);
    if (coreType != from)
      value = tensor::CollapseShapeOp::create(rewriter, loc, coreType, value, groupsOf(from));
    if (coreType != to)
      value = tensor::ExpandShapeOp::create(rewriter, loc, to, value, groupsOf(to), sizes);
    rewriter.replaceOp(op, value);
  }
};

} // namespace
} // namespace onnxc
