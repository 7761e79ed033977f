// The emitter behind DotEmitter.h. A register tile is rows of one or several lines of an image times
// vectors of a panel's columns; accumulators are carried through the reduction loops.
#include "onnxc/Codegen/CPU/DotEmitter.h"

#include "DotInstructions.h"
#include "DotNest.h"
#include "DotTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Weights that come from further away than the second-level cache.
constexpr int64_t kStreamedBytes = 256 << 10;
/// Where rows are fewer, a tile has those of several lines.
constexpr int64_t kFewRows = 14;
/// Steps of the innermost sum that are written out instead of looped over.
constexpr int64_t kMaxUnrolledSteps = 4;
/// Accumulators of several streams of a sum together.
constexpr int64_t kMaxStreamedSums = 16;

class Emitter : DotNest {
public:
  Emitter(RewriterBase &b, linalg::LinalgOp op, const PackedDot &dot, const VectorTarget &target,
          const LoopFusion &fusion)
      : DotNest(b, op, dot, target, fusion), instructions(b, loc, target, dot.elementType()) {}

  void run() {
    SmallVector<unsigned> order = orderLoops(kFewRows);
    if (weightBytes >= kStreamedBytes)
      stream = findWeightStream(op, dot.column, /*inside=*/2);
    emitOuter(order);
  }

private:
  // ---- outer loops ----

  /// Columns in groups of vectors: two leave the most rows to each load of weights; few rows
  /// leave registers for more.
  void emitColumns() override {
    int64_t columns = op.getStaticLoopRanges()[dot.column], lanes = target.vectorBits / 32;
    std::optional<int64_t> count = rows ? getConstantIntValue(sizes[*rows]) : std::optional<int64_t>(1);
    if (count && lines)
      *count *= *getConstantIntValue(sizes[*lines]);
    bool wide = target.numRegisters >= 32;
    int64_t limit = wide && count && *count <= 6 ? 4 : 2;
    int64_t whole = columns / (lanes * limit) * (lanes * limit);
    if (whole == columns || whole / (lanes * limit) > 1)
      loop(index(0), index(whole), lanes * limit, [&](Value iv) {
        emitRows(iv, SmallVector<int64_t>(limit, lanes));
      });
    else
      whole = 0;
    SmallVector<int64_t> vectors;
    for (int64_t left = columns - whole; left > 0;) {
      while (lanes > left)
        lanes /= 2;
      vectors.push_back(lanes);
      left -= lanes;
    }
    // Three rather than two and one.
    ArrayRef<int64_t> left(vectors);
    for (int64_t at = whole; !left.empty();) {
      size_t most = wide && left.size() == 3 ? 3 : limit;
      ArrayRef<int64_t> group = left.take_front(most);
      emitRows(index(at), group);
      at += llvm::sum_of(group);
      left = left.drop_front(group.size());
    }
  }

  /// `vectors` has the lanes of each vector of columns.
  void emitRows(Value column, ArrayRef<int64_t> vectors) {
    base[dot.column] = column;
    offsets.clear();
    if (instructions.takesOffsets())
      emitOffsets(vectors);
    if (!rows)
      return emitTile({1, 1}, vectors);
    int64_t limit = instructions.mostRows(vectors.size());
    std::optional<int64_t> size = getConstantIntValue(sizes[*rows]);
    if (!size) {
      // Powers of two below the half: two rows that are left over are one tile, too.
      SmallVector<int64_t> steps{limit};
      if (limit > 2)
        steps.push_back(limit / 2);
      while (steps.back() > 1)
        steps.push_back(llvm::bit_floor(static_cast<uint64_t>(steps.back() - 1)));
      Value done = index(0);
      for (int64_t step : steps) {
        Value to = step == 1 ? sizeOf(*rows) : floorTo(*rows, done, step);
        along(*rows, done, to, step, [&] { emitTile({step, 1}, vectors); });
        done = to;
      }
      return;
    }
    int64_t numLines = lines ? *getConstantIntValue(sizes[*lines]) : 1;
    auto [height, depth] = chooseTile(*size, numLines, limit, vectors.size());
    emitPieces(lines, numLines, depth, [&, height = height](int64_t tileLines) {
      emitPieces(rows, *size, height,
                 [&](int64_t tileRows) { emitTile({tileRows, tileLines}, vectors); });
    });
  }

  /// Rows and lines of a tile: the least time in units of products, of which a step's two are one cycle. A
  /// step takes no less than its loads, and the weights come from the second-level cache.
  static std::pair<int64_t, int64_t> chooseTile(int64_t size, int64_t numLines, int64_t limit,
                                                int64_t count) {
    auto step = [&](int64_t height) -> double {
      return height == 0 ? 0 : std::max<double>(height * count, 5.0 * count) + count;
    };
    std::pair<int64_t, int64_t> best{1, 1};
    double bestCost = std::numeric_limits<double>::max();
    for (int64_t rows = std::min(size, limit); rows >= 1; --rows)
      for (int64_t lines = std::min(numLines, limit / rows); lines >= 1; --lines) {
        int64_t moreRows = size % rows, moreLines = numLines % lines;
        double cost = double(size / rows) * (numLines / lines) * step(rows * lines) +
                      double(numLines / lines) * step(moreRows * lines) +
                      double(size / rows) * step(rows * moreLines) + step(moreRows * moreLines);
        if (cost < bestCost) {
          bestCost = cost;
          best = {rows, lines};
        }
      }
    return best;
  }

  /// See DotInstructions::takesOffsets.
  void emitOffsets(ArrayRef<int64_t> vectors) {
    SmallVector<Value> zeros;
    for (int64_t lanes : vectors)
      zeros.push_back(zero(lanes));
    for (Value sum : emitSums(reductions, zeros, {0, 0}, vectors))
      offsets.push_back(instructions.times128(sum));
  }

  // ---- the register tile ----

  /// Rows of each of so many lines.
  struct Tile {
    int64_t rows, lines;
    int64_t count() const { return rows * lines; }
  };

  void emitTile(Tile tile, ArrayRef<int64_t> vectors) {
    Value out = op.getDpsInits()[0];
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    SmallVector<SmallVector<Value>> places;
    SmallVector<Value> accumulators;
    tileRows = tile.rows;
    for (int64_t row = 0; row < tile.count(); ++row) {
      int64_t at = 0;
      for (auto [i, lanes] : llvm::enumerate(vectors)) {
        VectorType type = instructions.sumType(lanes);
        places.push_back(indices(map, row, at));
        at += lanes;
        Value first = start ? Value(vector::BroadcastOp::create(b, loc, type, start))
                            : Value(vector::LoadOp::create(b, loc, type, out, places.back()));
        accumulators.push_back(offsets.empty() ? first : arith::AddIOp::create(b, loc, first, offsets[i]));
      }
    }
    SmallVector<Value> sums = emitSums(reductions, accumulators, tile, vectors);
    if (fusion.storesResult)
      for (auto [sum, place] : llvm::zip(sums, places))
        vector::StoreOp::create(b, loc, sum, out, place);
    if (fusion.epilogues.empty())
      return;
    // What does not move with the rows (a bias, scales) is loaded once.
    ParameterCache loaded;
    for (int64_t row = 0; row < tile.count(); ++row)
      for (int64_t i = 0, at = 0, e = vectors.size(); i < e; at += vectors[i++])
        finish(sums[row * e + i], row, at, vectors[i], loaded);
  }

  SmallVector<Value> emitSums(ArrayRef<unsigned> dims, ArrayRef<Value> accumulators, Tile tile,
                              ArrayRef<int64_t> vectors) {
    if (dims.empty())
      return emitDots(accumulators, tile, vectors);
    unsigned dim = dims.front();
    std::optional<int64_t> steps = getConstantIntValue(sizes[dim]);
    if (steps && *steps <= kMaxUnrolledSteps && dims.size() == 1) {
      SmallVector<Value> values(accumulators);
      for (int64_t step = 0; step < *steps; ++step) {
        base[dim] = index(step);
        values = emitDots(values, tile, vectors);
      }
      return values;
    }
    // A sum waits for itself: few accumulators get others beside them.
    int64_t streams = 1, count = accumulators.size();
    for (int64_t more : {4, 2})
      if (streams == 1 && steps && dims.size() == 1 && *steps % more == 0 &&
          count * more <= kMaxStreamedSums)
        streams = more;
    SmallVector<Value> starts(accumulators);
    for (int64_t i = count; i < streams * count; ++i)
      starts.push_back(zero(cast<VectorType>(accumulators[i % count].getType()).getNumElements()));
    auto forOp = scf::ForOp::create(b, loc, index(0), sizeOf(dim), index(streams), starts);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    SmallVector<Value> carried(forOp.getRegionIterArgs()), next;
    for (int64_t stream = 0; stream < streams; ++stream) {
      base[dim] = forOp.getInductionVar();
      if (stream > 0)
        base[dim] = arith::AddIOp::create(b, loc, base[dim], index(stream));
      next.append(emitSums(dims.drop_front(), ArrayRef(carried).slice(stream * count, count), tile,
                           vectors));
    }
    scf::YieldOp::create(b, loc, next);
    b.setInsertionPointAfter(forOp);
    SmallVector<Value> results(forOp.getResults().take_front(count));
    for (int64_t i = count; i < streams * count; ++i)
      results[i % count] = add(results[i % count], forOp.getResult(i));
    return results;
  }

  /// One step of each sum; without rows the sums are those of the weights.
  SmallVector<Value> emitDots(ArrayRef<Value> accumulators, Tile tile, ArrayRef<int64_t> vectors) {
    SmallVector<SmallVector<Value>> columns;
    AffineMap x = op.getMatchingIndexingMap(dot.x);
    Type element = dot.elementType();
    int64_t at = 0;
    for (int64_t lanes : vectors) {
      auto type = VectorType::get(lanes * dot.depth, element);
      columns.push_back(instructions.splitWeights(
          vector::LoadOp::create(b, loc, type, weights, weightIndices(at)), lanes));
      at += lanes;
    }
    SmallVector<Value> results(accumulators);
    if (tile.count() == 0) {
      for (auto [sum, column, lanes] : llvm::zip(results, columns, vectors))
        sum = instructions.addWeights(sum, column[0], lanes);
      return results;
    }
    if (stream) {
      SmallVector<unsigned> factor(numLoops, 1);
      factor[*rows] = tile.rows;
      if (lines)
        factor[*lines] = tile.lines;
      emitWeightFetch(b, op, *stream, base, factor);
    }
    SmallVector<SmallVector<Value>> parts;
    auto word = VectorType::get(dot.depth, element);
    for (int64_t row = 0; row < tile.count(); ++row)
      parts.push_back(instructions.splitWord(
          vector::LoadOp::create(b, loc, word, dot.x->get(), indices(x, row, 0))));
    // One part of the weights at a time: all of them would not leave registers for the sums.
    for (size_t part = 0; part < columns[0].size(); ++part)
      for (int64_t row = 0; row < tile.count(); ++row)
        for (auto [i, lanes] : llvm::enumerate(vectors)) {
          Value &sum = results[row * vectors.size() + i];
          sum = instructions.multiplyAdd(sum, parts[row][part], columns[i][part], lanes);
        }
    return results;
  }

  Value zero(int64_t lanes) {
    VectorType type = instructions.sumType(lanes);
    return arith::ConstantOp::create(b, loc, type, b.getZeroAttr(type));
  }

  Value add(Value x, Value y) {
    if (isa<FloatType>(getElementTypeOrSelf(x.getType())))
      return arith::AddFOp::create(b, loc, x, y);
    return arith::AddIOp::create(b, loc, x, y);
  }

  DotInstructions instructions;
  std::optional<WeightStream> stream;
  SmallVector<Value> offsets; // added to the accumulators of each row
};

} // namespace

void emitPackedDot(RewriterBase &rewriter, linalg::LinalgOp op, const VectorTarget &target,
                   const LoopFusion &fusion) {
  std::optional<PackedDot> dot = matchPackedDot(op);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(fusion.place(op));
  auto emitVectors = [&] { Emitter(rewriter, op, *dot, target, fusion).run(); };
  if (!emitDotTiles(rewriter, op, *dot, target, fusion, emitVectors))
    emitVectors();
  fusion.erase(rewriter, op);
}

} // namespace onnxc
