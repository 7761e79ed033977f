// onnxc-distribute-loops: see Passes.td.
#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace onnxc {
#define GEN_PASS_DEF_DISTRIBUTELOOPSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Iterations below which one thread does it all, and those of one part.
constexpr int64_t kMinIterations = 32 * 1024, kPart = 8 * 1024;
/// Parts of the innermost loop begin at a cache line.
constexpr int64_t kLine = 64;

struct DistributeLoops : impl::DistributeLoopsPassBase<DistributeLoops> {
  using DistributeLoopsPassBase::DistributeLoopsPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<scf::ForallOp>(op))
        return WalkResult::skip();
      if (auto copy = dyn_cast<memref::CopyOp>(op))
        copies.push_back(copy);
      else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
        ops.push_back(linalgOp);
      return WalkResult::advance();
    });
    for (memref::CopyOp copy : copies) {
      Value from = withoutCasts(copy.getSource()), to = withoutCasts(copy.getTarget());
      auto type = cast<MemRefType>(to.getType());
      if (!type.hasStaticShape() || type.getNumElements() < kMinIterations || from == to)
        continue;
      rewriter.setInsertionPoint(copy);
      ops.push_back(linalg::makeMemRefCopyOp(rewriter, copy.getLoc(), from, to));
      rewriter.eraseOp(copy);
    }
    for (linalg::LinalgOp op : ops)
      if (op.hasPureBufferSemantics() && op.getNumReductionLoops() == 0 && !startsReduction(op))
        distribute(rewriter, op);
  }

  /// A fill that the loop nest of a reduction takes in.
  static bool startsReduction(linalg::LinalgOp op) {
    auto fill = dyn_cast<linalg::FillOp>(op.getOperation());
    return fill && llvm::any_of(fill.getOutputs()[0].getUsers(), [](Operation *user) {
             auto reduction = dyn_cast<linalg::LinalgOp>(user);
             return reduction && reduction.getNumReductionLoops() > 0;
           });
  }

  /// Splits the outermost parallel loops until there are enough parts.
  SmallVector<int64_t> chooseTiles(linalg::LinalgOp op) {
    SmallVector<int64_t> ranges = op.getStaticLoopRanges(), tiles(ranges.size(), 0);
    int64_t total = 1;
    for (int64_t range : ranges) {
      if (ShapedType::isDynamic(range))
        return {};
      total *= range;
    }
    if (total < kMinIterations)
      return {};
    int64_t inside = total;
    bool split = false;
    for (auto [dim, range] : llvm::enumerate(ranges)) {
      if (op.getIteratorTypesArray()[dim] != utils::IteratorType::parallel || range < 2)
        continue;
      inside /= range; // iterations in one of this loop
      int64_t tile = std::max<int64_t>(1, kPart / std::max<int64_t>(inside, 1));
      if (dim + 1 == ranges.size())
        tile = llvm::alignTo(tile, kLine);
      if (tile >= range)
        break;
      tiles[dim] = tile;
      split = true;
      if (tile > 1)
        break;
    }
    return split ? tiles : SmallVector<int64_t>();
  }

  void distribute(IRRewriter &b, linalg::LinalgOp op) {
    SmallVector<int64_t> tiles = chooseTiles(op);
    if (tiles.empty())
      return;
    Location loc = op.getLoc();
    b.setInsertionPoint(op);
    SmallVector<OpFoldResult> lower, upper, steps, sizes, bounds;
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    for (auto [range, tile] : llvm::zip(ranges, tiles)) {
      bounds.push_back(b.getIndexAttr(range));
      sizes.push_back(b.getIndexAttr(tile));
      if (tile == 0)
        continue;
      lower.push_back(b.getIndexAttr(0));
      upper.push_back(b.getIndexAttr(range));
      steps.push_back(b.getIndexAttr(tile));
    }
    auto forall = scf::ForallOp::create(b, loc, lower, upper, steps, ValueRange(), std::nullopt);
    b.setInsertionPointToStart(forall.getBody());
    SmallVector<OpFoldResult> at, offsets;
    unsigned next = 0;
    for (int64_t tile : tiles) {
      offsets.push_back(tile ? OpFoldResult(forall.getInductionVars()[next]) : b.getIndexAttr(0));
      if (tile)
        at.push_back(forall.getInductionVars()[next++]);
    }
    SmallVector<Value> operands = linalg::makeTiledShapes(b, loc, op, op->getOperands(), at, sizes,
                                                          bounds, /*omitPartialTileCheck=*/false);
    auto part = cast<linalg::LinalgOp>(mlir::clone(b, op, TypeRange(), operands));
    linalg::offsetIndices(b, part, offsets);
    b.eraseOp(op);
  }
};

} // namespace
} // namespace onnxc
