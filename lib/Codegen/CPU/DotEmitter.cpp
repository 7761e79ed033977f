// The emitter behind DotEmitter.h. A register tile is rows of one or several lines of an image times
// vectors of a panel's columns; accumulators are carried through the reduction loops.
#include "onnxc/Codegen/CPU/DotEmitter.h"

#include "DotInstructions.h"
#include "VectorClone.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Weights that stay in the first-level cache beside the rest, and those that come from further away
/// than the second-level one.
constexpr int64_t kCachedBytes = 24 << 10, kStreamedBytes = 256 << 10;
/// Where rows are fewer, a tile has those of several lines.
constexpr int64_t kFewRows = 14;
/// Steps of the innermost sum that are written out instead of looped over.
constexpr int64_t kMaxUnrolledSteps = 4;
/// Accumulators of several streams of a sum together.
constexpr int64_t kMaxStreamedSums = 16;

/// The operands of a packed product and its special loops.
struct PackedDot {
  OpOperand *x = nullptr, *weights = nullptr;
  unsigned column, inner; // loops of the weights' last two dimensions
  int64_t depth;          // of the innermost one
};

/// The input behind an extended factor of the product.
OpOperand *extendedInput(linalg::LinalgOp op, Operation *ext) {
  auto arg = ext ? dyn_cast<BlockArgument>(ext->getOperand(0)) : BlockArgument();
  if (!arg || arg.getOwner() != op.getBlock() || arg.getArgNumber() > 1)
    return nullptr;
  return op.getDpsInputOperand(arg.getArgNumber());
}

/// Sums of unsigned bytes times signed ones, the weights.
bool matchBytes(linalg::LinalgOp op, Operation *a, Operation *b, PackedDot &dot) {
  for (Operation *ext : {a, b}) {
    if (!isa_and_nonnull<arith::ExtUIOp, arith::ExtSIOp>(ext) ||
        !ext->getOperand(0).getType().isInteger(8))
      return false;
    (isa<arith::ExtUIOp>(ext) ? dot.x : dot.weights) = extendedInput(op, ext);
  }
  return dot.x && dot.weights;
}

/// The loops of panels with a word of neighbours in x for each column.
bool matchLoops(linalg::LinalgOp op, PackedDot &dot) {
  auto wType = dyn_cast<MemRefType>(dot.weights->get().getType());
  auto xType = dyn_cast<MemRefType>(dot.x->get().getType());
  auto outType = cast<MemRefType>(op.getDpsInits()[0].getType());
  AffineMap w = op.getMatchingIndexingMap(dot.weights), x = op.getMatchingIndexingMap(dot.x);
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!wType || !xType || !w.isProjectedPermutation() || w.getNumResults() < 2)
    return false;
  unsigned rank = w.getNumResults();
  dot.inner = w.getDimPosition(rank - 1);
  dot.column = w.getDimPosition(rank - 2);
  SmallVector<int64_t> ranges = op.getStaticLoopRanges(), strides;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  int64_t offset;
  return ranges[dot.inner] == dot.depth && !ShapedType::isDynamic(ranges[dot.column]) &&
         iterators[dot.inner] == utils::IteratorType::reduction &&
         iterators[dot.column] == utils::IteratorType::parallel &&
         succeeded(wType.getStridesAndOffset(strides, offset)) && strides[rank - 1] == 1 &&
         strides[rank - 2] == dot.depth &&
         classifyAccess(x, xType, dot.inner) == Access::Contiguous &&
         !x.isFunctionOfDim(dot.column) &&
         classifyAccess(out, outType, dot.column) == Access::Contiguous;
}

std::optional<PackedDot> matchPackedDot(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getBlock()->getOperations().size() != 5)
    return std::nullopt;
  Operation *add = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  auto outType = dyn_cast<MemRefType>(op.getDpsInits()[0].getType());
  bool bytes = isa_and_nonnull<arith::AddIOp>(add);
  if ((!bytes && !isa_and_nonnull<arith::AddFOp>(add)) || !outType ||
      !(bytes ? outType.getElementType().isInteger(32) : outType.getElementType().isF32()))
    return std::nullopt;
  BlockArgument sum = op.getRegionOutputArgs()[0];
  Operation *mul = add->getOperand(add->getOperand(0) == sum ? 1 : 0).getDefiningOp();
  if (!isa_and_nonnull<arith::MulIOp, arith::MulFOp>(mul) || !sum.hasOneUse())
    return std::nullopt;
  PackedDot dot;
  dot.depth = bytes ? kByteDepth : kBfloatDepth;
  Operation *a = mul->getOperand(0).getDefiningOp(), *b = mul->getOperand(1).getDefiningOp();
  if (bytes)
    return matchBytes(op, a, b, dot) && matchLoops(op, dot) ? std::optional(dot) : std::nullopt;
  // Sums of bfloat16 in f32, with the weights on either side.
  for (Operation *ext : {a, b})
    if (!isa_and_nonnull<arith::ExtFOp>(ext) || !ext->getOperand(0).getType().isBF16())
      return std::nullopt;
  for (auto [x, weights] : {std::pair(a, b), std::pair(b, a)}) {
    dot.x = extendedInput(op, x);
    dot.weights = extendedInput(op, weights);
    if (dot.x && dot.weights && matchLoops(op, dot))
      return dot;
  }
  return std::nullopt;
}

class Emitter {
public:
  Emitter(RewriterBase &b, linalg::LinalgOp op, const PackedDot &dot, const VectorTarget &target,
          const LoopFusion &fusion)
      : b(b), op(op), loc(op.getLoc()), dot(dot), target(target), fusion(fusion),
        instructions(b, loc, target, elementType(dot)), iterators(op.getIteratorTypesArray()),
        numLoops(op.getNumLoops()) {}

  void run() {
    for (Range range : op.createLoopRanges(b, loc))
      sizes.push_back(range.size);
    base.assign(numLoops, index(0));
    collapseWeights();
    if (fusion.fill)
      start = fusion.fill->getOperand(0);
    emitOuter(orderLoops());
  }

private:
  static Type elementType(const PackedDot &dot) {
    return getElementTypeOrSelf(dot.x->get().getType());
  }
  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value sizeOf(unsigned dim) { return getValueOrCreateConstantIndexOp(b, loc, sizes[dim]); }

  template <typename Fn> void loop(Value from, Value to, int64_t step, Fn inside) {
    auto forOp = scf::ForOp::create(b, loc, from, to, index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    inside(forOp.getInductionVar());
  }

  /// One vector is read across the last two dimensions.
  void collapseWeights() {
    weights = dot.weights->get();
    int64_t rank = cast<MemRefType>(weights.getType()).getRank();
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim + 1 < rank; ++dim)
      groups.push_back({dim});
    groups.back().push_back(rank - 1);
    weights = memref::CollapseShapeOp::create(b, loc, weights, groups);
  }

  // ---- outer loops ----

  /// Chooses the loops that a tile's rows follow, and returns those outside, outermost first.
  SmallVector<unsigned> orderLoops() {
    AffineMap w = op.getMatchingIndexingMap(dot.weights);
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    auto size = [&](unsigned dim) {
      return ShapedType::isDynamic(ranges[dim]) ? INT64_MAX : ranges[dim];
    };
    SmallVector<unsigned> panels, images;
    for (unsigned dim = 0; dim < numLoops; ++dim) {
      if (dim == dot.inner || dim == dot.column)
        continue;
      if (iterators[dim] == utils::IteratorType::reduction)
        reductions.push_back(dim);
      else
        (w.isFunctionOfDim(dim) ? panels : images).push_back(dim);
    }
    // Rows meet the same weights. Of several such loops the longest, and the next one where that is short; known
    // sizes first: where one is unknown the last tiles are single rows.
    auto isLong = [&](unsigned dim) { return !ShapedType::isDynamic(ranges[dim]) && ranges[dim] >= 4; };
    for (unsigned dim : images)
      if (!rows || std::pair(isLong(dim), size(dim)) >= std::pair(isLong(*rows), size(*rows)))
        rows = dim;
    if (rows)
      llvm::erase(images, *rows);
    auto type = cast<MemRefType>(dot.weights->get().getType());
    int64_t bytes = type.getElementTypeBitWidth() / 8;
    for (int64_t extent : type.getShape())
      bytes *= ShapedType::isDynamic(extent) ? kCachedBytes : extent;
    bool cached = bytes <= kCachedBytes;
    if (rows && size(*rows) < kFewRows) {
      for (unsigned dim : images)
        if (!ShapedType::isDynamic(ranges[dim]) && ranges[dim] > 1 &&
            (!lines || ranges[dim] >= ranges[*lines]))
          lines = dim;
      if (lines)
        llvm::erase(images, *lines);
    }
    if (bytes >= kStreamedBytes)
      stream = findWeightStream(op, dot.column, /*inside=*/2);
    // Weights that stay in the first-level cache pass by for each line of an image; others
    // panel by panel, so that each is read once.
    SmallVector<unsigned> order(cached ? images : panels);
    order.append(cached ? panels : images);
    return order;
  }

  void emitOuter(ArrayRef<unsigned> order) {
    if (order.empty())
      return emitColumns();
    loop(index(0), sizeOf(order.front()), 1, [&](Value iv) {
      base[order.front()] = iv;
      emitOuter(order.drop_front());
    });
  }

  /// Columns in groups of vectors: two leave the most rows to each load of weights; few rows
  /// leave registers for more.
  void emitColumns() {
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
      SmallVector<int64_t> steps{limit};
      while (steps.back() > 1)
        steps.push_back(steps.back() / 2);
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

  /// A loop over whole steps, then what is left.
  void emitPieces(std::optional<unsigned> dim, int64_t size, int64_t step,
                  llvm::function_ref<void(int64_t)> inside) {
    if (!dim)
      return inside(1);
    int64_t whole = size / step * step;
    if (whole == step) {
      base[*dim] = index(0);
      inside(step);
    } else if (whole > 0) {
      along(*dim, index(0), index(whole), step, [&] { inside(step); });
    }
    if (whole < size) {
      base[*dim] = index(whole);
      inside(size - whole);
    }
  }

  void along(unsigned dim, Value from, Value to, int64_t step, llvm::function_ref<void()> inside) {
    loop(from, to, step, [&](Value iv) {
      base[dim] = iv;
      inside();
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

  /// The end of the last whole step after `from`.
  Value floorTo(unsigned dim, Value from, int64_t step) {
    AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
    return affine::makeComposedAffineApply(b, loc, d0 + (d1 - d0).floorDiv(step) * step,
                                           {OpFoldResult(from), sizes[dim]})
        .getResult();
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

  using ParameterCache = DenseMap<std::pair<OpOperand *, int64_t>, Value>;

  /// The elementwise work that follows, on a vector of sums in a register.
  void finish(Value sum, int64_t row, int64_t column, int64_t lanes, ParameterCache &loaded) {
    auto load = [&](OpOperand &operand, AffineMap map) {
      if ((rows && map.isFunctionOfDim(*rows)) || (lines && map.isFunctionOfDim(*lines)))
        return loadParameter(operand.get(), map, row, column, lanes);
      Value &once = loaded[{&operand, column}];
      if (!once)
        once = loadParameter(operand.get(), map, row, column, lanes);
      return once;
    };
    auto clone = [&](Operation &inner, IRMapping &mapping) {
      cloneOnVectors(b, loc, inner, mapping, lanes);
    };
    auto store = [&](OpOperand &init, AffineMap map, Value value) {
      value = onVector(b, loc, value, lanes);
      vector::StoreOp::create(b, loc, value, init.get(), indices(map, row, column));
      return value;
    };
    emitEpilogues(fusion, op.getDpsInits()[0], sum, load, clone, store);
  }

  Value loadParameter(Value source, AffineMap map, int64_t row, int64_t column, int64_t lanes) {
    auto type = dyn_cast<MemRefType>(source.getType());
    if (!type)
      return source;
    SmallVector<Value> place = indices(map, row, column);
    if (!map.isFunctionOfDim(dot.column))
      return memref::LoadOp::create(b, loc, source, place);
    return vector::LoadOp::create(b, loc, VectorType::get(lanes, type.getElementType()), source,
                                  place);
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
    AffineMap w = op.getMatchingIndexingMap(dot.weights), x = op.getMatchingIndexingMap(dot.x);
    Type element = elementType(dot);
    int64_t at = 0;
    for (int64_t lanes : vectors) {
      SmallVector<Value> place = indices(w, 0, at);
      place.pop_back();
      place.back() = arith::MulIOp::create(b, loc, place.back(), index(dot.depth));
      auto type = VectorType::get(lanes * dot.depth, element);
      columns.push_back(instructions.splitWeights(
          vector::LoadOp::create(b, loc, type, weights, place), lanes));
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

  // ---- memory ----

  SmallVector<Value> indices(AffineMap map, int64_t row, int64_t column) {
    SmallVector<OpFoldResult> dims;
    for (unsigned dim = 0; dim < numLoops; ++dim) {
      int64_t offset = rows && dim == *rows     ? row % tileRows
                       : lines && dim == *lines ? row / tileRows
                       : dim == dot.column      ? column
                                                : 0;
      Value at = base[dim];
      if (offset != 0)
        at = arith::AddIOp::create(b, loc, at, index(offset));
      dims.push_back(at);
    }
    SmallVector<Value> result;
    for (AffineExpr expr : map.getResults())
      result.push_back(getValueOrCreateConstantIndexOp(
          b, loc,
          affine::makeComposedFoldedAffineApply(
              b, loc, AffineMap::get(numLoops, 0, expr, b.getContext()), dims)));
    return result;
  }

  RewriterBase &b;
  linalg::LinalgOp op;
  Location loc;
  const PackedDot &dot;
  const VectorTarget &target;
  const LoopFusion &fusion;
  DotInstructions instructions;
  SmallVector<utils::IteratorType> iterators;
  unsigned numLoops;
  SmallVector<OpFoldResult> sizes;
  SmallVector<Value> base; // first iteration of the tile, by loop
  SmallVector<unsigned> reductions;
  std::optional<unsigned> rows, lines; // the loops that the rows of a tile follow
  int64_t tileRows = 1;                // of a line
  std::optional<WeightStream> stream;
  Value weights;                // with the last two dimensions in one
  Value start;                  // of the accumulators; null: what the result holds
  SmallVector<Value> offsets;   // added to those of each row
};

} // namespace

std::optional<unsigned> packedDotColumns(linalg::LinalgOp op) {
  std::optional<PackedDot> dot = matchPackedDot(op);
  return dot ? std::optional(dot->column) : std::nullopt;
}

void emitPackedDot(RewriterBase &rewriter, linalg::LinalgOp op, const VectorTarget &target,
                   const LoopFusion &fusion) {
  std::optional<PackedDot> dot = matchPackedDot(op);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(fusion.place(op));
  Emitter(rewriter, op, *dot, target, fusion).run();
  fusion.erase(rewriter, op);
}

} // namespace onnxc
