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
      for (OpOperand *operand : op.getDpsInputOperands())
        if (arith::ExtFOp widening = wideningOf(op, *operand); widening && (isReadAlone(op, *operand) || isReusedPanels(op, *operand)))
          widen(op, *operand, widening);
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

  /// Panels that many rows pass over; where their number is unknown it may be one. The tile that uses a panel
  /// widens it (see packsInTile), or all are widened before many tiles.
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

  static void widen(linalg::GenericOp op, OpOperand &operand, arith::ExtFOp widening) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value source = operand.get();
    auto type = cast<RankedTensorType>(source.getType());
    Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, source), widening.getType());
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    SmallVector<utils::IteratorType> parallel(type.getRank(), utils::IteratorType::parallel);
    auto wide = linalg::GenericOp::create(
        b, loc, empty.getType(), source, empty, ArrayRef<AffineMap>{identity, identity}, parallel,
        [&](OpBuilder &inner, Location at, ValueRange args) {
          Value value = arith::ExtFOp::create(inner, at, widening.getType(), args[0]);
          linalg::YieldOp::create(inner, at, value);
        });
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    operand.set(wide.getResult(0));
    argument.setType(widening.getType());
    widening.getResult().replaceAllUsesWith(argument);
    widening.erase();
  }
};

} // namespace
} // namespace onnxc
