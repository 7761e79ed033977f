// onnxc-merge-buffers: see Passes.td. On memrefs of one block, where the order of the operations is the
// order in time, so that two buffers can share memory if no operation sees the difference.
#include "BufferViews.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace onnxc {
#define GEN_PASS_DEF_MERGEBUFFERSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Elements that one thread copies at a time.
constexpr int64_t kCopyTile = 16 * 1024;
constexpr int64_t kAssumedSize = 128;

int64_t assumedElements(MemRefType type) {
  int64_t count = 1;
  for (int64_t size : type.getShape())
    count *= ShapedType::isDynamic(size) ? kAssumedSize : size;
  return count;
}

class Merger {
public:
  explicit Merger(IRRewriter &rewriter) : rewriter(rewriter) {}

  /// If the copy's source is a buffer that can be the part of the target that it is copied to, makes it
  /// that.
  bool run(memref::CopyOp op) {
    copy = op;
    return find() && isSafe() && apply();
  }

  /// Other copies that went along.
  llvm::DenseSet<Operation *> erased;

private:
  bool find() {
    Value to = copy.getTarget(), from = copy.getSource();
    target = to.getDefiningOp<memref::SubViewOp>();
    source = from.getDefiningOp<memref::SubViewOp>();
    whole = (target ? target.getSource() : to).getDefiningOp<memref::AllocOp>();
    if (source)
      from = source.getSource();
    viewed = from;
    chain.clear();
    while (Operation *def = from.getDefiningOp()) {
      if (!isa<memref::CollapseShapeOp, memref::ExpandShapeOp, memref::CastOp>(def))
        break;
      chain.push_back(def);
      from = def->getOperand(0);
    }
    part = from.getDefiningOp<memref::AllocOp>();
    return part && whole && part != whole && part->getBlock() == copy->getBlock() &&
           whole->getBlock() == copy->getBlock() && place();
  }

  /// Where in the whole the viewed part comes to lie: where the copy goes, less where it comes from.
  bool place() {
    auto type = cast<MemRefType>(viewed.getType());
    int64_t rank = type.getRank();
    if (whole.getType().getRank() != rank)
      return false;
    offsets.assign(rank, rewriter.getIndexAttr(0));
    sizes.clear();
    for (int64_t dim = 0; dim < rank; ++dim)
      sizes.push_back(sizeOfBuffer(viewed, dim));
    if (llvm::is_contained(sizes, OpFoldResult()))
      return false;
    if (target) {
      if (!boxOf(target) || target.getDroppedDims().any())
        return false;
      offsets = target.getMixedOffsets();
    }
    if (!source) {
      if (target)
        sizes = target.getMixedSizes();
      return true;
    }
    if (!boxOf(source) || source.getDroppedDims().any())
      return false;
    SmallVector<OpFoldResult> all = whole.getMixedSizes();
    for (int64_t dim = 0; dim < rank; ++dim) {
      std::optional<int64_t> to = getConstantIntValue(offsets[dim]),
                             from = getConstantIntValue(source.getMixedOffsets()[dim]),
                             size = getConstantIntValue(sizes[dim]),
                             room = getConstantIntValue(all[dim]);
      if (!to || !from || *to < *from)
        return false;
      bool fits = size && room ? *to - *from + *size <= *room
                               : *to == *from && isEqualConstantIntOrValue(sizes[dim], all[dim]);
      if (!fits)
        return false;
      offsets[dim] = rewriter.getIndexAttr(*to - *from);
    }
    return true;
  }

  Box placeBox() {
    Box box;
    for (auto [offset, size] : llvm::zip(offsets, sizes)) {
      box.offsets.push_back(getConstantIntValue(offset).value_or(ShapedType::kDynamic));
      box.sizes.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    }
    return box;
  }

  /// Another copy from the viewed part to the whole, by the same distance: it will have nothing to do.
  bool isSibling(Operation *user) {
    auto other = dyn_cast<memref::CopyOp>(user);
    if (!other || !source || other->getBlock() != copy->getBlock())
      return false;
    auto from = other.getSource().getDefiningOp<memref::SubViewOp>(),
         to = other.getTarget().getDefiningOp<memref::SubViewOp>();
    if (!from || !to || from.getSource() != viewed || to.getSource() != whole.getResult() ||
        !boxOf(from) || !boxOf(to) || from.getDroppedDims().any() || to.getDroppedDims().any())
      return false;
    for (auto [x, y, distance] : llvm::zip(from.getMixedOffsets(), to.getMixedOffsets(), offsets)) {
      std::optional<int64_t> a = getConstantIntValue(x), b = getConstantIntValue(y);
      if (!a || !b || *b - *a != *getConstantIntValue(distance))
        return false;
    }
    return true;
  }

  /// Whether x runs before y; both are in the block of the copy.
  static bool before(const BufferAccess &x, Operation *y) { return x.at->isBeforeInBlock(y); }

  bool isSafe() {
    auto ofPart = collectAccesses(part), ofWhole = collectAccesses(whole);
    if (!ofPart || !ofWhole)
      return false;
    Operation *last = copy;
    siblings.clear();
    for (const BufferAccess &access : *ofWhole)
      if (access.user != copy && access.writes && isSibling(access.user)) {
        siblings.push_back(access.user);
        if (last->isBeforeInBlock(access.user))
          last = access.user;
      }
    auto isCopy = [&](const BufferAccess &access) {
      return access.user == copy || llvm::is_contained(siblings, access.user);
    };
    llvm::erase_if(*ofPart, isCopy);
    llvm::erase_if(*ofWhole, isCopy);
    std::optional<Box> box = placeBox();
    llvm::erase_if(*ofWhole, [&](const BufferAccess &access) { return areDisjoint(access.box, box); });
    // A copy of something of the part leaves what was there before around it.
    if (source)
      for (const BufferAccess &access : *ofWhole)
        if (before(access, last))
          return false;

    // A fill of everything before the copy shrinks to what the copy leaves of it.
    fill = {};
    for (const BufferAccess &access : *ofWhole)
      if (auto op = dyn_cast<linalg::FillOp>(access.user);
          op && op->getBlock() == copy->getBlock() && op.output() == whole.getResult() &&
          before(access, copy))
        fill = op;
    if (fill)
      for (const BufferAccess &access : *ofWhole)
        if (before(access, copy) && !access.at->isBeforeInBlock(fill) && access.user != fill)
          return false;

    Operation *first = copy;
    for (const BufferAccess &access : *ofPart)
      if (before(access, first))
        first = access.at;
    for (const BufferAccess &b : *ofWhole) {
      if (b.user == fill)
        continue;
      if (before(b, copy)) {
        // What is there before is lost when the part is written.
        if (!before(b, first))
          return false;
        continue;
      }
      for (const BufferAccess &a : *ofPart) {
        if (before(a, copy))
          continue;
        if ((a.reads && b.writes && !before(a, b.at)) || (a.writes && b.reads && !before(b, a.at)))
          return false;
      }
    }
    return true;
  }

  /// Whether loops of vectors work on the part; otherwise it is copied and filled only.
  bool isComputed() {
    auto accesses = collectAccesses(part);
    return !accesses || llvm::any_of(*accesses, [](const BufferAccess &access) {
      return !isa<memref::CopyOp, linalg::FillOp, memref::LoadOp, memref::StoreOp>(access.user);
    });
  }

  // ---- moving what the target is made of to the place where the part is made ----

  bool canHoist(Value value) {
    Operation *def = value.getDefiningOp();
    if (!def || def->getBlock() != part->getBlock() || def->isBeforeInBlock(part))
      return true;
    return isPure(def) && def->getNumRegions() == 0 &&
           llvm::all_of(def->getOperands(), [&](Value operand) { return canHoist(operand); });
  }

  bool canHoist(ArrayRef<OpFoldResult> values) {
    return llvm::all_of(values, [&](OpFoldResult value) {
      return value && (!isa<Value>(value) || canHoist(cast<Value>(value)));
    });
  }

  void hoist(Value value) {
    Operation *def = value.getDefiningOp();
    if (!def || def->getBlock() != part->getBlock() || def->isBeforeInBlock(part))
      return;
    for (Value operand : def->getOperands())
      hoist(operand);
    rewriter.moveOpBefore(def, part);
  }

  void hoist(ArrayRef<OpFoldResult> values) {
    for (OpFoldResult value : values)
      if (auto v = dyn_cast<Value>(value))
        hoist(v);
  }

  bool apply() {
    // Everything is checked on types first; then the views are made.
    SmallVector<OpFoldResult> strides(offsets.size(), rewriter.getIndexAttr(1));
    auto placed = memref::SubViewOp::inferResultType(whole.getType(), offsets, sizes, strides);
    auto viewedType = cast<MemRefType>(viewed.getType());
    MemRefType type = placed;
    if (type.getShape() != viewedType.getShape())
      type = MemRefType::get(viewedType.getShape(), type.getElementType(), type.getLayout(),
                             type.getMemorySpace());
    if (!memref::CastOp::areCastCompatible(placed, type))
      return false;
    SmallVector<OpFoldResult> needed;
    llvm::append_range(needed, whole.getMixedSizes());
    llvm::append_range(needed, offsets);
    llvm::append_range(needed, sizes);
    MemRefType next = type;
    SmallVector<MemRefType> types;
    SmallVector<SmallVector<OpFoldResult>> shapes;
    for (Operation *view : chain) {
      auto inner = cast<MemRefType>(view->getOperand(0).getType());
      shapes.emplace_back();
      if (auto collapse = dyn_cast<memref::CollapseShapeOp>(view)) {
        for (int64_t dim = 0; dim < inner.getRank(); ++dim)
          shapes.back().push_back(sizeOfBuffer(view->getOperand(0), dim));
        llvm::append_range(needed, shapes.back());
        FailureOr<MemRefType> expanded = memref::ExpandShapeOp::computeExpandedType(
            next, inner.getShape(), collapse.getReassociationIndices());
        if (failed(expanded))
          return false;
        next = *expanded;
      } else if (auto expand = dyn_cast<memref::ExpandShapeOp>(view)) {
        SmallVector<ReassociationIndices> groups = expand.getReassociationIndices();
        if (!memref::CollapseShapeOp::isGuaranteedCollapsible(next, groups))
          return false;
        next = memref::CollapseShapeOp::computeCollapsedType(next, groups);
      } else if (next.getShape() != inner.getShape()) {
        next = MemRefType::get(inner.getShape(), next.getElementType(), next.getLayout(),
                               next.getMemorySpace());
      }
      types.push_back(next);
    }
    if (!canHoist(needed) || !canRetype(part.getResult(), next) || (fill && !canShrinkFill()) ||
        (tearsVectors(next) && isComputed()))
      return false;

    hoist(needed);
    if (!whole->isBeforeInBlock(part))
      rewriter.moveOpBefore(whole, part);
    rewriter.setInsertionPoint(part);
    Location loc = part.getLoc();
    Value value = memref::SubViewOp::create(rewriter, loc, placed, whole, offsets, sizes, strides);
    if (value.getType() != type)
      value = memref::CastOp::create(rewriter, loc, type, value);
    for (auto [view, made, shape] : llvm::zip(chain, types, shapes)) {
      if (auto collapse = dyn_cast<memref::CollapseShapeOp>(view))
        value = memref::ExpandShapeOp::create(rewriter, loc, made, value,
                                              collapse.getReassociationIndices(), shape);
      else if (auto expand = dyn_cast<memref::ExpandShapeOp>(view))
        value = memref::CollapseShapeOp::create(rewriter, loc, made, value,
                                                expand.getReassociationIndices());
      else if (value.getType() != made)
        value = memref::CastOp::create(rewriter, loc, made, value);
    }
    if (fill)
      shrinkFill();
    rewriter.eraseOp(copy);
    for (Operation *sibling : siblings)
      rewriter.eraseOp(sibling);
    erased.insert(siblings.begin(), siblings.end());
    retype(rewriter, part.getResult(), value);
    rewriter.eraseOp(part);
    return true;
  }

  // ---- fills ----

  bool canShrinkFill() {
    return llvm::all_of(offsets, [](OpFoldResult offset) { return getConstantIntValue(offset).has_value(); });
  }

  /// Fills around the part's place: before and after it along each dimension, within it along those before.
  void shrinkFill() {
    rewriter.setInsertionPoint(fill);
    Location loc = fill.getLoc();
    SmallVector<OpFoldResult> all = whole.getMixedSizes(), at(all.size(), rewriter.getIndexAttr(0)),
                              extent = all, strides(all.size(), rewriter.getIndexAttr(1));
    auto fillPart = [&] {
      Value view = memref::SubViewOp::create(rewriter, loc, whole, at, extent, strides);
      linalg::FillOp::create(rewriter, loc, fill.getInputs(), ValueRange{view});
    };
    AffineExpr d0 = rewriter.getAffineDimExpr(0), d1 = rewriter.getAffineDimExpr(1);
    for (unsigned dim = 0; dim < all.size(); ++dim) {
      int64_t low = *getConstantIntValue(offsets[dim]);
      if (low > 0) {
        extent[dim] = rewriter.getIndexAttr(low);
        fillPart();
      }
      OpFoldResult high = affine::makeComposedFoldedAffineApply(rewriter, loc, d0 - d1 - low,
                                                                {all[dim], sizes[dim]});
      if (!isConstantIntValue(high, 0)) {
        at[dim] = affine::makeComposedFoldedAffineApply(rewriter, loc, d0 + low, {sizes[dim]});
        extent[dim] = high;
        fillPart();
      }
      at[dim] = offsets[dim];
      extent[dim] = sizes[dim];
    }
    rewriter.eraseOp(fill);
  }

  IRRewriter &rewriter;
  memref::CopyOp copy;
  memref::SubViewOp source, target; // null where all of the buffer is copied
  memref::AllocOp whole, part;
  Value viewed;                   // the part as the copy sees it
  SmallVector<Operation *> chain; // views from there back to the part
  SmallVector<OpFoldResult> offsets, sizes; // its place in the whole
  SmallVector<Operation *> siblings;
  linalg::FillOp fill;
};

// ---- copies that stay ----

bool isContiguous(Value value) { return cast<MemRefType>(value.getType()).getLayout().isIdentity(); }

/// A large copy that is not one run of memory becomes a parallel loop over tiles.
void distribute(IRRewriter &rewriter, memref::CopyOp copy) {
  auto type = cast<MemRefType>(copy.getSource().getType());
  int64_t rank = type.getRank();
  if (rank == 0 || assumedElements(type) < 2 * kCopyTile ||
      (isContiguous(copy.getSource()) && isContiguous(copy.getTarget())))
    return;
  rewriter.setInsertionPoint(copy);
  Location loc = copy.getLoc();
  SmallVector<OpFoldResult> sizes =
      memref::getMixedSizes(rewriter, loc, copy.getSource());
  // The outer dimensions one by one, and as much of the next as a tile holds.
  int64_t inner = assumedElements(type), last = 0;
  for (;; ++last) {
    int64_t size = ShapedType::isDynamic(type.getDimSize(last)) ? kAssumedSize : type.getDimSize(last);
    inner /= std::max<int64_t>(size, 1);
    if (inner <= kCopyTile || last + 1 == rank)
      break;
  }
  int64_t tile = std::max<int64_t>(1, kCopyTile / std::max<int64_t>(inner, 1));
  SmallVector<OpFoldResult> from(last + 1, rewriter.getIndexAttr(0)), steps(last + 1, rewriter.getIndexAttr(1)),
      to(sizes.begin(), sizes.begin() + last + 1);
  steps.back() = rewriter.getIndexAttr(tile);
  auto forall = scf::ForallOp::create(rewriter, loc, from, to, steps, ValueRange(), std::nullopt);
  rewriter.setInsertionPointToStart(forall.getBody());
  SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0)), strides(rank, rewriter.getIndexAttr(1));
  for (auto [dim, iv] : llvm::enumerate(forall.getInductionVars())) {
    offsets[dim] = iv;
    if (static_cast<int64_t>(dim) < last) {
      sizes[dim] = rewriter.getIndexAttr(1);
      continue;
    }
    AffineExpr d0 = rewriter.getAffineDimExpr(0), d1 = rewriter.getAffineDimExpr(1);
    int64_t size = type.getDimSize(dim);
    if (!ShapedType::isDynamic(size) && size % tile == 0)
      sizes[dim] = rewriter.getIndexAttr(tile);
    else
      sizes[dim] = affine::makeComposedFoldedAffineMin(
          rewriter, loc,
          AffineMap::get(2, 0, {d1 - d0, rewriter.getAffineConstantExpr(tile)}, rewriter.getContext()),
          {OpFoldResult(iv), sizes[dim]});
  }
  Value source = memref::SubViewOp::create(rewriter, loc, copy.getSource(), offsets, sizes, strides);
  Value target = memref::SubViewOp::create(rewriter, loc, copy.getTarget(), offsets, sizes, strides);
  memref::CopyOp::create(rewriter, loc, source, target);
  rewriter.eraseOp(copy);
}

struct MergeBuffers : impl::MergeBuffersPassBase<MergeBuffers> {
  using MergeBuffersPassBase::MergeBuffersPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::DimOp> dims;
    getOperation().walk([&](memref::DimOp op) { dims.push_back(op); });
    for (memref::DimOp op : dims) {
      std::optional<int64_t> dim = op.getConstantIndex();
      auto type = dyn_cast<MemRefType>(op.getSource().getType());
      if (!dim || !type || *dim < 0 || *dim >= type.getRank())
        continue;
      OpFoldResult size = sizeOfBuffer(op.getSource(), *dim);
      rewriter.setInsertionPoint(op);
      if (size)
        rewriter.replaceOp(op, getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), size));
    }

    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) { copies.push_back(op); });
    Merger merger(rewriter);
    for (memref::CopyOp copy : copies) {
      if (merger.erased.contains(copy))
        continue;
      if (copy.getSource() == copy.getTarget())
        rewriter.eraseOp(copy);
      else if (!merger.run(copy) && copy->getParentOp() == getOperation())
        distribute(rewriter, copy);
    }
  }
};

} // namespace
} // namespace onnxc
