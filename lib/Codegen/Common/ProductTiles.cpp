// Several panels a tile, so that a single row reads several streams from memory; as many rows as
// the cache holds beside a panel's block; a number of tiles that two and four threads share evenly.
#include "onnxc/Codegen/Common/ProductTiles.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr int64_t kMaxPanels = 4, kMaxRows = 252, kMinRows = 14;
/// Rows of a tile where their number is unknown and the weights are no larger than this: they come from the cache for
/// the next tile too, and few rows are shared by the threads as well.
constexpr int64_t kUnknownRows = 84, kCachedWeights = 1 << 20;
/// Rows of a tile that makes its panel itself.
constexpr int64_t kMaxPackedRows = 640;
/// Fewer products than this in a tile cost more to hand out than they gain; fewer rows take as long, waiting for weights.
constexpr int64_t kMinTileWork = 1 << 20, kWaitingRows = 8;
/// From so many on a tile needs no further panels: the finer the tiles, the less a thread waits for another at the end.
constexpr int64_t kTileWork = 4 << 20;
/// Groups of channels that are enough for any machine's threads.
constexpr int64_t kMinGroups = 16;

/// The share of the time that two and four threads are busy, where each takes the next of the tiles as soon as it
/// is done with one: of each block of rows `count` panels, `each` a tile.
double balance(int64_t rowTiles, int64_t count, int64_t each) {
  double worst = 1;
  // More blocks than this change nothing.
  rowTiles = std::min<int64_t>(rowTiles, 64);
  for (int64_t threads : {2, 4}) {
    SmallVector<int64_t> done(threads, 0);
    for (int64_t row = 0; row < rowTiles; ++row)
      for (int64_t panel = 0; panel < count; panel += each)
        *llvm::min_element(done) += std::min(each, count - panel);
    worst = std::min(worst, double(rowTiles * count) / (threads * *llvm::max_element(done)));
  }
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

/// Dimensions behind a panel's columns: the words of a sum that panels for dot products have beside each.
static unsigned wordDims(linalg::LinalgOp product) { return product.getNumReductionLoops() - 1; }

bool isPanels(linalg::LinalgOp product, OpOperand &operand) {
  SmallVector<unsigned> reductions;
  product.getReductionDims(reductions);
  if (reductions.empty() || reductions.size() > 2 || product.isDpsInit(&operand))
    return false;
  AffineMap map = product.getMatchingIndexingMap(&operand);
  AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  if (!map.isProjectedPermutation() || !out.isProjectedPermutation() ||
      map.getNumResults() < 3 + wordDims(product) || out.getNumResults() < 2)
    return false;
  unsigned last = map.getNumResults() - wordDims(product), outLast = out.getNumResults();
  if (reductions.size() == 2 && map.getDimPosition(last) != reductions[1])
    return false;
  return map.getResult(last - 1) == out.getResult(outLast - 1) &&
         map.getDimPosition(last - 2) == reductions[0] &&
         map.getResult(last - 3) == out.getResult(outLast - 2);
}

bool packsInTile(linalg::LinalgOp product, OpOperand &operand) {
  auto producer = operand.get().getDefiningOp<linalg::LinalgOp>();
  if (!producer || producer.getNumReductionLoops() > 0 || !producer->hasOneUse() ||
      !isPanels(product, operand))
    return false;
  AffineMap map = product.getMatchingIndexingMap(&operand);
  int64_t rows = 1;
  SmallVector<int64_t> sizes = product.getStaticLoopRanges();
  for (auto [dim, iterator] : llvm::enumerate(product.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::parallel && !map.isFunctionOfDim(dim))
      rows *= ShapedType::isDynamic(sizes[dim]) ? 1 : sizes[dim];
  return rows <= kMaxPackedRows;
}

bool choosePanelTiles(linalg::LinalgOp product, ArrayRef<int> ties, ArrayRef<int64_t> sizes,
                      ArrayRef<bool> tileable, SmallVectorImpl<int64_t> &tiles) {
  OpOperand *right = nullptr;
  for (OpOperand *input : product.getDpsInputOperands())
    if (isPanels(product, *input))
      right = input;
  if (!right)
    return false;
  SmallVector<int64_t> ranges = product.getStaticLoopRanges();
  AffineMap map = product.getMatchingIndexingMap(right);
  unsigned last = map.getNumResults() - wordDims(product), column = map.getDimPosition(last - 1),
           depth = map.getDimPosition(last - 2), panel = map.getDimPosition(last - 3);
  if (ShapedType::isDynamic(ranges[depth]) || ShapedType::isDynamic(ranges[panel]) ||
      ShapedType::isDynamic(ranges[column]))
    return false;
  int rootPanel = ties[panel];
  if (rootPanel < 0 || !tileable[rootPanel])
    return false;
  // One product of several at a time.
  int64_t outer = 1;
  for (AffineExpr expr : map.getResults().drop_back(3 + wordDims(product)))
    if (int root = ties[cast<AffineDimExpr>(expr).getPosition()]; root >= 0 && tileable[root]) {
      tiles[root] = 1;
      outer *= std::max<int64_t>(1, ShapedType::isDynamic(sizes[root]) ? 1 : sizes[root]);
    }

  // Rows from the last to the first until the cache is full.
  int64_t weights = ranges[panel] * ranges[depth] * ranges[column] *
                    std::max(1u, cast<ShapedType>(right->get().getType()).getElementTypeBitWidth() / 8);
  int64_t unknownRows = weights <= kCachedWeights ? kUnknownRows : kMaxRows;
  int64_t room = kMaxRows, rows = 1, rowTiles = outer;
  for (int dim = sizes.size() - 1; dim >= 0; --dim) {
    if (!tileable[dim] || dim == rootPanel || dim == ties[column] || tiles[dim] == 1)
      continue;
    int64_t size = sizes[dim];
    bool dynamic = ShapedType::isDynamic(size);
    int64_t tile = size <= room ? size : llvm::divideCeil(size, llvm::divideCeil(size, room));
    // Where rows are enough, what is unknown (the number of images) may be one.
    if (dynamic)
      tile = rows >= kMinRows ? 1 : std::min<int64_t>(room, llvm::divideCeil(unknownRows, rows));
    tiles[dim] = std::max<int64_t>(1, tile);
    if (!dynamic)
      rowTiles *= llvm::divideCeil(size, tiles[dim]);
    rows *= tiles[dim];
    room = std::max<int64_t>(1, room / tiles[dim]);
  }

  // What the tile makes itself should stay in the cache: one panel.
  bool packs = packsInTile(product, *right);
  int64_t count = ranges[panel], best = 1;
  int64_t most = packs ? 1 : std::min(kMaxPanels, count);
  // Few rows (what is unknown may be one) read several panels side by side.
  bool unknown = llvm::any_of(llvm::seq<size_t>(0, sizes.size()), [&](size_t dim) {
    return tileable[dim] && ShapedType::isDynamic(sizes[dim]);
  });
  if (rows >= kMinRows && !unknown)
    most = std::clamp<int64_t>(kTileWork / (rows * ranges[depth] * ranges[column]), 1, most);
  double bestBalance = 0;
  for (int64_t each = most; each >= 1; --each) {
    double value = balance(rowTiles, count, each);
    if (value > bestBalance + 0.1) {
      best = each;
      bestBalance = value;
    }
  }
  // Small ones take more panels together.
  for (unsigned dim = 0; packs && dim < ranges.size(); ++dim)
    if (!map.isFunctionOfDim(dim) && !ShapedType::isDynamic(ranges[dim]))
      rows *= ranges[dim];
  int64_t work = std::max(rows, kWaitingRows) * ranges[depth] * ranges[column];
  while (best < count && work * best < kMinTileWork)
    ++best;
  // Few tiles are shared evenly.
  int64_t panelTiles = llvm::divideCeil(count, best);
  if (rowTiles * panelTiles < 8 && panelTiles > 1 && rowTiles * panelTiles % 2 != 0)
    best = llvm::divideCeil(count, panelTiles + 1);
  tiles[rootPanel] = best;
  return true;
}

bool chooseGroupTiles(linalg::LinalgOp contraction, ArrayRef<int> ties, ArrayRef<int64_t> sizes,
                      ArrayRef<bool> tileable, int last, SmallVectorImpl<int64_t> &tiles) {
  if (contraction.getNumDpsInputs() != 2)
    return false;
  AffineMap first = contraction.getMatchingIndexingMap(contraction.getDpsInputOperand(0)),
            second = contraction.getMatchingIndexingMap(contraction.getDpsInputOperand(1));
  AffineMap image = first.isProjectedPermutation() ? second : first,
            filters = first.isProjectedPermutation() ? first : second;
  if (image.isProjectedPermutation() || !filters.isProjectedPermutation())
    return false;
  int64_t groups = 1;
  SmallVector<int> outer;
  for (auto [dim, tie] : llvm::enumerate(ties)) {
    if (tie == last && (filters.isFunctionOfDim(dim) || !image.isFunctionOfDim(dim)))
      return false;
    if (tie < 0 || !image.isFunctionOfDim(dim))
      continue;
    bool isWindow = llvm::none_of(image.getResults(), [&](AffineExpr expr) {
      return expr == getAffineDimExpr(dim, expr.getContext());
    });
    if (isWindow || !tileable[tie] || tie == last)
      continue;
    outer.push_back(tie);
    if (filters.isFunctionOfDim(dim))
      groups *= ShapedType::isDynamic(sizes[tie]) ? kMinGroups : sizes[tie];
  }
  if (groups < kMinGroups)
    return false;
  for (int dim : outer)
    tiles[dim] = 1;
  return true;
}

} // namespace onnxc
