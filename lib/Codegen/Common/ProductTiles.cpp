// Several panels a tile, so that a single row reads several streams from memory; as many rows as
// the cache holds beside a panel's block; a number of tiles that two and four threads share evenly.
#include "onnxc/Codegen/Common/ProductTiles.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr int64_t kMaxPanels = 4, kMaxRows = 252, kMinRows = 14;
/// Fewer products than this in a tile cost more to hand out than they gain.
constexpr int64_t kMinTileWork = 1 << 20;

/// The share of the time that two and four threads are busy with equal tiles.
double balance(int64_t tiles) {
  double worst = 1;
  for (int64_t threads : {2, 4})
    worst = std::min(worst, double(tiles) / (threads * llvm::divideCeil(tiles, threads)));
  return worst;
}

} // namespace

bool isContraction(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0)
    return false;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (op.getMatchingBlockArgument(input).use_empty() || op.isScalar(input))
      continue;
    AffineMap map = op.getMatchingIndexingMap(input);
    for (auto [dim, iterator] : llvm::enumerate(iterators))
      if (iterator == utils::IteratorType::parallel && !map.isFunctionOfDim(dim))
        return true;
  }
  return false;
}

bool choosePanelTiles(linalg::LinalgOp product, ArrayRef<int> ties, ArrayRef<int64_t> sizes,
                      ArrayRef<bool> tileable, SmallVectorImpl<int64_t> &tiles) {
  SmallVector<unsigned> reductions;
  product.getReductionDims(reductions);
  // Panels for dot products have words of a sum beside each column: a second, innermost reduction.
  if (reductions.empty() || reductions.size() > 2)
    return false;
  SmallVector<int64_t> ranges = product.getStaticLoopRanges();
  SmallVector<AffineMap> maps = product.getIndexingMapsArray();
  AffineMap out = maps.back();
  if (!out.isProjectedPermutation() || out.getNumResults() < 2)
    return false;
  unsigned column = out.getDimPosition(out.getNumResults() - 1),
           panel = out.getDimPosition(out.getNumResults() - 2), depth = reductions[0];
  MLIRContext *context = product.getContext();
  SmallVector<AffineExpr> panelExprs{getAffineDimExpr(panel, context),
                                     getAffineDimExpr(depth, context),
                                     getAffineDimExpr(column, context)};
  if (reductions.size() == 2)
    panelExprs.push_back(getAffineDimExpr(reductions[1], context));
  AffineMap panels = AffineMap::get(maps[0].getNumDims(), 0, panelExprs, context);
  if (!llvm::is_contained(ArrayRef(maps).drop_back(), panels) ||
      ShapedType::isDynamic(ranges[depth]) || ShapedType::isDynamic(ranges[panel]) ||
      ShapedType::isDynamic(ranges[column]))
    return false;
  int rootPanel = ties[panel];
  if (rootPanel < 0 || !tileable[rootPanel])
    return false;

  // Rows from the last to the first until the cache is full.
  int64_t room = kMaxRows, rows = 1, rowTiles = 1;
  for (int dim = sizes.size() - 1; dim >= 0; --dim) {
    if (!tileable[dim] || dim == rootPanel || dim == ties[column])
      continue;
    int64_t size = sizes[dim];
    bool dynamic = ShapedType::isDynamic(size);
    int64_t tile = size <= room ? size : llvm::divideCeil(size, llvm::divideCeil(size, room));
    // Where rows are enough, what is unknown (the number of images) may be one.
    if (dynamic)
      tile = rows >= kMinRows ? 1 : room;
    tiles[dim] = std::max<int64_t>(1, tile);
    if (!dynamic)
      rowTiles *= llvm::divideCeil(size, tiles[dim]);
    rows *= tiles[dim];
    room = std::max<int64_t>(1, room / tiles[dim]);
  }

  int64_t count = ranges[panel], best = 1;
  double bestBalance = 0;
  for (int64_t each = std::min(kMaxPanels, count); each >= 1; --each) {
    double value = balance(rowTiles * llvm::divideCeil(count, each));
    if (value > bestBalance + 0.1) {
      best = each;
      bestBalance = value;
    }
  }
  // Small ones take more panels together.
  int64_t work = rows * ranges[depth] * ranges[column];
  while (best < count && work * best < kMinTileWork)
    ++best;
  // Few tiles are shared evenly.
  int64_t panelTiles = llvm::divideCeil(count, best);
  if (rowTiles * panelTiles < 8 && panelTiles > 1 && rowTiles * panelTiles % 2 != 0)
    best = llvm::divideCeil(count, panelTiles + 1);
  tiles[rootPanel] = best;
  return true;
}

} // namespace onnxc
