// onnxc-sink-buffers: see Passes.td. Where a tensor is made says nothing of when it is needed: what depends on no
// operand, such as the zeros of a padding, stands where the graph's order happened to put it.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace onnxc {
#define GEN_PASS_DEF_SINKBUFFERSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Views and fills of a buffer that precede everything else that is done with it, and the first
/// operation of the block that is something else (null: there is none).
struct Beginning {
  SmallVector<Operation *> prepared;
  Operation *first = nullptr;
};

Beginning beginningOf(memref::AllocOp alloc) {
  Block *block = alloc->getBlock();
  Beginning result;
  SmallVector<Value> pending{alloc.getResult()};
  while (!pending.empty())
    for (Operation *user : pending.pop_back_val().getUsers()) {
      bool here = user->getBlock() == block;
      if (here && isa<memref::SubViewOp, memref::CollapseShapeOp, memref::ExpandShapeOp, memref::CastOp>(user)) {
        result.prepared.push_back(user);
        pending.push_back(user->getResult(0));
        continue;
      }
      if (auto fill = dyn_cast<linalg::FillOp>(user); fill && here) {
        result.prepared.push_back(user);
        continue;
      }
      Operation *at = block->findAncestorOpInBlock(*user);
      if (!result.first || at->isBeforeInBlock(result.first))
        result.first = at;
    }
  if (result.first)
    llvm::erase_if(result.prepared, [&](Operation *op) { return !op->isBeforeInBlock(result.first); });
  llvm::sort(result.prepared, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return result;
}

struct SinkBuffers : impl::SinkBuffersPassBase<SinkBuffers> {
  using SinkBuffersPassBase::SinkBuffersPassBase;

  void runOnOperation() override {
    SmallVector<memref::AllocOp> allocs;
    getOperation().walk([&](memref::AllocOp alloc) { allocs.push_back(alloc); });
    for (memref::AllocOp alloc : allocs) {
      Beginning beginning = beginningOf(alloc);
      if (!beginning.first)
        continue;
      alloc->moveBefore(beginning.first);
      for (Operation *op : beginning.prepared)
        op->moveBefore(beginning.first);
    }
  }
};

} // namespace
} // namespace onnxc
