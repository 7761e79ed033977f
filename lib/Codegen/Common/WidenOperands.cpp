// onnxc-widen-operands: see Passes.td.
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace onnxc {
#define GEN_PASS_DEF_WIDENOPERANDSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Uses of an element that pay for writing it a second time: one by one, and in vectors.
constexpr int64_t kMinUses = 64, kMinVectorUses = 32;

struct WidenOperands : impl::WidenOperandsPassBase<WidenOperands> {
  using WidenOperandsPassBase::WidenOperandsPassBase;

  void runOnOperation() override {
    getOperation().walk([&](linalg::GenericOp op) {
      if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || !isContraction(op) ||
          cg::hasLoweringConfig(op))
        return;
      for (OpOperand *operand : op.getDpsInputOperands()) {
        arith::ExtFOp widening = wideningOf(op, *operand);
        if (!widening)
          continue;
        Value wide =
            takesAttentionRows(op, *operand) ? unroundedOf(*operand, widening.getType()) : Value();
        if (!wide && (isReadAlone(op, *operand) || isReusedPanels(op, *operand)))
          wide = widened(op, *operand, widening.getType());
        if (wide)
          take(op, *operand, wide, widening);
      }
    });
  }

private:
  /// What the body does with the operand, if it is nothing but widening.
  static arith::ExtFOp wideningOf(linalg::GenericOp op, OpOperand &operand) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    return argument.hasOneUse() ? dyn_cast<arith::ExtFOp>(*argument.user_begin()) : arith::ExtFOp();
  }

  /// The columns do not move it, so that its elements are read one by one, each for many columns.
  static bool isReadAlone(linalg::GenericOp op, OpOperand &operand) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    auto column = out.getNumResults() ? dyn_cast<AffineDimExpr>(out.getResults().back())
                                      : AffineDimExpr(nullptr);
    if (!column || map.isFunctionOfDim(column.getPosition()))
      return false;
    return countUses(op, map, kMinUses) >= kMinUses;
  }

  /// Panels that many rows pass over; where their number is unknown it may be one. The tile that
  /// uses a panel widens it (see packsInTile), or all are widened before many tiles.
  static bool isReusedPanels(linalg::GenericOp op, OpOperand &operand) {
    return isPanels(op, operand) &&
           countUses(op, op.getMatchingIndexingMap(&operand), /*unknown=*/1) >= kMinVectorUses;
  }

  static int64_t countUses(linalg::GenericOp op, AffineMap map, int64_t unknown) {
    int64_t uses = 1;
    for (auto [dim, size] : llvm::enumerate(op.getStaticLoopRanges()))
      if (!map.isFunctionOfDim(dim))
        uses *= ShapedType::isDynamic(size) ? unknown : size;
    return uses;
  }

  /// A copy of the operand in the wide type.
  static Value widened(linalg::GenericOp op, OpOperand &operand, Type wide) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value source = operand.get();
    auto type = cast<RankedTensorType>(source.getType());
    Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, source), wide);
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    SmallVector<utils::IteratorType> parallel(type.getRank(), utils::IteratorType::parallel);
    auto copy = linalg::GenericOp::create(
        b, loc, empty.getType(), source, empty, ArrayRef<AffineMap>{identity, identity}, parallel,
        [&](OpBuilder &inner, Location at, ValueRange args) {
          Value value = arith::ExtFOp::create(inner, at, wide, args[0]);
          linalg::YieldOp::create(inner, at, value);
        });
    return copy.getResult(0);
  }

  /// The probabilities as they were before they were rounded, if the one operation that makes them
  /// for this use does so: they live in a tile only, so that a wide type costs no memory, and the
  /// two conversions go.
  static Value unroundedOf(OpOperand &operand, Type wide) {
    auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
    if (!producer || !producer->hasOneUse() || producer.getNumReductionLoops() != 0 ||
        producer.getNumDpsInits() != 1 || !producer.getRegionOutputArgs()[0].use_empty())
      return {};
    auto yield = cast<linalg::YieldOp>(producer.getBody()->getTerminator());
    if (!isRounded(yield.getOperand(0), wide))
      return {};
    OpBuilder b(producer);
    Location loc = producer.getLoc();
    Value empty =
        tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, producer.getDpsInits()[0]), wide);
    auto copy = linalg::GenericOp::create(b, loc, empty.getType(), producer.getDpsInputs(), empty,
                                          producer.getIndexingMapsArray(),
                                          producer.getIteratorTypesArray());
    IRMapping mapping;
    producer.getRegion().cloneInto(&copy.getRegion(), mapping);
    copy.getRegionOutputArgs()[0].setType(wide);
    yield = cast<linalg::YieldOp>(copy.getBody()->getTerminator());
    b.setInsertionPoint(yield);
    yield->setOperand(0, beforeRounding(b, yield.getOperand(0), wide));
    return copy.getResult(0);
  }

  /// A value of the body that was rounded from the wide type, perhaps behind selects.
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
      Value yes = beforeRounding(b, select.getTrueValue(), wide),
            no = beforeRounding(b, select.getFalseValue(), wide);
      return arith::SelectOp::create(b, loc, select.getCondition(), yes, no);
    }
    return arith::ExtFOp::create(b, loc, wide, value);
  }

  static void take(linalg::GenericOp op, OpOperand &operand, Value wide, arith::ExtFOp widening) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    operand.set(wide);
    argument.setType(widening.getType());
    widening.getResult().replaceAllUsesWith(argument);
    widening.erase();
  }
};

} // namespace
} // namespace onnxc
