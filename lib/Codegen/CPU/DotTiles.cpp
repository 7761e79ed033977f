// See DotTiles.h. A block is two tiles of up to 16 rows (of one line of an image, or of two) by two tiles of 16
// columns: four tiles of sums, which stay in their registers while the sum is taken, two of the left side and
// two of a panel. Panels for dot products hold a word of each column's sum beside the next column's, which
// is what a tile of the right side wants. The finished sums pass through memory in the first-level cache into the
// vectors of the elementwise work.
#include "DotTiles.h"

#include "DotNest.h"
#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Rows of a tile, columns of sums, words of a row.
constexpr int64_t kTileRows = 16, kTileColumns = 16, kTileWords = 16;
constexpr int64_t kWordBytes = 4;
/// With fewer rows, or words of a sum that follow each other, vectors are as fast: a tile is loaded for each product.
constexpr int64_t kMinRows = 8, kMinWords = 4;

/// The shapes of all tiles: of sums and of the left side by their rows, of sums and of the right side by
/// their columns.
struct Shapes {
  int64_t rows;
  int64_t columns[2];
  bool operator==(const Shapes &other) const {
    return rows == other.rows && columns[0] == other.columns[0] && columns[1] == other.columns[1];
  }
};

/// One or two tiles of rows, `step` iterations of the loop `along` apart.
struct RowTiles {
  Value rows; // of each
  int64_t count;
  unsigned along;
  int64_t step;
};

class TileNest : DotNest {
public:
  TileNest(RewriterBase &b, linalg::LinalgOp op, const PackedDot &dot, const VectorTarget &target,
           const LoopFusion &fusion)
      : DotNest(b, op, dot, target, fusion), x(op.getMatchingIndexingMap(dot.x)),
        w(op.getMatchingIndexingMap(dot.weights)),
        out(op.getMatchingIndexingMap(op.getDpsInitOperand(0))), bfloat(dot.elementType().isBF16()) {}

  /// Whether the product is one for tiles, if there are enough rows.
  bool match() {
    order = orderLoops(/*fewRows=*/kTileRows + 1);
    if (!rows || !matchDepth())
      return false;
    width = op.getStaticLoopRanges()[dot.column];
    leftStep = stepOf(dot.x, x, *rows);
    outStep = stepOf(op.getDpsInitOperand(0), out, *rows);
    bool startsAtZero = start && (matchPattern(start, m_Zero()) || matchPattern(start, m_PosZeroFloat()));
    return width % (kTileColumns / 2) == 0 && leftStep && (startsAtZero || (!start && outStep));
  }

  /// The number of rows, if it is known.
  std::optional<int64_t> countRows() {
    std::optional<int64_t> count = getConstantIntValue(sizes[*rows]);
    if (count && lines)
      *count *= *getConstantIntValue(sizes[*lines]);
    return count;
  }
  Value rowsAtRunTime() { return sizeOf(*rows); }

  void emit() {
    planColumns();
    planShapes();
    if (!fusion.epilogues.empty() || !outStep)
      stage = memref::AllocOp::create(
          b, loc, MemRefType::get({2 * kTileRows, 2 * kTileColumns}, sumType()), b.getI64IntegerAttr(64));
    emitOuter(order);
    cg::TileReleaseOp::create(b, loc);
  }

private:
  Type sumType() { return bfloat ? Type(b.getF32Type()) : b.getI32Type(); }

  /// Bytes from one iteration of a loop to the next.
  std::optional<int64_t> stepOf(OpOperand *operand, AffineMap map, unsigned dim) {
    auto type = cast<MemRefType>(operand->get().getType());
    std::optional<int64_t> step = constantStep(map, type, dim);
    if (step)
      *step *= type.getElementTypeBitWidth() / 8;
    return step;
  }

  /// The loop over words that follow each other in both operands; others that go on where it ends become
  /// one with it (the columns of a window and its channels).
  bool matchDepth() {
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    int64_t columns = ranges[dot.column];
    words = 1;
    auto next = [&] {
      return llvm::find_if(reductions, [&](unsigned dim) {
        return !ShapedType::isDynamic(ranges[dim]) && stepOf(dot.x, x, dim) == words * kWordBytes &&
               stepOf(dot.weights, w, dim) == words * columns * kWordBytes;
      });
    };
    for (auto *found = next(); found != reductions.end(); found = next()) {
      if (words == 1)
        depth = *found;
      words *= ranges[*found];
      reductions.erase(found);
    }
    if (words < kMinWords)
      return false;
    // Steps of one size, where that takes few more of them; else a shorter one at the end, whose tiles leave the
    // others one register for each side.
    int64_t least = llvm::divideCeil(words, kTileWords);
    stepWords = std::min(words, kTileWords);
    for (int64_t count = least; 4 * count <= 5 * least; ++count)
      if (words % count == 0) {
        stepWords = words / count;
        break;
      }
    steps = words / stepWords;
    tailWords = words % stepWords;
    return true;
  }

  // ---- tile registers ----

  static int64_t sumTile(int64_t row, int64_t column) { return 2 * row + column; }
  /// Two of each side, or one for whole steps and one for the tail.
  int64_t leftTile(int64_t row, bool tail) const { return tailWords ? (tail ? 6 : 4) : 4 + row; }
  int64_t rightTile(int64_t column, bool tail) const { return tailWords ? (tail ? 7 : 5) : 6 + column; }

  static Shapes shapesOf(int64_t rows, ArrayRef<int64_t> columns) {
    return {rows, {columns.front(), columns.back()}};
  }

  /// Rows that are known only when the model runs are stored later: none would be refused with bytes in each.
  Value describe(const Shapes &shapes) {
    SmallVector<int8_t> bytes(64, 0);
    bytes[0] = 1; // the palette
    int64_t rowCount = shapes.rows ? shapes.rows : kTileRows;
    auto set = [&](int64_t tile, int64_t numRows, int64_t rowBytes) {
      bytes[16 + 2 * tile] = static_cast<int8_t>(rowBytes);
      bytes[48 + tile] = static_cast<int8_t>(numRows);
    };
    for (bool tail : {false, true}) {
      int64_t depth = tail ? tailWords : stepWords;
      if (depth == 0)
        continue;
      for (int64_t i = 0; i < 2; ++i) {
        set(leftTile(i, tail), rowCount, depth * kWordBytes);
        set(rightTile(i, tail), depth, shapes.columns[i] * kWordBytes);
      }
    }
    for (int64_t row = 0; row < 2; ++row)
      for (int64_t column = 0; column < 2; ++column)
        set(sumTile(row, column), rowCount, shapes.columns[column] * kWordBytes);
    auto type = VectorType::get(64, b.getI8Type());
    Value memory = memref::AllocOp::create(b, loc, MemRefType::get({64}, b.getI8Type()),
                                           b.getI64IntegerAttr(64));
    vector::StoreOp::create(
        b, loc, arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes))), memory,
        index(0));
    return memory;
  }

  /// Columns of the blocks of a panel: the first `wholeColumns` in blocks of two whole tiles.
  void planColumns() {
    wholeColumns = width / (2 * kTileColumns) * (2 * kTileColumns);
    int64_t left = width - wholeColumns;
    SmallVector<int64_t> group;
    for (int64_t tile : {std::min(left, kTileColumns), left - std::min(left, kTileColumns)}) {
      if (tile == 0)
        continue;
      // Tiles of the right side that share a register have one shape.
      if (tailWords && !group.empty() && group.back() != tile) {
        groups.push_back(group);
        group.clear();
      }
      group.push_back(tile);
    }
    if (!group.empty())
      groups.push_back(group);
  }

  /// All shapes that the nest needs. One set is configured here, several where they are used.
  void planShapes() {
    SmallVector<int64_t> heights{kTileRows};
    if (std::optional<int64_t> size = getConstantIntValue(sizes[*rows])) {
      height = llvm::divideCeil(*size, llvm::divideCeil(*size, kTileRows));
      heights = {height};
      if (*size % height != 0)
        heights.push_back(*size % height);
    } else {
      height = kTileRows;
      heights.push_back(0); // known when the model runs
    }
    SmallVector<SmallVector<int64_t>> all(groups);
    if (wholeColumns > 0)
      all.push_back({kTileColumns, kTileColumns});
    for (int64_t numRows : heights)
      for (ArrayRef<int64_t> columns : all) {
        Shapes shapes = shapesOf(numRows, columns);
        if (!llvm::any_of(configurations, [&](auto &known) { return known.first == shapes; }))
          configurations.push_back({shapes, describe(shapes)});
      }
    if (configurations.size() == 1)
      cg::TileConfigureOp::create(b, loc, configurations[0].second);
  }

  /// `dynamicRows`: the number of rows where `numRows` is 0.
  void configure(int64_t numRows, ArrayRef<int64_t> columns, Value dynamicRows = {}) {
    if (configurations.size() == 1)
      return;
    Shapes shapes = shapesOf(numRows, columns);
    Value memory = llvm::find_if(configurations, [&](auto &known) { return known.first == shapes; })->second;
    if (dynamicRows) {
      Value byte = arith::IndexCastOp::create(b, loc, b.getI8Type(), dynamicRows);
      SmallVector<int64_t> tiles{leftTile(0, false)};
      if (tailWords)
        tiles.push_back(leftTile(0, true));
      for (int64_t column = 0, e = columns.size(); column < e; ++column)
        tiles.push_back(sumTile(0, column));
      for (int64_t tile : tiles)
        memref::StoreOp::create(b, loc, byte, memory, index(48 + tile));
    }
    cg::TileConfigureOp::create(b, loc, memory);
  }

  // ---- blocks ----

  void emitColumns() override {
    SmallVector<int64_t> whole{kTileColumns, kTileColumns};
    if (wholeColumns > 2 * kTileColumns)
      loop(index(0), index(wholeColumns), 2 * kTileColumns, [&](Value iv) { emitRows(iv, whole); });
    else if (wholeColumns > 0)
      emitRows(index(0), whole);
    int64_t at = wholeColumns;
    for (ArrayRef<int64_t> group : groups) {
      emitRows(index(at), group);
      at += llvm::sum_of(group);
    }
  }

  void emitRows(Value column, ArrayRef<int64_t> columns) {
    base[dot.column] = column;
    std::optional<int64_t> size = getConstantIntValue(sizes[*rows]);
    if (!size)
      return emitUnknownRows(columns);
    configure(height, columns);
    if (lines) {
      base[*rows] = index(0);
      return emitPieces(lines, *getConstantIntValue(sizes[*lines]), 2, [&](int64_t count) {
        emitBlock({index(*size), count, *lines, 1}, columns);
      });
    }
    int64_t tiles = *size / height;
    emitPieces(rows, tiles * height, 2 * height, [&](int64_t count) {
      emitBlock({index(height), count / height, *rows, height}, columns);
    });
    if (int64_t rest = *size % height) {
      configure(rest, columns);
      base[*rows] = index(*size - rest);
      emitBlock({index(rest), 1, *rows, rest}, columns);
    }
  }

  void emitUnknownRows(ArrayRef<int64_t> columns) {
    configure(kTileRows, columns);
    Value zero = index(0), whole = floorTo(*rows, zero, 2 * kTileRows);
    along(*rows, zero, whole, 2 * kTileRows,
          [&] { emitBlock({index(kTileRows), 2, *rows, kTileRows}, columns); });
    along(*rows, whole, sizeOf(*rows), kTileRows, [&] {
      AffineExpr from = b.getAffineDimExpr(0), size = b.getAffineDimExpr(1);
      AffineMap map = AffineMap::get(2, 0, {size - from, b.getAffineConstantExpr(kTileRows)}, b.getContext());
      Value left = getValueOrCreateConstantIndexOp(
          b, loc, affine::makeComposedFoldedAffineMin(b, loc, map, {OpFoldResult(base[*rows]), sizes[*rows]}));
      configure(0, columns, left);
      emitBlock({left, 1, *rows, kTileRows}, columns);
    });
  }

  /// Calls `inside` with the place of each tile of rows in `base`.
  void forTiles(const RowTiles &tiles, llvm::function_ref<void(int64_t)> inside) {
    for (int64_t i = 0; i < tiles.count; ++i)
      atTile(tiles, i, [&] { inside(i); });
  }
  void atTile(const RowTiles &tiles, int64_t i, llvm::function_ref<void()> inside) {
    Value first = base[tiles.along];
    if (i > 0)
      base[tiles.along] = arith::AddIOp::create(b, loc, first, index(i * tiles.step));
    inside();
    base[tiles.along] = first;
  }

  void emitBlock(const RowTiles &tiles, ArrayRef<int64_t> columns) {
    Value result = op.getDpsInits()[0];
    forTiles(tiles, [&](int64_t row) {
      for (int64_t column = 0, e = columns.size(); column < e; ++column)
        if (start)
          cg::TileZeroOp::create(b, loc, sumTile(row, column));
        else
          cg::TileLoadOp::create(b, loc, sumTile(row, column), result, indices(out, 0, column * kTileColumns),
                                 *outStep);
    });
    emitSums(reductions, tiles, columns);
    forTiles(tiles, [&](int64_t row) {
      for (int64_t column = 0, e = columns.size(); column < e; ++column)
        if (stage)
          cg::TileStoreOp::create(
              b, loc, sumTile(row, column), stage,
              ValueRange{index(row * kTileRows), index(column * kTileColumns)}, 2 * kTileColumns * kWordBytes);
        else
          cg::TileStoreOp::create(b, loc, sumTile(row, column), result,
                                  indices(out, 0, column * kTileColumns), *outStep);
    });
    if (stage)
      emitStaged(tiles, columns);
  }

  void emitSums(ArrayRef<unsigned> dims, const RowTiles &tiles, ArrayRef<int64_t> columns) {
    if (!dims.empty())
      return along(dims.front(), index(0), sizeOf(dims.front()), 1,
                   [&] { emitSums(dims.drop_front(), tiles, columns); });
    int64_t whole = steps * stepWords;
    if (steps > 1) {
      along(depth, index(0), index(whole), stepWords, [&] { emitStep(tiles, columns, /*tail=*/false); });
    } else {
      base[depth] = index(0);
      emitStep(tiles, columns, /*tail=*/false);
    }
    if (tailWords) {
      base[depth] = index(whole);
      emitStep(tiles, columns, /*tail=*/true);
    }
    base[depth] = index(0);
  }

  /// Each operand's tile is loaded when it is first needed, and again where another took its register.
  void emitStep(const RowTiles &tiles, ArrayRef<int64_t> columns, bool tail) {
    std::optional<int64_t> held[8];
    auto needLeft = [&](int64_t row) {
      int64_t tile = leftTile(row, tail);
      if (std::exchange(held[tile], row) != row)
        atTile(tiles, row, [&] {
          cg::TileLoadOp::create(b, loc, tile, dot.x->get(), indices(x, 0, 0), *leftStep);
        });
      return tile;
    };
    auto needRight = [&](int64_t column) {
      int64_t tile = rightTile(column, tail);
      if (std::exchange(held[tile], column) != column)
        cg::TileLoadOp::create(b, loc, tile, weights, weightIndices(column * kTileColumns), width * kWordBytes);
      return tile;
    };
    int64_t numColumns = columns.size();
    for (int64_t row = 0; row < tiles.count; ++row)
      for (int64_t i = 0; i < numColumns; ++i) {
        int64_t column = row % 2 == 0 ? i : numColumns - 1 - i; // the next row begins with what is there
        int64_t right = needRight(column), left = needLeft(row);
        cg::TileMultiplyOp::create(b, loc, sumTile(row, column), left, right, bfloat);
      }
  }

  /// The staged sums, row by row in vectors.
  void emitStaged(const RowTiles &tiles, ArrayRef<int64_t> columns) {
    Value result = op.getDpsInits()[0];
    ParameterCache loaded;
    Operation *first = nullptr;
    forTiles(tiles, [&](int64_t tile) {
      Value origin = base[*rows];
      auto rowLoop = scf::ForOp::create(b, loc, index(0), tiles.rows, index(1));
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(rowLoop.getBody());
      if (!first)
        first = rowLoop;
      Value row = rowLoop.getInductionVar();
      base[*rows] = arith::AddIOp::create(b, loc, origin, row);
      Value staged = arith::AddIOp::create(b, loc, row, index(tile * kTileRows));
      for (auto [i, lanes] : llvm::enumerate(columns)) {
        int64_t at = i * kTileColumns;
        auto type = VectorType::get(lanes, sumType());
        Value sum = vector::LoadOp::create(b, loc, type, stage, ValueRange{staged, index(at)});
        if (fusion.storesResult)
          vector::StoreOp::create(b, loc, sum, result, indices(out, 0, at));
        if (!fusion.epilogues.empty())
          finish(sum, 0, at, lanes, loaded, first);
      }
      base[*rows] = origin;
    });
  }

  AffineMap x, w, out;
  bool bfloat;
  SmallVector<unsigned> order;
  int64_t width;                                // of a panel
  std::optional<int64_t> leftStep, outStep;     // bytes from row to row
  unsigned depth = 0;                           // the loop over words
  int64_t words, steps, stepWords, tailWords;   // of the sum without a break; of a tile
  int64_t height;                               // rows of a tile
  int64_t wholeColumns;                         // in blocks of two whole tiles
  SmallVector<SmallVector<int64_t>> groups;     // columns of the tiles of the other blocks
  SmallVector<std::pair<Shapes, Value>> configurations;
  Value stage;
};

} // namespace

bool emitDotTiles(RewriterBase &b, linalg::LinalgOp op, const PackedDot &dot,
                  const VectorTarget &target, const LoopFusion &fusion,
                  llvm::function_ref<void()> emitVectors) {
  if (!(dot.elementType().isBF16() ? target.bfloatTiles : target.byteTiles))
    return false;
  TileNest nest(b, op, dot, target, fusion);
  if (!nest.match())
    return false;
  if (std::optional<int64_t> count = nest.countRows()) {
    if (*count < kMinRows)
      return false;
    nest.emit();
    return true;
  }
  Location loc = op.getLoc();
  Value least = arith::ConstantIndexOp::create(b, loc, kMinRows);
  Value enough = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, nest.rowsAtRunTime(), least);
  auto choice = scf::IfOp::create(b, loc, enough, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(choice.thenBlock()->getTerminator());
  nest.emit();
  b.setInsertionPoint(choice.elseBlock()->getTerminator());
  emitVectors();
  return true;
}

} // namespace onnxc
