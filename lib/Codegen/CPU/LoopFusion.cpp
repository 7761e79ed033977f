// The analysis behind LoopFusion.h: memory is told apart by the allocation, global or argument that
// a view comes from; what cannot be told apart is taken for the same.
#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr unsigned kMaxEpilogues = 4;

Value rootOf(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

bool isFresh(Value root) {
  return isa_and_nonnull<memref::AllocOp, memref::AllocaOp>(root.getDefiningOp());
}

/// Two slices of one memref that provably do not meet are not looked for.
bool mayAlias(Value a, Value b) {
  Value rootA = rootOf(a), rootB = rootOf(b);
  if (rootA == rootB)
    return true;
  auto known = [](Value root) {
    return isFresh(root) ||
           isa_and_nonnull<memref::GetGlobalOp, rt::InputOp, rt::OutputOp>(root.getDefiningOp());
  };
  // Fresh memory meets nothing that was there before, whatever that is.
  return !isFresh(rootA) && !isFresh(rootB) && !(known(rootA) && known(rootB));
}

/// The operation only views, allocates or computes: it neither reads nor writes elements.
bool touchesNoElements(Operation *op) {
  return isMemoryEffectFree(op) ||
         isa<ViewLikeOpInterface, memref::AllocOp, memref::AllocaOp, memref::GetGlobalOp,
             rt::OutputOp, rt::RegionOp, rt::AssertOp>(op);
}

/// Whether `op` may write (or, with `reads`, read) elements of `memref`.
bool mayTouch(Operation *op, Value memref, bool reads) {
  if (touchesNoElements(op))
    return false;
  auto generic = dyn_cast<linalg::LinalgOp>(op);
  if (!generic)
    return true;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()) || !mayAlias(operand.get(), memref))
      continue;
    if (reads || generic.isDpsInit(&operand))
      return true;
  }
  return false;
}

linalg::FillOp findFill(linalg::LinalgOp op, Value result) {
  for (Operation *before = op->getPrevNode(); before; before = before->getPrevNode()) {
    auto fill = dyn_cast<linalg::FillOp>(before);
    if (fill && fill.getOutputs()[0] == result) {
      Type element = cast<MemRefType>(result.getType()).getElementType();
      return fill.getInputs()[0].getType() == element ? fill : nullptr;
    }
    if (mayTouch(before, result, /*reads=*/true))
      return nullptr;
  }
  return nullptr;
}

bool isElementwise(linalg::GenericOp op) {
  if (op.getNumReductionLoops() != 0 || !op.hasPureBufferSemantics())
    return false;
  for (Operation &inner : op.getRegion().front().without_terminator()) {
    bool mappable = OpTrait::hasElementwiseMappableTraits(&inner) || isa<arith::ConstantOp>(inner);
    if (!mappable || inner.getNumRegions() != 0 ||
        !llvm::all_of(inner.getResultTypes(), [](Type t) { return t.isIntOrIndexOrFloat(); }))
      return false;
  }
  return true;
}

/// The maps of `generic` over the loops of `op`, whose result it reads or takes over.
std::optional<Epilogue> matchEpilogue(linalg::LinalgOp op, AffineMap resultMap,
                                      ArrayRef<Value> values, linalg::GenericOp generic,
                                      std::optional<unsigned> vectorDim) {
  if (!isElementwise(generic))
    return std::nullopt;
  // All operands that are the result must see it through one permutation.
  AffineMap seen;
  for (OpOperand &operand : generic->getOpOperands())
    if (llvm::is_contained(values, operand.get())) {
      AffineMap map = generic.getMatchingIndexingMap(&operand);
      if (!map.isPermutation() || (seen && seen != map))
        return std::nullopt;
      seen = map;
    }
  if (!seen || seen.getNumResults() != resultMap.getNumResults())
    return std::nullopt;
  SmallVector<AffineExpr> loops(generic.getNumLoops());
  for (auto [position, expr] : llvm::enumerate(seen.getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = resultMap.getResult(position);
  Epilogue epilogue{generic, {}};
  for (AffineMap map : generic.getIndexingMapsArray()) {
    SmallVector<AffineExpr> exprs;
    for (AffineExpr expr : map.getResults())
      exprs.push_back(expr.replaceDims(loops));
    epilogue.maps.push_back(AffineMap::get(op.getNumLoops(), 0, exprs, op.getContext()));
  }
  // Vectors are loaded and stored whole.
  for (auto [operand, map] : llvm::zip(generic->getOperands(), epilogue.maps))
    if (auto type = dyn_cast<MemRefType>(operand.getType()); type && vectorDim)
      if (classifyAccess(map, type, *vectorDim) == Access::Other)
        return std::nullopt;
  return epilogue;
}

/// Moving `op` down to `target` passes no operation that reads what it writes or writes what it
/// reads.
bool canMoveTo(linalg::LinalgOp op, Operation *target) {
  for (Operation *between = op->getNextNode(); between != target;
       between = between->getNextNode()) {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      if (mayTouch(between, operand.get(), /*reads=*/op.isDpsInit(&operand)))
        return false;
    }
  }
  return true;
}

} // namespace

LoopFusion findLoopFusion(linalg::LinalgOp op, std::optional<unsigned> vectorDim,
                          llvm::function_ref<bool(Operation *)> isTaken) {
  LoopFusion fusion;
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1 || isa<linalg::FillOp>(op))
    return fusion;
  OpOperand *init = op.getDpsInitOperand(0);
  Value result = init->get();
  AffineMap resultMap = op.getMatchingIndexingMap(init);
  // Each element must be met once.
  if (!resultMap.isProjectedPermutation())
    return fusion;
  fusion.fill = findFill(op, result);
  if (fusion.fill && isTaken(fusion.fill))
    fusion.fill = nullptr;

  // The values that stand for the element in registers: the result, then what epilogues write.
  SmallVector<Value> values{result};
  llvm::SmallPtrSet<Operation *, 8> parts{op};
  if (fusion.fill)
    parts.insert(fusion.fill);
  Operation *from = op;
  while (fusion.epilogues.size() < kMaxEpilogues) {
    Operation *next = from->getNextNode();
    while (next && !llvm::any_of(next->getOperands(), [&](Value v) {
             return llvm::is_contained(values, v) && !isa<ViewLikeOpInterface>(next);
           }))
      next = next->getNextNode();
    auto generic = dyn_cast_or_null<linalg::GenericOp>(next);
    if (!generic || isTaken(generic) || !canMoveTo(op, generic))
      break;
    // What earlier epilogues read and write moves along.
    if (llvm::any_of(fusion.epilogues, [&](Epilogue &e) { return !canMoveTo(e.op, generic); }))
      break;
    std::optional<Epilogue> epilogue = matchEpilogue(op, resultMap, values, generic, vectorDim);
    if (!epilogue)
      break;
    // An operand that is another view of memory in registers cannot be read before the nest ends.
    bool clash = false;
    for (OpOperand &operand : generic->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()) || llvm::is_contained(values, operand.get()))
        continue;
      for (Value value : values)
        clash |= mayAlias(operand.get(), value);
      // The nest writes elements while it still reads its operands.
      if (generic.isDpsInit(&operand)) {
        for (OpOperand *input : op.getDpsInputOperands())
          clash |= isa<MemRefType>(input->get().getType()) && mayAlias(operand.get(), input->get());
        for (Epilogue &earlier : fusion.epilogues)
          for (Value input : earlier.op.getDpsInputs())
            clash |= isa<MemRefType>(input.getType()) && mayAlias(operand.get(), input);
      }
    }
    if (clash)
      break;
    for (OpOperand &init : generic.getDpsInitsMutable())
      if (!llvm::is_contained(values, init.get()))
        values.push_back(init.get());
    parts.insert(generic);
    fusion.epilogues.push_back(std::move(*epilogue));
    from = generic;
  }
  if (fusion.epilogues.empty())
    return fusion;
  // The result itself need not be stored if it is memory of its own that nothing else reads, or if
  // an epilogue takes it over.
  bool takenOver = llvm::any_of(fusion.epilogues, [&](Epilogue &e) {
    return llvm::is_contained(e.op.getDpsInits(), result);
  });
  bool private_ = isFresh(result) && llvm::all_of(result.getUsers(), [&](Operation *user) {
                    return parts.contains(user) || isa<memref::DeallocOp>(user);
                  });
  fusion.storesResult = !takenOver && !private_;
  return fusion;
}

Operation *LoopFusion::place(linalg::LinalgOp op) const {
  if (epilogues.empty())
    return op;
  linalg::GenericOp last = epilogues.back().op;
  return last;
}

void LoopFusion::erase(RewriterBase &rewriter, linalg::LinalgOp op) const {
  for (const Epilogue &epilogue : epilogues)
    rewriter.eraseOp(epilogue.op);
  rewriter.eraseOp(op);
  if (fill)
    rewriter.eraseOp(fill);
}

void emitEpilogues(const LoopFusion &fusion, Value memory, Value result, LoadEpilogueOperand load,
                   CloneEpilogueBody clone, StoreEpilogueResult store) {
  DenseMap<Value, Value> held; // elements of memrefs that are in registers
  held[memory] = result;
  for (const Epilogue &epilogue : fusion.epilogues) {
    linalg::GenericOp generic = epilogue.op;
    Block &block = generic.getRegion().front();
    IRMapping mapping;
    for (OpOperand &operand : generic->getOpOperands()) {
      unsigned number = operand.getOperandNumber();
      BlockArgument argument = block.getArgument(number);
      if (argument.use_empty())
        continue;
      Value value = held.lookup(operand.get());
      mapping.map(argument, value ? value : load(operand, epilogue.maps[number]));
    }
    for (Operation &inner : block.without_terminator())
      clone(inner, mapping);
    for (auto [i, yielded] : llvm::enumerate(block.getTerminator()->getOperands())) {
      OpOperand &init = *generic.getDpsInitOperand(i);
      held[init.get()] =
          store(init, epilogue.maps[init.getOperandNumber()], mapping.lookupOrDefault(yielded));
    }
  }
}

} // namespace onnxc
