// Which buffer a loop carries is known only when it runs: the first iteration has one from outside, a
// condition may hand on the old one or a new one. So addresses are compared. What can be told before is that every
// buffer in question is either a block of the pool made inside, or what the loop began with.
#include "CarriedBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

using namespace mlir;

namespace onnxc {
namespace {

/// One value that a loop carries.
struct Carried {
  Value old, next, start, result; ///< `old` in the block that yields `next`
};

/// The memrefs that a loop carries; none if it does not hand them on as they are.
SmallVector<Carried> carriedBuffers(Operation *op) {
  SmallVector<Carried> carried;
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [i, old] : llvm::enumerate(loop.getRegionIterArgs()))
      carried.push_back({old, loop.getYieldedValues()[i], loop.getInitArgs()[i], loop.getResult(i)});
  } else if (auto loop = dyn_cast<scf::WhileOp>(op)) {
    scf::ConditionOp condition = loop.getConditionOp();
    for (auto [i, before] : llvm::enumerate(loop.getBeforeArguments())) {
      auto passed = llvm::find(condition.getArgs(), before);
      if (passed == condition.getArgs().end()) {
        if (isa<MemRefType>(before.getType()))
          return {};
        continue;
      }
      unsigned j = std::distance(condition.getArgs().begin(), passed);
      carried.push_back({loop.getAfterArguments()[j], loop.getYieldOp().getOperand(i),
                         loop.getInits()[i], loop.getResult(j)});
    }
    // Something else that the test hands on as a buffer.
    for (Value arg : condition.getArgs())
      if (isa<MemRefType>(arg.getType()) && !llvm::is_contained(loop.getBeforeArguments(), arg))
        return {};
  }
  llvm::erase_if(carried, [](const Carried &c) { return !isa<MemRefType>(c.old.getType()); });
  return carried;
}

/// Whether all that `value` can be is a block of the pool that was made inside `scope`, or what the scope carries.
class Sources {
public:
  explicit Sources(Operation *scope) : scope(scope) {}

  bool areOwned(Value value) {
    if (!visited.insert(value).second)
      return true;
    if (auto arg = dyn_cast<BlockArgument>(value)) {
      Operation *owner = arg.getOwner()->getParentOp();
      if (owner == scope)
        return true;
      if (!scope->isProperAncestor(owner))
        return false;
      for (const Carried &c : carriedBuffers(owner))
        if (c.old == value)
          return areOwned(c.start) && areOwned(c.next);
      return false;
    }
    Operation *op = value.getDefiningOp();
    if (!scope->isProperAncestor(op))
      return false;
    if (isa<rt::AllocOp>(op))
      return true;
    if (isa<memref::CastOp, memref::ExpandShapeOp, memref::CollapseShapeOp>(op))
      return areOwned(op->getOperand(0));
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      return areOwned(view.getViewSource());
    unsigned index = cast<OpResult>(value).getResultNumber();
    if (auto condition = dyn_cast<scf::IfOp>(op))
      return condition.elseBlock() && areOwned(condition.thenYield().getOperand(index)) &&
             areOwned(condition.elseYield().getOperand(index));
    for (const Carried &c : carriedBuffers(op))
      if (c.result == value)
        return areOwned(c.start) && areOwned(c.next);
    return false;
  }

private:
  Operation *scope;
  DenseSet<Value> visited;
};

/// The operation of the value's block after which nothing uses its memory; null if the block hands it on.
Operation *lastUse(Value value, const BufferViewFlowAnalysis &aliases) {
  Operation *last = value.getDefiningOp();
  Block *block = last->getBlock();
  for (Value alias : aliases.resolve(value))
    for (Operation *user : alias.getUsers()) {
      Operation *here = block->findAncestorOpInBlock(*user);
      if (!here || here->hasTrait<OpTrait::IsTerminator>())
        return nullptr;
      if (last->isBeforeInBlock(here))
        last = here;
    }
  return last;
}

class Freeing {
public:
  explicit Freeing(const BufferViewFlowAnalysis &aliases) : aliases(aliases) {}

  void run(Operation *op) {
    if (auto condition = dyn_cast<scf::IfOp>(op)) {
      freeResults(condition);
      return;
    }
    SmallVector<Carried> carried = carriedBuffers(op);
    SmallVector<bool> owned;
    for (const Carried &c : carried)
      owned.push_back(Sources(op).areOwned(c.next));
    if (llvm::is_contained(owned, true)) {
      freeReplaced(carried, owned);
      freeLast(carried, owned);
    }
  }

private:
  Value address(OpBuilder &b, Value memref) {
    return memref::ExtractAlignedPointerAsIndexOp::create(b, memref.getLoc(), memref);
  }

  /// yes and (a != each of others)
  Value differs(OpBuilder &b, Value yes, Value a, ValueRange others) {
    for (Value other : others) {
      Value unequal = arith::CmpIOp::create(b, a.getLoc(), arith::CmpIPredicate::ne, a, other);
      yes = yes ? arith::AndIOp::create(b, a.getLoc(), yes, unequal).getResult() : unequal;
    }
    return yes;
  }

  void freeIf(OpBuilder &b, Value condition, Value memref) {
    auto branch = scf::IfOp::create(b, memref.getLoc(), condition, /*withElseRegion=*/false);
    OpBuilder inside = branch.getThenBodyBuilder();
    rt::DeallocOp::create(inside, memref.getLoc(), memref);
  }

  /// At the end of an iteration: what it began with, unless that is handed on or came from outside.
  void freeReplaced(ArrayRef<Carried> carried, ArrayRef<bool> owned) {
    Value any = carried.front().old;
    Operation *yield = any.getParentBlock()->getTerminator();
    OpBuilder b(yield);
    SmallVector<Value> starts, olds, nexts;
    for (const Carried &c : carried) {
      olds.push_back(address(b, c.old));
      nexts.push_back(address(b, c.next));
      starts.push_back(address(b, c.start));
    }
    for (size_t i = 0; i < carried.size(); ++i) {
      if (!owned[i])
        continue;
      Value yes = differs(b, Value(), olds[i], nexts);
      yes = differs(b, yes, olds[i], starts);
      yes = differs(b, yes, olds[i], ArrayRef(olds).take_front(i));
      freeIf(b, yes, carried[i].old);
    }
  }

  /// What the last iteration made, after its last use.
  void freeLast(ArrayRef<Carried> carried, ArrayRef<bool> owned) {
    for (size_t i = 0; i < carried.size(); ++i) {
      Operation *last = owned[i] ? lastUse(carried[i].result, aliases) : nullptr;
      if (!last)
        continue;
      OpBuilder b(carried[i].result.getContext());
      b.setInsertionPointAfterValue(carried[i].result);
      Value yes, mine = address(b, carried[i].result);
      for (size_t k = 0; k < carried.size(); ++k) {
        yes = differs(b, yes, mine, address(b, carried[k].start));
        if (k != i)
          yes = differs(b, yes, mine, address(b, carried[k].result));
      }
      if (last != carried[i].result.getDefiningOp())
        b.setInsertionPointAfter(last);
      freeIf(b, yes, carried[i].result);
    }
  }

  /// What both branches of a condition made anew, each result a block of its own.
  void freeResults(scf::IfOp condition) {
    for (OpResult result : condition.getResults()) {
      if (!isa<MemRefType>(result.getType()) || !condition.elseBlock())
        continue;
      unsigned index = result.getResultNumber();
      if (!isFreshAlone(condition.thenYield(), index) || !isFreshAlone(condition.elseYield(), index))
        continue;
      if (Operation *last = lastUse(result, aliases)) {
        OpBuilder b(condition);
        b.setInsertionPointAfter(last);
        rt::DeallocOp::create(b, result.getLoc(), result);
      }
    }
  }

  bool isFreshAlone(scf::YieldOp yield, unsigned index) {
    Value value = yield.getOperand(index);
    while (isa_and_nonnull<memref::CastOp, memref::ExpandShapeOp, memref::CollapseShapeOp>(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    auto alloc = value.getDefiningOp<rt::AllocOp>();
    if (!alloc || alloc->getBlock() != yield->getBlock())
      return false;
    unsigned handedOn = 0;
    SmallVector<Value> views = {alloc.getResult()};
    while (!views.empty())
      for (OpOperand &use : views.pop_back_val().getUses()) {
        handedOn += use.getOwner() == yield;
        if (isa<memref::CastOp, memref::ExpandShapeOp, memref::CollapseShapeOp, ViewLikeOpInterface>(use.getOwner()))
          llvm::append_range(views, use.getOwner()->getResults());
      }
    return handedOn == 1;
  }

  const BufferViewFlowAnalysis &aliases;
};

} // namespace

void freeCarriedBuffers(func::FuncOp main, const BufferViewFlowAnalysis &aliases) {
  SmallVector<Operation *> ops;
  main.walk([&](Operation *op) {
    if (isa<scf::ForOp, scf::WhileOp, scf::IfOp>(op) && !op->getParentOfType<scf::ForallOp>())
      ops.push_back(op);
  });
  Freeing freeing(aliases);
  for (Operation *op : ops)
    freeing.run(op);
}

} // namespace onnxc
