// onnxc-plan-memory: see Passes.td. Liveness is counted in operations of the entry
// block: a buffer of a nested region lives as long as the operation that holds the region.
#include "onnxc/Codegen/CPU/ArenaPlan.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"

namespace onnxc {
#define GEN_PASS_DEF_PLANMEMORYPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

constexpr int64_t kAlignment = 64;
/// Scratch of a parallel loop's body up to this size lives on the thread's stack.
constexpr int64_t kStackBytes = 128 * 1024;

int64_t byteSize(MemRefType type) {
  Type element = type.getElementType();
  int64_t bytes = element.isIndex() ? 8
                  : isa<ComplexType>(element)
                      ? 2 * llvm::divideCeil(cast<ComplexType>(element).getElementType().getIntOrFloatBitWidth(), 8)
                      : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  return type.getNumElements() * bytes;
}

struct PlanMemory : impl::PlanMemoryPassBase<PlanMemory> {
  using PlanMemoryPassBase::PlanMemoryPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("onnxc_generated_main");
    if (!main)
      return;
    placeWeights(module);
    placeBuffers(module, main);
  }

  void placeWeights(ModuleOp module) {
    OpBuilder b(&getContext());
    int64_t offset = 0;
    SmallVector<Attribute> weights;
    DenseMap<StringAttr, int64_t> offsets;
    for (auto global : llvm::make_early_inc_range(module.getOps<memref::GlobalOp>())) {
      if (!global.getConstant() || !global.getInitialValue())
        continue;
      offset = llvm::alignTo(offset, kAlignment);
      offsets[global.getSymNameAttr()] = offset;
      weights.push_back(b.getArrayAttr({b.getI64IntegerAttr(offset), *global.getInitialValue()}));
      offset += byteSize(global.getType());
    }
    module.walk([&](memref::GetGlobalOp get) {
      auto found = offsets.find(get.getNameAttr().getAttr());
      if (found == offsets.end())
        return;
      b.setInsertionPoint(get);
      auto weight = rt::WeightOp::create(b, get.getLoc(), get.getType(), b.getI64IntegerAttr(found->second));
      get.replaceAllUsesWith(weight.getResult());
      get.erase();
    });
    for (auto global : llvm::make_early_inc_range(module.getOps<memref::GlobalOp>()))
      if (offsets.count(global.getSymNameAttr()))
        global.erase();
    module->setAttr("onnxc.weights", b.getArrayAttr(weights));
    module->setAttr("onnxc.weights_bytes", b.getI64IntegerAttr(offset));
  }

  void placeBuffers(ModuleOp module, func::FuncOp main) {
    Block &entry = main.getBody().front();
    DenseMap<Operation *, int64_t> order;
    for (auto [i, op] : llvm::enumerate(entry))
      order[&op] = i;
    BufferViewFlowAnalysis aliases(main);
    OpBuilder b(&getContext());

    struct Slot {
      memref::AllocOp alloc;
      ArenaBuffer buffer;
    };
    SmallVector<Slot> slots;
    SmallVector<memref::AllocOp> pooled;
    main.walk([&](memref::AllocOp alloc) {
      MemRefType type = alloc.getType();
      if (alloc->getParentOfType<scf::ForallOp>() || alloc->getParentOfType<scf::ParallelOp>()) {
        placeInThread(b, alloc);
        return;
      }
      auto all = aliases.resolve(alloc.getMemref());
      if (!type.hasStaticShape() || escapes(alloc, all)) {
        pooled.push_back(alloc);
        return;
      }
      Slot slot{alloc, {byteSize(type), INT64_MAX, 0, 0}};
      auto extend = [&](Operation *op) {
        Operation *top = entry.findAncestorOpInBlock(*op);
        slot.buffer.first = std::min(slot.buffer.first, order[top]);
        slot.buffer.last = std::max(slot.buffer.last, order[top]);
      };
      extend(alloc);
      for (Value alias : all)
        for (Operation *user : alias.getUsers())
          extend(user);
      slots.push_back(slot);
    });

    SmallVector<ArenaBuffer> buffers;
    for (Slot &slot : slots)
      buffers.push_back(slot.buffer);
    int64_t arenaBytes = planArena(buffers, kAlignment);
    for (auto [slot, buffer] : llvm::zip(slots, buffers)) {
      b.setInsertionPoint(slot.alloc);
      auto arena = rt::ArenaOp::create(b, slot.alloc.getLoc(), slot.alloc.getType(),
                                       b.getI64IntegerAttr(buffer.offset));
      slot.alloc.replaceAllUsesWith(arena.getResult());
      slot.alloc.erase();
    }
    for (memref::AllocOp alloc : pooled)
      placeInPool(b, alloc, aliases);
    module->setAttr("onnxc.arena_bytes", b.getI64IntegerAttr(arenaBytes));
    module->setAttr("onnxc.dynamic_memory", b.getBoolAttr(!pooled.empty()));
  }

  /// A buffer that a region of its own hands on (a loop's next iteration, an if's result) has
  /// several instances alive at once: no fixed place.
  bool escapes(memref::AllocOp alloc, const BufferViewFlowAnalysis::ValueSetT &aliases) {
    for (Value alias : aliases)
      for (Operation *user : alias.getUsers())
        if (user->hasTrait<OpTrait::IsTerminator>() && user->getNumOperands() &&
            alloc->getParentOp()->isAncestor(user->getParentOp()) &&
            user->getParentOp() != nullptr && !isa<func::FuncOp>(alloc->getParentOp()))
          return true;
    return false;
  }

  void placeInThread(OpBuilder &b, memref::AllocOp alloc) {
    MemRefType type = alloc.getType();
    b.setInsertionPoint(alloc);
    if (type.hasStaticShape() && byteSize(type) <= kStackBytes) {
      auto stack = memref::AllocaOp::create(b, alloc.getLoc(), type, b.getI64IntegerAttr(kAlignment));
      alloc.replaceAllUsesWith(stack.getResult());
      alloc.erase();
      return;
    }
    // From the run's pool, given back at the end of its block: parallel bodies never hand buffers on.
    auto pool = rt::AllocOp::create(b, alloc.getLoc(), type, alloc.getDynamicSizes());
    b.setInsertionPoint(alloc->getBlock()->getTerminator());
    rt::DeallocOp::create(b, alloc.getLoc(), pool.getResult());
    alloc.replaceAllUsesWith(pool.getResult());
    alloc.erase();
  }

  void placeInPool(OpBuilder &b, memref::AllocOp alloc, const BufferViewFlowAnalysis &aliases) {
    Block *block = alloc->getBlock();
    Operation *last = alloc;
    bool handedOn = false;
    for (Value alias : aliases.resolve(alloc.getMemref()))
      for (Operation *user : alias.getUsers()) {
        Operation *here = block->findAncestorOpInBlock(*user);
        if (!here || here->hasTrait<OpTrait::IsTerminator>())
          handedOn = true;
        else if (last->isBeforeInBlock(here))
          last = here;
      }
    b.setInsertionPoint(alloc);
    auto pool = rt::AllocOp::create(b, alloc.getLoc(), alloc.getType(), alloc.getDynamicSizes());
    if (last == alloc)
      last = pool;
    alloc.replaceAllUsesWith(pool.getResult());
    alloc.erase();
    if (handedOn)
      return;
    b.setInsertionPointAfter(last);
    rt::DeallocOp::create(b, pool.getLoc(), pool.getResult());
  }
};

} // namespace
} // namespace onnxc
