// See BufferViews.h.
#include "BufferViews.h"

#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace onnxc {

OpFoldResult sizeOfBuffer(Value value, int64_t dim) {
  auto type = cast<MemRefType>(value.getType());
  if (!type.isDynamicDim(dim))
    return IntegerAttr::get(IndexType::get(value.getContext()), type.getDimSize(dim));
  Operation *def = value.getDefiningOp();
  if (auto alloc = dyn_cast_or_null<memref::AllocOp>(def))
    return alloc.getDynamicSizes()[type.getDynamicDimIndex(dim)];
  if (auto castOp = dyn_cast_or_null<memref::CastOp>(def))
    return isa<MemRefType>(castOp.getSource().getType()) ? sizeOfBuffer(castOp.getSource(), dim)
                                                         : OpFoldResult();
  if (auto view = dyn_cast_or_null<memref::SubViewOp>(def))
    return view.getDroppedDims().none() ? view.getMixedSizes()[dim] : OpFoldResult();
  if (auto expand = dyn_cast_or_null<memref::ExpandShapeOp>(def))
    return expand.getMixedOutputShape()[dim];
  if (auto collapse = dyn_cast_or_null<memref::CollapseShapeOp>(def)) {
    SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
    if (groups[dim].size() == 1)
      return sizeOfBuffer(collapse.getSrc(), groups[dim].front());
  }
  return {};
}

// ---- who sees a buffer ----

bool areDisjoint(const std::optional<Box> &x, const std::optional<Box> &y) {
  if (!x || !y)
    return false;
  for (auto [xFrom, xSize, yFrom, ySize] : llvm::zip(x->offsets, x->sizes, y->offsets, y->sizes)) {
    if (ShapedType::isDynamic(xFrom) || ShapedType::isDynamic(yFrom))
      continue;
    if ((!ShapedType::isDynamic(xSize) && xFrom + xSize <= yFrom) ||
        (!ShapedType::isDynamic(ySize) && yFrom + ySize <= xFrom))
      return true;
  }
  return false;
}

std::optional<Box> boxOf(memref::SubViewOp view) {
  if (!llvm::all_of(view.getMixedStrides(), [](OpFoldResult s) { return isConstantIntValue(s, 1); }))
    return std::nullopt;
  return Box{SmallVector<int64_t>(view.getStaticOffsets()), SmallVector<int64_t>(view.getStaticSizes())};
}

static bool isView(Operation *op) {
  return isa<memref::SubViewOp, memref::CollapseShapeOp, memref::ExpandShapeOp, memref::CastOp>(op);
}

std::optional<SmallVector<BufferAccess>> collectAccesses(memref::AllocOp alloc) {
  Block *block = alloc->getBlock();
  SmallVector<BufferAccess> accesses;
  SmallVector<std::pair<Value, std::optional<Box>>> pending;
  pending.emplace_back(alloc.getResult(), std::nullopt);
  while (!pending.empty()) {
    auto [value, box] = pending.pop_back_val();
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (isa<memref::DimOp>(user))
        continue;
      if (isView(user)) {
        auto view = dyn_cast<memref::SubViewOp>(user);
        pending.emplace_back(user->getResult(0), view && value == alloc.getResult() ? boxOf(view) : box);
        continue;
      }
      Operation *at = block->findAncestorOpInBlock(*user);
      BufferAccess access{user, at, true, true, box};
      if (auto copy = dyn_cast<memref::CopyOp>(user)) {
        access.reads = copy.getSource() == value;
        access.writes = copy.getTarget() == value;
      } else if (isa<memref::LoadOp, func::ReturnOp>(user)) {
        access.writes = false;
      } else if (isa<memref::StoreOp>(user)) {
        if (use.getOperandNumber() == 0)
          return std::nullopt;
        access.reads = false;
      } else if (auto op = dyn_cast<linalg::LinalgOp>(user)) {
        access.writes = op.isDpsInit(&use);
        access.reads = !access.writes || op.payloadUsesValueFromOperand(&use);
      } else if (auto op = dyn_cast<cg::WinogradConvOp>(user)) {
        access.writes = op.isDpsInit(&use);
      } else if (user->hasTrait<OpTrait::IsTerminator>() || user->getNumRegions() != 0 ||
                 llvm::any_of(user->getResultTypes(), llvm::IsaPred<BaseMemRefType>)) {
        return std::nullopt; // it may live on under another name
      }
      accesses.push_back(std::move(access));
    }
  }
  return accesses;
}

// ---- another type for a buffer ----

/// The type of a view when what it views has another type; null if it cannot be.
static MemRefType retypedView(Operation *op, MemRefType source) {
  if (auto view = dyn_cast<memref::SubViewOp>(op)) {
    auto offsets = view.getMixedOffsets(), sizes = view.getMixedSizes(), strides = view.getMixedStrides();
    if (view.getType().getRank() == source.getRank())
      return memref::SubViewOp::inferResultType(source, offsets, sizes, strides);
    return memref::SubViewOp::inferRankReducedResultType(view.getType().getShape(), source, offsets,
                                                         sizes, strides);
  }
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
    SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
    if (!memref::CollapseShapeOp::isGuaranteedCollapsible(source, groups))
      return {};
    return memref::CollapseShapeOp::computeCollapsedType(source, groups);
  }
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(op)) {
    FailureOr<MemRefType> type = memref::ExpandShapeOp::computeExpandedType(
        source, expand.getResultType().getShape(), expand.getReassociationIndices());
    return succeeded(type) ? *type : MemRefType();
  }
  return source; // a cast is left out
}

bool canRetype(Value value, MemRefType type) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (isView(user)) {
      MemRefType next = retypedView(user, type);
      return next && canRetype(user->getResult(0), next);
    }
    return isa<memref::DimOp, memref::CopyOp, memref::LoadOp, memref::StoreOp, linalg::LinalgOp,
               cg::WinogradConvOp>(user);
  });
}

void retype(IRRewriter &rewriter, Value from, Value to) {
  auto type = cast<MemRefType>(to.getType());
  llvm::SetVector<Operation *> users(from.getUsers().begin(), from.getUsers().end());
  for (Operation *user : users) {
    if (isa<memref::CastOp>(user)) {
      retype(rewriter, user->getResult(0), to);
      rewriter.eraseOp(user);
      continue;
    }
    rewriter.modifyOpInPlace(user, [&] {
      user->replaceUsesOfWith(from, to);
      if (isView(user))
        user->getResult(0).setType(retypedView(user, type));
    });
    if (isView(user))
      retype(rewriter, user->getResult(0), user->getResult(0));
  }
}

bool tearsVectors(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return true;
  for (auto [size, stride] : llvm::zip(llvm::reverse(type.getShape()), llvm::reverse(strides)))
    if (size != 1)
      return stride != 1;
  return false;
}

} // namespace onnxc
