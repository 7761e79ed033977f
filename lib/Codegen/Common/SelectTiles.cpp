// onnxc-select-tiles: see Passes.td. Only this file decides what is fused and how large tiles are.
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_SELECTTILESPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// What an unknown size is taken for.
constexpr int64_t kAssumedSize = 128;
/// Scalar operations below which a loop over tiles costs more than it gives.
constexpr int64_t kMinWork = 32 * 1024;
/// A tile of a transposed copy.
constexpr int64_t kTurnedRows = 64, kTurnedColumns = 256;

/// Products in a tile that are worth handing to a thread, and more tiles than any machine needs.
constexpr double kTileWork = 1.5e6;
/// A product of a depthwise convolution takes so many times as long: it has nothing to share with others.
constexpr double kDepthwiseWork = 3;
constexpr int kManyTiles = 16, kFewTiles = 4;
/// Columns are computed in vectors.
constexpr int64_t kLanes = 16;
/// Rows of a convolution's register tile.
constexpr int64_t kRows = 14;

int64_t assumed(int64_t size) { return ShapedType::isDynamic(size) ? kAssumedSize : size; }

/// A group: the root first. For each member, the root's loop that each of its loops follows, or -1.
struct Group {
  SmallVector<linalg::LinalgOp> members;
  linalg::LinalgOp attention; ///< the product with values, where the scores are in the group
  DenseMap<Operation *, SmallVector<int>> ties;
};

class Selector {
public:
  /// Groups get numbers from `nextGroup` on.
  Selector(int64_t cacheBytes, int64_t nextGroup) : cacheBytes(cacheBytes), nextGroup(nextGroup) {}

  void run(Block &block) {
    for (Operation &op : llvm::reverse(block)) {
      for (Region &region : op.getRegions())
        if (!isa<linalg::LinalgOp>(op))
          for (Block &inner : region)
            run(inner);
      auto root = dyn_cast<linalg::LinalgOp>(op);
      if (root && root.hasPureTensorSemantics() && !cg::LoweringConfig(root).group)
        select(root);
    }
  }

private:
  void select(linalg::LinalgOp root) {
    if (root->getNumResults() == 0 || root.getNumParallelLoops() == 0 || isa<linalg::FillOp>(root))
      return;
    Group group = collect(root);
    cg::LoweringConfig config(root);
    if (!config.tileSizes.empty())
      return follow(root, group, config);
    SmallVector<int64_t> tiles;
    // Members that would be computed again for each tile are left out until some loop can be tiled.
    while (tiles = tileSizes(root, group), llvm::all_of(tiles, [](int64_t t) { return t == 0; })) {
      if (group.members.size() == 1)
        return;
      dropOne(group);
    }
    write(root, group, tiles);
  }

  /// The tiles are given: what they would compute again is left out of the group.
  void follow(linalg::LinalgOp root, Group &group, cg::LoweringConfig &config) {
    if (llvm::all_of(config.tileSizes, [](int64_t tile) { return tile == 0; })) {
      config.tileSizes.clear();
      config.setOn(root);
      return;
    }
    auto isRepeated = [&] {
      SmallVector<bool> tileable = tileableLoops(root, group);
      return llvm::any_of(llvm::zip(config.tileSizes, tileable), [](auto loop) {
        auto [tile, isTileable] = loop;
        return tile != 0 && !isTileable;
      });
    };
    while (group.members.size() > 1 && isRepeated())
      dropOne(group);
    write(root, group, config.tileSizes);
  }

  void write(linalg::LinalgOp root, Group &group, ArrayRef<int64_t> tiles) {
    for (linalg::LinalgOp member : group.members) {
      cg::LoweringConfig config(member);
      config.group = nextGroup;
      if (member == root)
        config.tileSizes.assign(tiles.begin(), tiles.end());
      config.setOn(member);
    }
    ++nextGroup;
  }

  /// Drops the member that follows the fewest of the root's loops (the last of them), and what
  /// only it used.
  void dropOne(Group &group) {
    auto followed = [&](linalg::LinalgOp member) {
      return isa<linalg::FillOp>(member) ? std::numeric_limits<int64_t>::max()
                                         : llvm::count_if(group.ties[member], [](int t) { return t >= 0; });
    };
    // Of attention the last ones go first: the others need them less.
    linalg::LinalgOp worst = group.members.back();
    if (!group.attention)
      for (linalg::LinalgOp member : llvm::drop_begin(llvm::reverse(group.members)))
        if (member != group.members.front() && followed(member) < followed(worst))
          worst = member;
    auto drop = [&](linalg::LinalgOp member) {
      group.ties.erase(member);
      if (member == group.attention)
        group.attention = nullptr;
      llvm::erase(group.members, member);
    };
    drop(worst);
    auto isLeft = [&](linalg::LinalgOp member) {
      return member != group.members.front() &&
             llvm::any_of(member->getUsers(), [&](Operation *user) { return !group.ties.count(user); });
    };
    while (auto *member = llvm::find_if(group.members, isLeft)) {
      if (member == group.members.end())
        break;
      drop(*member);
    }
  }

  Group collect(linalg::LinalgOp root) {
    Group group;
    group.members.push_back(root);
    SmallVector<int> identity(root.getNumLoops());
    std::iota(identity.begin(), identity.end(), 0);
    for (unsigned dim = 0; dim < root.getNumLoops(); ++dim)
      if (root.getIteratorTypesArray()[dim] != utils::IteratorType::parallel)
        identity[dim] = -1;
    group.ties[root] = identity;
    for (unsigned next = 0; next < group.members.size() && group.members.size() < 16; ++next) {
      linalg::LinalgOp consumer = group.members[next];
      for (OpOperand &operand : consumer->getOpOperands())
        if (auto producer = operand.get().getDefiningOp<linalg::LinalgOp>())
          if (fits(group, consumer, operand, producer)) {
            SmallVector<int> ties = tie(group, producer);
            if (!packsInTile(consumer, operand) && isColumnParameter(root, producer, ties))
              continue;
            group.members.push_back(producer);
            group.ties[producer] = ties;
          }
    }
    return group;
  }

  bool fits(Group &group, linalg::LinalgOp consumer, OpOperand &operand, linalg::LinalgOp producer) {
    if (group.ties.count(producer) || producer->getBlock() != consumer->getBlock() ||
        producer->getNumResults() != 1 ||
        !producer.hasPureTensorSemantics())
      return false;
    // Of another group already, or its root.
    if (cg::LoweringConfig theirs(producer); theirs.group || !theirs.tileSizes.empty())
      return false;
    bool isInit = consumer.isDpsInit(&operand);
    // Operands of products are packed and read many times over: they stay whole, or are packed for the tile.
    bool attends = !group.attention && takesAttentionRows(consumer, operand);
    if (isContraction(consumer) && !isInit && !attends && !packsInTile(consumer, operand))
      return false;
    // Also where something else in the group reads them (the sums of a product's rows).
    for (OpOperand &use : producer->getUses())
      if (auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
          user && user != consumer && user != group.attention && isContraction(user) &&
          !user.isDpsInit(&use))
        return false;
    // One contraction a group: its register tiles decide the tile. Attention has two.
    if (isContraction(producer) &&
        llvm::count_if(group.members, isContraction) > (group.attention ? 1 : 0))
      return false;
    for (Operation *user : producer->getUsers())
      if (!group.ties.count(user))
        return false;
    if (attends)
      group.attention = consumer;
    return true;
  }

  /// Elementwise work that the root's rows share (a scale computed for each column) is done once:
  /// in the group it would keep the rows from being tiled.
  static bool isColumnParameter(linalg::LinalgOp root, linalg::LinalgOp producer,
                                ArrayRef<int> ties) {
    if (producer.getNumReductionLoops() > 0 || isa<linalg::FillOp>(producer))
      return false;
    SmallVector<int64_t> sizes = root.getStaticLoopRanges();
    for (auto [dim, iterator] : llvm::enumerate(root.getIteratorTypesArray()))
      if (iterator == utils::IteratorType::parallel && sizes[dim] != 1)
        return !llvm::is_contained(ties, static_cast<int>(dim));
    return false;
  }

  /// The root's loop behind each loop of a producer; -1 where users disagree.
  SmallVector<int> tie(Group &group, linalg::LinalgOp producer) {
    SmallVector<int> result;
    AffineMap resultMap = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
    for (OpOperand &use : producer->getResult(0).getUses()) {
      auto consumer = cast<linalg::LinalgOp>(use.getOwner());
      AffineMap map = consumer.getMatchingIndexingMap(&use);
      SmallVector<int> ties(producer.getNumLoops(), -1);
      for (auto [position, expr] : llvm::enumerate(resultMap.getResults())) {
        auto own = dyn_cast<AffineDimExpr>(expr);
        auto theirs = dyn_cast<AffineDimExpr>(map.getResult(position));
        if (own && theirs)
          ties[own.getPosition()] = group.ties[consumer][theirs.getPosition()];
      }
      if (result.empty())
        result = ties;
      for (auto [a, b] : llvm::zip(result, ties))
        if (a != b)
          a = -1;
    }
    return result;
  }

  /// Parallel loops that every member follows: tiles along them compute nothing twice.
  static SmallVector<bool> tileableLoops(linalg::LinalgOp root, Group &group) {
    SmallVector<bool> tileable;
    for (auto [dim, iterator] : llvm::enumerate(root.getIteratorTypesArray())) {
      tileable.push_back(iterator == utils::IteratorType::parallel);
      for (linalg::LinalgOp member : group.members)
        if (!isa<linalg::FillOp>(member) && !llvm::is_contained(group.ties[member], int(dim)))
          tileable[dim] = false;
    }
    return tileable;
  }

  SmallVector<int64_t> tileSizes(linalg::LinalgOp root, Group &group) {
    SmallVector<int64_t> sizes = root.getStaticLoopRanges();
    SmallVector<int64_t> tiles(sizes.size(), 0);
    linalg::LinalgOp contraction;
    int64_t work = 0;
    for (linalg::LinalgOp member : group.members) {
      int64_t memberWork = std::max<size_t>(1, member.getBlock()->getOperations().size() - 1);
      for (int64_t size : member.getStaticLoopRanges())
        memberWork *= std::max<int64_t>(assumed(size), 1);
      work += memberWork;
      if (isContraction(member))
        contraction = member;
    }
    if (work < kMinWork)
      return tiles;
    SmallVector<bool> tileable = tileableLoops(root, group);
    if (group.attention)
      chooseAttentionTiles(group.attention, group.ties[group.attention], sizes, tileable, tiles);
    else if (contraction)
      tileContraction(root, group, contraction, sizes, tileable, tiles);
    else
      tileRows(root, group, sizes, tileable, tiles);
    return tiles;
  }

  /// The largest divisor of size that is at most target, or target where all are small.
  static int64_t evenTile(int64_t size, int64_t target, int64_t multiple = 1) {
    if (ShapedType::isDynamic(size))
      return target;
    if (size <= target)
      return size;
    for (int64_t tile = target; tile * 2 > target; --tile)
      if (size % tile == 0 && tile % multiple == 0)
        return tile;
    int64_t count = llvm::divideCeil(size, target);
    return llvm::alignTo(llvm::divideCeil(size, count), multiple);
  }

  /// The root's loop behind the last dimension of a product's result, or -1.
  static int columnOf(linalg::LinalgOp product, ArrayRef<int> ties) {
    AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
    auto column = out.getNumResults() ? dyn_cast<AffineDimExpr>(out.getResults().back())
                                      : AffineDimExpr(nullptr);
    return column ? ties[column.getPosition()] : -1;
  }

  /// Blocks of a product: as wide as vectors like, as tall as the accumulators and the cache do.
  void tileContraction(linalg::LinalgOp root, Group &group, linalg::LinalgOp contraction,
                       ArrayRef<int64_t> sizes, ArrayRef<bool> tileable, SmallVector<int64_t> &tiles) {
    if (choosePanelTiles(contraction, group.ties[contraction], sizes, tileable, tiles))
      return;
    SmallVector<int> &ties = group.ties[contraction];
    int64_t depth = 1;
    SmallVector<int64_t> ranges = contraction.getStaticLoopRanges();
    SmallVector<utils::IteratorType> iterators = contraction.getIteratorTypesArray();
    for (auto [size, iterator] : llvm::zip(ranges, iterators))
      if (iterator == utils::IteratorType::reduction)
        depth *= std::max<int64_t>(assumed(size), 1);
    // Loops of the result that only the operand with the last loop follows are columns, those
    // that it does not follow are rows, the others batches.
    auto rootMap = [&](OpOperand *operand) {
      AffineMap map = contraction.getMatchingIndexingMap(operand);
      llvm::SmallDenseSet<int> dims;
      for (unsigned dim = 0; dim < ties.size(); ++dim)
        if (ties[dim] >= 0 && map.isFunctionOfDim(dim))
          dims.insert(ties[dim]);
      return dims;
    };
    // The product's columns, also where the root turns them away from the end of its own loops.
    int last = columnOf(contraction, ties);
    if (last < 0 || !tileable[last]) {
      last = -1;
      for (unsigned dim = 0; dim < tileable.size(); ++dim)
        if (tileable[dim])
          last = dim;
    }
    if (last < 0)
      return;
    if (chooseGroupTiles(contraction, ties, sizes, tileable, last, tiles))
      return;
    if (tileImage(contraction, ties, sizes, tileable, last, tiles))
      return;
    llvm::SmallDenseSet<int> wide, tall;
    for (OpOperand *input : contraction.getDpsInputOperands()) {
      auto dims = rootMap(input);
      (dims.count(last) ? wide : tall).insert(dims.begin(), dims.end());
    }
    // The columns' operand of one tile stays in the second-level cache.
    int64_t columns = 256, rows = 96;
    while (columns > 64 && columns * depth * 4 > cacheBytes)
      columns /= 2;
    for (int dim = sizes.size() - 1; dim >= 0; --dim) {
      if (!tileable[dim])
        continue;
      bool isWide = wide.count(dim), isTall = tall.count(dim);
      if (isWide && isTall) {
        tiles[dim] = 1;
        continue;
      }
      int64_t &room = isWide ? columns : rows;
      bool vectors = dim == last && sizes[dim] > 64;
      tiles[dim] = evenTile(sizes[dim], std::max<int64_t>(1, room), vectors ? 16 : 1);
      room /= std::max<int64_t>(1, tiles[dim]);
    }
    shareRows(contraction, sizes, tileable, tall, wide, tiles);
  }

  /// Few tiles of much work become several with fewer rows.
  static void shareRows(linalg::LinalgOp contraction, ArrayRef<int64_t> sizes, ArrayRef<bool> tileable,
                        const llvm::SmallDenseSet<int> &tall, const llvm::SmallDenseSet<int> &wide,
                        SmallVector<int64_t> &tiles) {
    double work = 1, count = 1;
    AffineMap out = contraction.getMatchingIndexingMap(contraction.getDpsInitOperand(0));
    for (auto [dim, size] : llvm::enumerate(contraction.getStaticLoopRanges())) {
      bool isColumn = out.getResults().back().isFunctionOfDim(dim);
      work *= isColumn && !ShapedType::isDynamic(size) ? llvm::alignTo(size, kLanes) : assumed(size);
    }
    int rows = -1;
    for (int dim = 0, e = sizes.size(); dim < e; ++dim) {
      if (tiles[dim] != 0)
        count *= llvm::divideCeil(assumed(sizes[dim]), tiles[dim]);
      if (tileable[dim] && tall.count(dim) && !wide.count(dim) && (rows < 0 || tiles[dim] > tiles[rows]))
        rows = dim;
    }
    if (rows < 0 || ShapedType::isDynamic(sizes[rows]) || tiles[rows] == 0)
      return;
    int64_t wanted = std::min(work / kTileWork, double(kFewTiles)) / count;
    if (wanted > 1)
      tiles[rows] = llvm::divideCeil(tiles[rows], wanted);
  }

  /// Bytes of what an operand's loops span.
  static double bytesOf(linalg::LinalgOp op, OpOperand *operand) {
    auto type = cast<RankedTensorType>(operand->get().getType());
    double bytes = std::max(1u, type.getElementTypeBitWidth() / 8);
    for (int64_t size : type.getShape())
      bytes *= assumed(size);
    return bytes;
  }

  /// Convolutions: rows of an image against panels of filters. Whole rows, so many of them and so many
  /// panels to a tile that both stay in the second-level cache and as little as possible is
  /// read into it again. False: not of this kind.
  bool tileImage(linalg::LinalgOp contraction, ArrayRef<int> ties, ArrayRef<int64_t> sizes,
                 ArrayRef<bool> tileable, int last, SmallVector<int64_t> &tiles) {
    if (contraction.getNumDpsInputs() != 2)
      return false;
    OpOperand *image = contraction.getDpsInputOperand(0), *filters = contraction.getDpsInputOperand(1);
    auto follows = [&](OpOperand *operand, int rootDim) {
      AffineMap map = contraction.getMatchingIndexingMap(operand);
      for (auto [dim, tie] : llvm::enumerate(ties))
        if (tie == rootDim && map.isFunctionOfDim(dim))
          return true;
      return false;
    };
    auto countLines = [&](OpOperand *operand, OpOperand *other) {
      int count = 0;
      for (int dim = 0, e = sizes.size(); dim < e; ++dim)
        count += sizes[dim] != 1 && follows(operand, dim) && !follows(other, dim);
      return count;
    };
    if (!follows(filters, last) ||
        (follows(image, last) && countLines(filters, image) > countLines(image, filters)))
      std::swap(image, filters);
    // Filters of one channel each: both follow the channels.
    bool depthwise = follows(image, last) && follows(filters, last);
    SmallVector<int> lines; // loops of the result that only the image follows, images first
    int panel = -1;
    for (int dim = 0, e = sizes.size(); dim < e; ++dim) {
      bool withImage = follows(image, dim), withFilters = follows(filters, dim);
      if (withImage && !withFilters && sizes[dim] != 1)
        lines.push_back(dim);
      if (withFilters && !withImage && dim != last && tileable[dim])
        panel = dim;
    }
    if (lines.size() < (depthwise ? 1 : 2) || !tileable[lines.front()])
      return false;
    double imageBytes = bytesOf(contraction, image), filterBytes = bytesOf(contraction, filters);
    // One of several images at a time; where their number is unknown it may be one.
    double images = 1;
    while (tileable[lines.back()] &&
           (lines.size() > 2 ||
            (lines.size() > 1 && ShapedType::isDynamic(sizes[lines.front()]))) &&
           tileable[lines[1]]) {
      tiles[lines.front()] = 1;
      if (ShapedType::isDynamic(sizes[lines.front()]))
        imageBytes /= kAssumedSize;
      else
        images *= sizes[lines.front()];
      lines.erase(lines.begin());
    }
    bool rowsOnly = lines.size() == 1 && !depthwise;
    int line = lines.front();
    if (depthwise)
      panel = -1;
    int64_t numLines = assumed(sizes[line]), numPanels = panel < 0 ? 1 : assumed(sizes[panel]);
    double work = depthwise ? kDepthwiseWork : 1;
    for (int64_t size : contraction.getStaticLoopRanges())
      work *= assumed(size);
    double wanted = std::clamp(work / kTileWork, 1.0, double(kManyTiles));
    double best = std::numeric_limits<double>::max();
    for (int64_t lineTiles = 1; lineTiles <= numLines; ++lineTiles) {
      int64_t height = llvm::divideCeil(numLines, lineTiles);
      // The rows of a register tile are along this loop: fewer would wait for their sums.
      if (rowsOnly && height < std::min(numLines, kRows))
        break;
      if (rowsOnly && height > 2 * kRows)
        height = llvm::alignTo(height, kRows);
      if (height > 1 && static_cast<int64_t>(llvm::divideCeil(numLines, height)) != lineTiles)
        continue;
      for (int64_t panelTiles = 1; panelTiles <= numPanels; ++panelTiles) {
        int64_t width = llvm::divideCeil(numPanels, panelTiles);
        if (static_cast<int64_t>(llvm::divideCeil(numPanels, width)) != panelTiles)
          continue;
        double tileImage = imageBytes / images * height / numLines;
        double tileFilters = filterBytes * width / numPanels;
        double read = images * (lineTiles * filterBytes + panelTiles * imageBytes / images);
        // What does not fit is read again for each of the tile's own loops.
        if (tileImage > cacheBytes)
          read += images * lineTiles * panelTiles * width * tileImage;
        double count = images * lineTiles * panelTiles;
        double cost = read * (1 + 4 * std::max(0.0, wanted / count - 1));
        // Uneven tiles leave threads waiting.
        cost *= double(height) * lineTiles / numLines * (double(width) * panelTiles / numPanels);
        if (tileFilters > cacheBytes && width > 1)
          cost *= 2;
        if (cost < best) {
          best = cost;
          tiles[line] = lineTiles == 1 ? 0 : height;
          if (panel >= 0)
            tiles[panel] = panelTiles == 1 ? 0 : width;
        }
      }
    }
    // A loop is needed even around a single tile: what is fused stays in it.
    if (llvm::all_of(tiles, [](int64_t tile) { return tile == 0; }))
      tiles[line] = numLines;
    return true;
  }

  /// Elementwise work and reductions along rows: as many rows as fit into half the first-level cache.
  void tileRows(linalg::LinalgOp root, Group &group, ArrayRef<int64_t> sizes,
                ArrayRef<bool> tileable, SmallVector<int64_t> &tiles) {
    // Elements; what goes from one member to the next stays in the first-level cache.
    bool passesOn = llvm::count_if(group.members, [](linalg::LinalgOp member) {
                      return !isa<linalg::FillOp>(member);
                    }) > 1;
    int64_t budget = (passesOn ? 4 : 16) * 1024, inside = 1;
    for (unsigned dim = 0; dim < sizes.size(); ++dim)
      if (!tileable[dim])
        inside *= std::max<int64_t>(1, assumed(sizes[dim]));
    for (linalg::LinalgOp member : group.members)
      for (auto [size, tie] : llvm::zip(member.getStaticLoopRanges(), group.ties[member]))
        if (tie < 0 && member != root)
          inside = std::max(inside, assumed(size));
    // Innermost first. Rows of a transposed operand and of the result cross: a tile has a
    // part of both.
    SmallVector<int64_t> most(sizes.size(), std::numeric_limits<int64_t>::max());
    SmallVector<int> order;
    int last = sizes.size() - 1, turned = turnedLoop(root);
    if (turned >= 0 && tileable[turned] && tileable[last]) {
      order = {last, turned};
      most[last] = kTurnedColumns;
      most[turned] = kTurnedRows;
    }
    for (int dim = last; dim >= 0; --dim)
      if (!llvm::is_contained(order, dim))
        order.push_back(dim);
    for (int dim : order) {
      if (!tileable[dim])
        continue;
      int64_t room = std::min(most[dim], std::max<int64_t>(1, budget / inside));
      if (!ShapedType::isDynamic(sizes[dim]) && sizes[dim] <= room) {
        inside *= std::max<int64_t>(1, sizes[dim]);
        // Whole: a tile size is given only where something is left to split.
        tiles[dim] = 0;
        continue;
      }
      tiles[dim] = evenTile(sizes[dim], room, room == most[dim] ? 16 : 1);
      inside *= tiles[dim];
    }
  }

  /// The loop along which an input is contiguous, while the result is along the last one; -1: none.
  static int turnedLoop(linalg::LinalgOp root) {
    int last = root.getNumLoops() - 1;
    auto lastLoop = [&](OpOperand *operand) {
      AffineMap map = root.getMatchingIndexingMap(operand);
      auto dim = map.getNumResults() ? dyn_cast<AffineDimExpr>(map.getResults().back())
                                     : AffineDimExpr(nullptr);
      return dim ? int(dim.getPosition()) : -1;
    };
    if (root.getNumReductionLoops() > 0 || lastLoop(root.getDpsInitOperand(0)) != last)
      return -1;
    for (OpOperand *input : root.getDpsInputOperands())
      if (int dim = lastLoop(input); dim >= 0 && dim != last &&
                                     root.getMatchingIndexingMap(input).isFunctionOfDim(last))
        return dim;
    return -1;
  }

  int64_t cacheBytes;
  int64_t nextGroup;
};

struct SelectTiles : impl::SelectTilesPassBase<SelectTiles> {
  using SelectTilesPassBase::SelectTilesPassBase;

  void runOnOperation() override {
    // A filled tensor for each user, so that each can be filled tile by tile.
    SmallVector<linalg::FillOp> fills;
    getOperation().walk([&](linalg::FillOp fill) {
      if (fill.hasPureTensorSemantics() && !fill->use_empty() && !fill->hasOneUse())
        fills.push_back(fill);
    });
    for (linalg::FillOp fill : fills)
      for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(fill->getUses())))
        if (isa<linalg::LinalgOp>(use.getOwner()))
          use.set(OpBuilder(fill).clone(*fill)->getResult(0));

    // Groups that are given must have a root.
    std::map<int64_t, linalg::LinalgOp> given;
    llvm::SmallDenseSet<int64_t> rooted;
    int64_t nextGroup = 0;
    getOperation().walk([&](linalg::LinalgOp op) {
      cg::LoweringConfig config(op);
      if (!config.group)
        return;
      given[*config.group] = op;
      nextGroup = std::max(nextGroup, *config.group + 1);
      if (!config.tileSizes.empty())
        rooted.insert(*config.group);
    });
    for (auto [number, op] : given)
      if (!rooted.count(number)) {
        op.emitError("is in group ") << number << ", in which nothing has tile_sizes";
        return signalPassFailure();
      }

    Selector selector(cacheBytes, nextGroup);
    for (Block &block : getOperation().getBody())
      selector.run(block);
  }
};

} // namespace
} // namespace onnxc
