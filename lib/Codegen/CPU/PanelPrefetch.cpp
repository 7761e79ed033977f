// See PanelPrefetch.h.
#include "PanelPrefetch.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr int64_t kLineBytes = 64;
/// How far ahead of a stream from memory to fetch: the processor does so itself only within a page.
constexpr int64_t kAheadBytes = 4096;

/// One product's panels, while a tile passes over them.
class Prefetch {
public:
  Prefetch(OpBuilder &b, linalg::LinalgOp op, const PanelProduct &product, RegisterTile &tile)
      : b(b), loc(op.getLoc()), product(product), tile(tile), panels(op->getOpOperand(product.operand)),
        map(op.getMatchingIndexingMap(&panels)), bytes(tile.elementType(product.operand).getIntOrFloatBitWidth() / 8),
        width(cast<MemRefType>(panels.get().getType()).getShape().back()) {}

  /// A part of the next block, so that it comes from memory while this one is worked on: every tile of rows fetches its
  /// share, into the second-level cache.
  void nextBlock(Value depthFrom) {
    unsigned rows = *product.rows;
    OpFoldResult numRows = tile.sizes[rows];
    int64_t depth = *getConstantIntValue(tile.sizes[product.depth]);
    int64_t block = product.depthBlock ? product.depthBlock : depth;
    // Elements for one row of the product, and for one step along the depth.
    int64_t tall = tile.factor[rows];
    auto share = [&](int64_t elements) {
      AffineExpr size = b.getAffineDimExpr(0);
      AffineExpr each = b.getAffineConstantExpr(elements).ceilDiv(size);
      return getValueOrCreateConstantIndexOp(
          b, loc,
          affine::makeComposedFoldedAffineApply(b, loc, AffineMap::get(1, 0, each), {numRows}));
    };
    Value done = tile.base[product.depth];
    if (depthFrom)
      done = arith::SubIOp::create(b, loc, done, depthFrom);
    Value start = arith::MulIOp::create(b, loc, tile.base[rows], share(block * width));
    Value at = arith::AddIOp::create(b, loc, start,
                                     arith::MulIOp::create(b, loc, done, share(tall * width)));
    Value next = arith::AddIOp::create(b, loc, depthFrom ? depthFrom : index(0), index(block));
    SmallVector<Value> position = positions(2);
    position.append({next, Value()});
    fetch(position, at, /*locality=*/2);
    // Few rows: one line a step is not enough.
    std::optional<int64_t> size = getConstantIntValue(numRows);
    int64_t line = kLineBytes / bytes;
    for (int64_t more = line; size && more < llvm::divideCeilSigned(tall * width, *size); more += line)
      fetch(position, arith::AddIOp::create(b, loc, at, index(more)), /*locality=*/2);
  }

  /// What the same panel has a page further on, or the next panel, which follows it.
  void ahead() {
    SmallVector<Value> position = positions(1);
    position.push_back(Value());
    for (int64_t at = 0; at < width * bytes; at += kLineBytes)
      fetch(position, index((kAheadBytes + at) / bytes), /*locality=*/3);
  }

private:
  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

  /// Where the tile is in the panels, but for their last dimensions.
  SmallVector<Value> positions(unsigned without) {
    SmallVector<Value> result;
    for (AffineExpr expr : map.getResults().drop_back(without))
      result.push_back(tile.base[cast<AffineDimExpr>(expr).getPosition()]);
    return result;
  }

  void fetch(SmallVector<Value> &position, Value last, unsigned locality) {
    position.back() = last;
    memref::PrefetchOp::create(b, loc, panels.get(), position, /*isWrite=*/false, locality,
                               /*isDataCache=*/true);
  }

  OpBuilder &b;
  Location loc;
  const PanelProduct &product;
  RegisterTile &tile;
  OpOperand &panels;
  AffineMap map;
  int64_t bytes, width;
};

} // namespace

void emitPanelPrefetch(OpBuilder &b, linalg::LinalgOp op, const PanelProduct &product,
                       RegisterTile &tile, Value depthFrom) {
  Prefetch prefetch(b, op, product, tile);
  if (product.oneTile)
    prefetch.ahead();
  else
    prefetch.nextBlock(depthFrom);
}

} // namespace onnxc
