// onnxc-elide-rounding: see Passes.td.
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace onnxc {
#define GEN_PASS_DEF_ELIDEROUNDINGPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Elements of a tensor that take no memory to speak of.
constexpr int64_t kSmall = 4096;

struct ElideRounding : impl::ElideRoundingPassBase<ElideRounding> {
  using ElideRoundingPassBase::ElideRoundingPassBase;

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> producers;
    getOperation().walk([&](Operation *op) {
      if (auto widening = dyn_cast<arith::ExtFOp>(op)) {
        auto rounding = widening.getIn().getDefiningOp<arith::TruncFOp>();
        if (rounding && rounding.getIn().getType() == widening.getType())
          widening.getResult().replaceAllUsesWith(rounding.getIn());
      } else if (auto producer = dyn_cast<linalg::GenericOp>(op)) {
        producers.push_back(producer);
      }
    });
    for (linalg::GenericOp producer : producers)
      if (Type wide = wideTypeOf(producer); wide && mayBeWide(producer.getResult(0), wide))
        widen(producer, wide);
  }

private:
  /// What the one result was rounded from, if it was.
  static Type wideTypeOf(linalg::GenericOp op) {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
        op.getNumReductionLoops() != 0 || !op.getRegionOutputArgs()[0].use_empty())
      return {};
    Type wide = Float32Type::get(op.getContext());
    return isRounded(yielded(op), wide) ? wide : Type();
  }

  static Value yielded(linalg::GenericOp op) {
    return cast<linalg::YieldOp>(op.getBody()->getTerminator()).getOperand(0);
  }

  /// A value of a body that was rounded from the wide type, perhaps behind selects.
  static bool isRounded(Value value, Type wide) {
    if (auto rounding = value.getDefiningOp<arith::TruncFOp>())
      return rounding.getIn().getType() == wide;
    auto select = value.getDefiningOp<arith::SelectOp>();
    return select &&
           (isRounded(select.getTrueValue(), wide) || isRounded(select.getFalseValue(), wide));
  }

  static Value beforeRounding(OpBuilder &b, Value value, Type wide) {
    Location loc = value.getLoc();
    if (auto rounding = value.getDefiningOp<arith::TruncFOp>();
        rounding && rounding.getIn().getType() == wide)
      return rounding.getIn();
    if (auto select = value.getDefiningOp<arith::SelectOp>()) {
      Value yes = beforeRounding(b, select.getTrueValue(), wide);
      Value no = beforeRounding(b, select.getFalseValue(), wide);
      return arith::SelectOp::create(b, loc, select.getCondition(), yes, no);
    }
    return arith::ExtFOp::create(b, loc, wide, value);
  }

  static bool isReshape(Operation *op) {
    return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
  }

  /// All that reads the value widens it first, and its memory does not count.
  static bool mayBeWide(Value value, Type wide) {
    if (value.use_empty())
      return false;
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      if (isReshape(use.getOwner()))
        return mayBeWide(use.getOwner()->getResult(0), wide);
      auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
      if (!user || !user.hasPureTensorSemantics() || user.isDpsInit(&use))
        return false;
      BlockArgument argument = user.getMatchingBlockArgument(&use);
      return !argument.use_empty() && llvm::all_of(argument.getUsers(), [&](Operation *reader) {
        return isa<arith::ExtFOp>(reader) && reader->getResult(0).getType() == wide;
      }) && isCheap(user, use);
    });
  }

  static bool isCheap(linalg::GenericOp user, OpOperand &operand) {
    auto type = cast<RankedTensorType>(operand.get().getType());
    if (type.hasStaticShape() && type.getNumElements() <= kSmall)
      return true;
    if (takesAttentionRows(user, operand)) // they live in a tile
      return true;
    // One for many results, such as the mean of a row.
    AffineMap map = user.getMatchingIndexingMap(&operand);
    for (auto [dim, size] : llvm::enumerate(user.getStaticLoopRanges()))
      if (!map.isFunctionOfDim(dim) && size != 1)
        return user.getNumReductionLoops() == 0;
    return false;
  }

  static void widen(linalg::GenericOp producer, Type wide) {
    OpBuilder b(producer);
    Location loc = producer.getLoc();
    Value empty = tensor::EmptyOp::create(
        b, loc, tensor::getMixedSizes(b, loc, producer.getDpsInits()[0]), wide);
    auto copy = linalg::GenericOp::create(b, loc, empty.getType(), producer.getDpsInputs(), empty,
                                          producer.getIndexingMapsArray(),
                                          producer.getIteratorTypesArray());
    IRMapping mapping;
    producer.getRegion().cloneInto(&copy.getRegion(), mapping);
    copy.getRegionOutputArgs()[0].setType(wide);
    Operation *yield = copy.getBody()->getTerminator();
    b.setInsertionPoint(yield);
    yield->setOperand(0, beforeRounding(b, yield->getOperand(0), wide));
    replaceUses(producer.getResult(0), copy.getResult(0), wide);
    producer.erase();
  }

  static void replaceUses(Value narrow, Value value, Type wide) {
    for (OpOperand &use : llvm::make_early_inc_range(narrow.getUses())) {
      Operation *owner = use.getOwner();
      if (isReshape(owner)) {
        OpBuilder b(owner);
        Operation *copy = b.clone(*owner);
        copy->setOperand(0, value);
        Value result = copy->getResult(0);
        result.setType(cast<RankedTensorType>(result.getType()).clone(wide));
        replaceUses(owner->getResult(0), result, wide);
        owner->erase();
        continue;
      }
      BlockArgument argument = cast<linalg::GenericOp>(owner).getMatchingBlockArgument(&use);
      use.set(value);
      argument.setType(wide);
      for (Operation *widening : llvm::make_early_inc_range(argument.getUsers())) {
        widening->getResult(0).replaceAllUsesWith(argument);
        widening->erase();
      }
    }
  }
};

} // namespace
} // namespace onnxc
