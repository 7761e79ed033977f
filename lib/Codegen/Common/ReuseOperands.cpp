// onnxc-reuse-operands: see Passes.td.
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

namespace onnxc {
#define GEN_PASS_DEF_REUSEOPERANDSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// The input whose memory the result may take, if there is one.
OpOperand *findInput(linalg::GenericOp op) {
  if (op.getNumReductionLoops() > 0 || op->getNumResults() != 1)
    return nullptr;
  OpOperand *init = op.getDpsInitOperand(0);
  if (!op.getMatchingBlockArgument(init).use_empty() ||
      (!init->get().getDefiningOp<tensor::EmptyOp>() && !init->get().getDefiningOp<tensor::ExtractSliceOp>()))
    return nullptr;
  AffineMap map = op.getMatchingIndexingMap(init);
  if (!map.isPermutation())
    return nullptr;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto producer = input->get().getDefiningOp<linalg::LinalgOp>();
    if (producer && !isa<linalg::FillOp>(producer) && producer->getBlock() == op->getBlock() &&
        input->get().hasOneUse() && input->get().getType() == init->get().getType() &&
        op.getMatchingIndexingMap(input) == map)
      return input;
  }
  return nullptr;
}

struct ReuseOperands : impl::ReuseOperandsPassBase<ReuseOperands> {
  using ReuseOperandsPassBase::ReuseOperandsPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops) {
      OpOperand *input = findInput(op);
      if (!input)
        continue;
      unsigned position = input->getOperandNumber();
      SmallVector<Value> inputs(op.getDpsInputs());
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      Value taken = inputs[position];
      inputs.erase(inputs.begin() + position);
      maps.erase(maps.begin() + position);
      rewriter.setInsertionPoint(op);
      auto replacement = linalg::GenericOp::create(rewriter, op.getLoc(), op.getResultTypes(),
                                                   inputs, ValueRange{taken}, maps,
                                                   op.getIteratorTypesArray());
      cg::LoweringConfig(op).setOn(replacement);
      Block &from = op.getRegion().front();
      Block *to = rewriter.createBlock(&replacement.getRegion());
      SmallVector<Value> arguments;
      for (BlockArgument argument : from.getArguments()) {
        if (argument.getArgNumber() == position) {
          arguments.push_back(Value());
          continue;
        }
        arguments.push_back(to->addArgument(argument.getType(), argument.getLoc()));
      }
      arguments[position] = arguments.back();
      rewriter.mergeBlocks(&from, to, arguments);
      rewriter.replaceOp(op, replacement.getResults());
    }
  }
};

} // namespace
} // namespace onnxc
