// onnxc-parallelize-loops: see Passes.td. Groups with a contraction or rows that fit a cache became
// parallel loops on tensors; what is left here is padding, concatenation, transposition and the like, which
// the memory's speed bounds.
#include "onnxc/Codegen/CPU/LoopFusion.h"
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"

namespace onnxc {
#define GEN_PASS_DEF_PARALLELIZELOOPSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// What an unknown size is taken for.
constexpr int64_t kAssumedSize = 64;
/// Bytes that an operation with known sizes must move to be worth a second thread.
constexpr int64_t kMinBytes = 64 * 1024;
/// Bytes of one iteration: some rows, so that the division of the iteration's number costs nothing.
constexpr int64_t kTileBytes = 8 * 1024;

int64_t assumed(int64_t size) { return ShapedType::isDynamic(size) ? kAssumedSize : std::max<int64_t>(size, 1); }

int64_t elementBytes(linalg::LinalgOp op) {
  int64_t bytes = 0;
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<MemRefType>(operand.getType()))
      bytes += type.getElementType().isIntOrFloat()
                   ? llvm::divideCeil(type.getElementTypeBitWidth(), 8) : 8;
  return bytes;
}

/// Sizes of tiles that are whole in the inner dimensions; all 0: the operation stays as it is.
SmallVector<int64_t> tileSizes(linalg::LinalgOp op) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges(), tiles(sizes.size(), 0);
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  bool isStatic = !llvm::is_contained(sizes, ShapedType::kDynamic);
  int64_t total = elementBytes(op), inside = total;
  for (int64_t size : sizes)
    total *= assumed(size);
  if (isStatic && total < kMinBytes)
    return tiles;
  for (auto [size, iterator] : llvm::zip(sizes, iterators))
    if (iterator == utils::IteratorType::reduction)
      inside *= assumed(size);
  // From the innermost dimension out: whole until a tile is large enough, then one row of each.
  for (int64_t dim = sizes.size() - 1; dim >= 0; --dim) {
    if (iterators[dim] != utils::IteratorType::parallel)
      continue;
    if (inside >= kTileBytes) {
      tiles[dim] = sizes[dim] == 1 ? 0 : 1;
      continue;
    }
    if (inside * assumed(sizes[dim]) > 2 * kTileBytes) {
      // Some of this dimension; whole vectors if it is the innermost.
      int64_t tile = llvm::divideCeil(kTileBytes, inside);
      if (dim + 1 == static_cast<int64_t>(sizes.size()))
        tile = llvm::alignTo(tile, 64);
      if (ShapedType::isDynamic(sizes[dim]) || tile < sizes[dim])
        tiles[dim] = tile;
      inside = kTileBytes;
      continue;
    }
    inside *= assumed(sizes[dim]);
  }
  return tiles;
}

struct ParallelizeLoops : impl::ParallelizeLoopsPassBase<ParallelizeLoops> {
  using ParallelizeLoopsPassBase::ParallelizeLoopsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    // The tiles of a product are SelectTiles' decision. One that is a single tile takes the fill before it and the
    // elementwise work after it into its loops, as they are.
    llvm::SmallPtrSet<Operation *, 16> taken;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!op.hasPureBufferSemantics() || op->getParentOfType<scf::ForallOp>())
        return;
      ops.push_back(op);
      if (!isContraction(op) || !taken.insert(op).second)
        return;
      LoopFusion fusion = findLoopFusion(op, /*vectorDim=*/std::nullopt,
                                         [&](Operation *other) { return taken.contains(other); });
      if (fusion.fill)
        taken.insert(fusion.fill);
      for (Epilogue &epilogue : fusion.epilogues)
        taken.insert(epilogue.op);
    });
    llvm::erase_if(ops, [&](linalg::LinalgOp op) { return taken.contains(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      SmallVector<int64_t> tiles = tileSizes(op);
      if (llvm::all_of(tiles, [](int64_t tile) { return tile == 0; }))
        continue;
      SmallVector<OpFoldResult> sizes;
      for (int64_t tile : tiles)
        sizes.push_back(rewriter.getIndexAttr(tile));
      scf::SCFTilingOptions options;
      options.setTileSizes(sizes).setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
      rewriter.setInsertionPoint(op);
      FailureOr<scf::SCFTilingResult> tiled =
          scf::tileUsingSCF(rewriter, cast<TilingInterface>(op.getOperation()), options);
      if (succeeded(tiled)) // an operation without a tiled form stays whole
        rewriter.eraseOp(op);
    }
  }
};

} // namespace
} // namespace onnxc
