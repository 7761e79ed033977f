// onnxc-eliminate-empty-tensors: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace onnxc {
#define GEN_PASS_DEF_ELIMINATEEMPTYTENSORSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Whether the user writes over what it is given.
bool isDestination(OpOperand &use) {
  if (auto op = dyn_cast<DestinationStyleOpInterface>(use.getOwner()))
    return op.isDpsInit(&use);
  if (auto loop = dyn_cast<LoopLikeOpInterface>(use.getOwner()))
    return loop.getTiedLoopRegionIterArg(&use) != BlockArgument();
  return false;
}

void unshare(Operation *op) {
  if (op->use_empty())
    return;
  OpBuilder b(op);
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : op->getUses())
    uses.push_back(&use);
  for (OpOperand *use : llvm::drop_begin(uses))
    if (isDestination(*use))
      use->set(b.clone(*op)->getResult(0));
}

struct EliminateEmptyTensors : impl::EliminateEmptyTensorsPassBase<EliminateEmptyTensors> {
  using EliminateEmptyTensorsPassBase::EliminateEmptyTensorsPassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    SmallVector<Operation *> fills, empties;
    function.walk([&](linalg::FillOp op) {
      if (op.hasPureTensorSemantics())
        fills.push_back(op);
    });
    for (Operation *op : fills)
      unshare(op);
    function.walk([&](tensor::EmptyOp op) { empties.push_back(op); });
    for (Operation *op : empties)
      unshare(op);

    bufferization::OneShotBufferizationOptions options;
    options.allowReturnAllocsFromLoops = true;
    bufferization::OneShotAnalysisState state(function, options);
    if (failed(bufferization::analyzeOp(function, state)))
      return signalPassFailure();
    auto build = [&](RewriterBase &rewriter, SubsetInsertionOpInterface insertion,
                     tensor::EmptyOp empty, Operation *user) -> Value {
      if (isa<tensor::InsertSliceOp>(insertion) && insertion->getParentOp() == function)
        return {};
      return bufferization::buildSubsetExtraction(rewriter, insertion, empty, user);
    };
    IRRewriter rewriter(&getContext());
    if (failed(bufferization::eliminateEmptyTensors(rewriter, function, state, build)))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc
