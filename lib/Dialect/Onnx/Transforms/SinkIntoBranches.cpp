// onnx-sink-into-branches: what depends on an If whose branches differ in rank is copied into them.
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXSINKINTOBRANCHES
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// What follows several such Ifs is copied for each combination of their branches: so many operators
/// are made at most.
constexpr int64_t kMaxCopies = 20000;

/// The operators of the If's block that depend on its results, in order.
SmallVector<Operation *> dependents(IfOp op) {
  Block *block = op->getBlock();
  llvm::SmallPtrSet<Operation *, 32> found;
  SmallVector<Operation *> work{op}, sorted;
  while (!work.empty())
    for (Operation *user : work.pop_back_val()->getUsers()) {
      Operation *inBlock = block->findAncestorOpInBlock(*user);
      if (inBlock && !inBlock->hasTrait<OpTrait::IsTerminator>() && found.insert(inBlock).second)
        work.push_back(inBlock);
    }
  for (Operation &other : *block)
    if (found.contains(&other))
      sorted.push_back(&other);
  return sorted;
}

bool differsInRank(IfOp op) {
  Operation *one = op.getThenBranch().front().getTerminator(), *other = op.getElseBranch().front().getTerminator();
  for (auto [result, a, b] : llvm::zip(op->getResults(), one->getOperands(), other->getOperands()))
    if (isa<UnrankedTensorType>(result.getType()) && isa<RankedTensorType>(a.getType()) &&
        isa<RankedTensorType>(b.getType()))
      return true;
  return false;
}

/// Replaces the If and what depends on it by an If that gives what the block's terminator takes of them.
void sink(IfOp op, ArrayRef<Operation *> tail) {
  Operation *terminator = op->getBlock()->getTerminator();
  SmallVector<Value> taken;
  auto addTaken = [&](Operation *from) {
    for (Value result : from->getResults())
      if (llvm::is_contained(result.getUsers(), terminator))
        taken.push_back(result);
  };
  addTaken(op);
  for (Operation *other : tail)
    addTaken(other);

  OpBuilder b(terminator);
  OperationState state(op.getLoc(), op->getName(), op->getOperands(), TypeRange(ValueRange(taken)),
                       op->getAttrs());
  for (Region &from : op->getRegions()) {
    Region *to = state.addRegion();
    to->takeBody(from);
    Operation *yield = to->front().getTerminator();
    IRMapping map;
    map.map(op->getResults(), yield->getOperands());
    OpBuilder inside(yield);
    for (Operation *other : tail)
      inside.clone(*other, map);
    SmallVector<Value> values;
    for (Value value : taken)
      values.push_back(map.lookup(value));
    yield->setOperands(values);
  }
  Operation *made = b.create(state);
  for (auto [old, value] : llvm::zip(taken, made->getResults()))
    old.replaceUsesWithIf(value, [&](OpOperand &use) { return use.getOwner() == terminator; });
  for (Operation *other : llvm::reverse(tail))
    other->erase();
  op->erase();
}

struct SinkIntoBranches : impl::OnnxSinkIntoBranchesBase<SinkIntoBranches> {
  void runOnOperation() override {
    for (int64_t copies = 0;;) {
      IfOp found;
      SmallVector<Operation *> tail;
      getOperation().walk<WalkOrder::PreOrder>([&](IfOp op) {
        if (differsInRank(op))
          tail = dependents(op);
        found = op;
        return tail.empty() ? WalkResult::advance() : WalkResult::interrupt();
      });
      for (Operation *op : tail)
        op->walk([&](Operation *) { ++copies; });
      if (tail.empty() || copies > kMaxCopies)
        return;
      sink(found, tail);
      OpPassManager inference(func::FuncOp::getOperationName());
      inference.addPass(createOnnxShapeInference());
      if (failed(runPipeline(inference, getOperation())))
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace onnxc::onnx
