// onnx-canonicalize: operators that do nothing are removed, and those that undo or repeat
// each other merged. Every pattern here is exact.
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeLattice.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXCANONICALIZE
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// Replaces the only used result of `op` by `value`, whose type may tell less, but
/// not more: users (func.return among them) rely on the type that they see.
LogicalResult replaceWith(PatternRewriter &rewriter, Operation *op, Value value) {
  Value result = op->getResult(0);
  if (value.getType() != result.getType()) {
    Conflict conflict;
    Type refined = refineType(value.getType(), result.getType(), conflict);
    auto def = dyn_cast<OpResult>(value);
    if (!def || conflict != Conflict::None || refined != result.getType() ||
        isa<ConstantOp>(def.getOwner()))
      return failure();
    rewriter.modifyOpInPlace(def.getOwner(), [&] { value.setType(refined); });
  }
  for (Value other : op->getResults().drop_front())
    if (!other.use_empty())
      return failure();
  rewriter.replaceAllUsesWith(result, value);
  rewriter.eraseOp(op);
  return success();
}

bool sameStaticType(Value a, Value b) {
  auto type = dyn_cast<RankedTensorType>(a.getType());
  return type && type.hasStaticShape() && a.getType() == b.getType();
}

bool allEqual(Value value, int64_t wanted) {
  auto ints = constantInts(value);
  return ints && llvm::all_of(*ints, [&](int64_t x) { return x == wanted; });
}

/// Whether the first result equals the first operand.
bool isNoOp(Operation *op) {
  Value in = op->getOperand(0), out = op->getResult(0);
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<IdentityOp>([](auto) { return true; })
      .Case<DropoutOp>([](DropoutOp op) {
        Value mode = op.getTrainingMode();
        auto training = constantScalar(mode);
        return (isNone(mode) || (training && *training == 0)) && op.getMask().use_empty();
      })
      .Case<CastOp, CastLikeOp>([&](auto) {
        return cast<TensorType>(in.getType()).getElementType() ==
               cast<TensorType>(out.getType()).getElementType();
      })
      .Case<ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp, ExpandOp, TileOp>(
          [&](auto) { return sameStaticType(in, out); })
      .Case<SliceOp>([&](SliceOp op) {
        auto steps = constantInts(op.getSteps());
        bool forward = isNone(op.getSteps()) ||
                       (steps && llvm::all_of(*steps, [](int64_t step) { return step > 0; }));
        return forward && sameStaticType(in, out);
      })
      .Case<PadOp>([](PadOp op) { return allEqual(op.getPads(), 0); })
      .Case<TransposeOp>([&](TransposeOp op) {
        auto perm = op.getPerm();
        if (perm)
          return llvm::equal(*perm, llvm::seq<int64_t>(0, perm->size()));
        auto type = dyn_cast<RankedTensorType>(in.getType());
        return type && type.getRank() <= 1;
      })
      .Case<ConcatOp, SumOp, MaxOp, MinOp, MeanOp, SplitOp>([&](auto) {
        return op->getNumOperands() - isa<SplitOp>(op) == 1 && op->getNumResults() == 1;
      })
      .Case<OptionalGetElementOp>([&](auto) { return !isa<OptType>(in.getType()); })
      .Default([](Operation *) { return false; });
}

struct RemoveNoOp : RewritePattern {
  explicit RemoveNoOp(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/2, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (op->getNumOperands() == 0 || op->getNumResults() == 0 || !isNoOp(op))
      return failure();
    return replaceWith(rewriter, op, op->getOperand(0));
  }
};

/// x * 1, x / 1, x + 0, x - 0 where the constant does not widen x.
template <typename Op, int neutral, bool commutes>
struct RemoveNeutral : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    for (int i = 0; i < (commutes ? 2 : 1); ++i) {
      Value x = op->getOperand(i);
      auto scalar = constantScalar(op->getOperand(1 - i));
      if (scalar && *scalar == neutral && x.getType() == op->getResult(0).getType())
        return replaceWith(rewriter, op, x);
    }
    return failure();
  }
};

struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getData().getDefiningOp<TransposeOp>();
    auto outerPerm = intsAttr(op, "perm");
    auto innerPerm = inner ? intsAttr(inner, "perm") : std::nullopt;
    if (!outerPerm || !innerPerm || outerPerm->size() != innerPerm->size())
      return failure();
    SmallVector<int64_t> perm;
    for (int64_t axis : *outerPerm) {
      if (axis < 0 || axis >= static_cast<int64_t>(innerPerm->size()))
        return failure();
      perm.push_back((*innerPerm)[axis]);
    }
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op->getResult(0).getType(), inner.getData(),
                                             rewriter.getDenseI64ArrayAttr(perm));
    return success();
  }
};

/// A Reshape, Squeeze, Unsqueeze or Flatten of one of these needs only the last shape.
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    Operation *inner = op.getData().getDefiningOp();
    if (!inner || !isa<ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp>(inner))
      return failure();
    auto shape = constantInts(op.getShape());
    // A zero copies a dimension of the inner shape.
    if (!shape || (llvm::is_contained(*shape, 0) && op.getAllowzero() == 0))
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op->setOperand(0, inner->getOperand(0)); });
    return success();
  }
};

/// Whether every value of `from` is a value of `to`.
bool widens(Type from, Type to) {
  auto a = dyn_cast<IntegerType>(from), b = dyn_cast<IntegerType>(to);
  if (a && b && a.getWidth() > 1) {
    if (a.isUnsigned() == b.isUnsigned())
      return a.getWidth() <= b.getWidth();
    return a.isUnsigned() && a.getWidth() < b.getWidth();
  }
  bool isHalf = from.isF16() || from.isBF16();
  return (isHalf && (to.isF32() || to.isF64())) || (from.isF32() && to.isF64());
}

struct MergeCasts : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<CastOp>();
    if (!inner)
      return failure();
    Type from = cast<TensorType>(inner.getInput().getType()).getElementType();
    Type middle = cast<TensorType>(op.getInput().getType()).getElementType();
    if (!widens(from, middle))
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op->setOperand(0, inner.getInput()); });
    return success();
  }
};

/// If with a constant condition is its branch.
struct InlineIf : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IfOp op, PatternRewriter &rewriter) const override {
    auto cond = constantScalar(op.getCond());
    if (!cond)
      return failure();
    Block &branch = (*cond != 0 ? op.getThenBranch() : op.getElseBranch()).front();
    Operation *yield = branch.getTerminator();
    SmallVector<Value> results(yield->getOperands());
    for (auto [result, value] : llvm::zip(op->getResults(), results)) {
      if (result.getType() == value.getType())
        continue;
      // Keep what users see: an Identity of the result's type stands between until types are inferred.
      rewriter.setInsertionPoint(yield);
      value = IdentityOp::create(rewriter, op.getLoc(), result.getType(), value);
    }
    rewriter.inlineBlockBefore(&branch, op);
    rewriter.replaceOp(op, results);
    rewriter.eraseOp(yield);
    return success();
  }
};

/// An element of a sequence whose construction is in sight.
struct ForwardSequenceAt : OpRewritePattern<SequenceAtOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SequenceAtOp op, PatternRewriter &rewriter) const override {
    auto construct = op->getOperand(0).getDefiningOp<SequenceConstructOp>();
    auto position = constantScalar(op->getOperand(1));
    if (!construct || !position)
      return failure();
    int64_t count = construct->getNumOperands(), index = static_cast<int64_t>(*position);
    index = index < 0 ? index + count : index;
    if (index < 0 || index >= count)
      return failure();
    return replaceWith(rewriter, op, construct->getOperand(index));
  }
};

struct FoldHasElement : OpRewritePattern<OptionalHasElementOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(OptionalHasElementOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op->getOperand(0).getType();
    if (isa<OptType>(type))
      return failure();
    auto boolType = RankedTensorType::get({}, rewriter.getI1Type());
    if (op->getResult(0).getType() != boolType)
      return failure();
    rewriter.replaceOpWithNewOp<ConstantOp>(
        op, ElementsAttr(DenseElementsAttr::get(boolType, !isa<NoneType>(type))));
    return success();
  }
};

struct Canonicalize : impl::OnnxCanonicalizeBase<Canonicalize> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<RemoveNoOp, MergeTransposes, MergeReshapes, MergeCasts, InlineIf,
                 ForwardSequenceAt, FoldHasElement, RemoveNeutral<MulOp, 1, true>,
                 RemoveNeutral<DivOp, 1, false>, RemoveNeutral<AddOp, 0, true>,
                 RemoveNeutral<SubOp, 0, false>>(context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc::onnx
