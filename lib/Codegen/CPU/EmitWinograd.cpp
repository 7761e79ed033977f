// onnxc-emit-winograd: see Passes.td. A task transforms the patches of a block of tiles into V
// [alpha^2][tile][C], multiplies each of the alpha^2 matrices with a panel of the weights into
// M [alpha^2][tile][panel], and transforms M back; V and M stay in the second-level cache. So does the
// part of the panel that a task transforms just before its products, where the weights are the filters. The
// method: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
#include "VectorClone.h"
#include "WinogradTransforms.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace onnxc {
#define GEN_PASS_DEF_EMITWINOGRADPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Floats of a cache line.
constexpr int64_t kLine = 16;

/// Floats from one row to the next: an odd number of cache lines, so that rows spread over the
/// sets of the cache.
int64_t spread(int64_t floats) { return (llvm::divideCeil(floats, kLine) | 1) * kLine; }

/// A buffer as a row of floats, and how far its dimensions are apart.
struct FlatView {
  Value floats;
  SmallVector<Value> sizes, strides;
};

class WinogradEmitter {
public:
  WinogradEmitter(OpBuilder &builder, cg::WinogradConvOp op)
      : b(op.getLoc(), builder), op(op), tile(op.getTile()), alpha(op.getAlpha()),
        channels(op.getNumChannels()), filters(op.getNumFilters()), panel(op.getPanel()),
        lanes(op.getLanes()), rows(op.getRows()), block(op.getBlock()),
        depth(std::min<int64_t>(op.getDepth(), channels)),
        vectorType(VectorType::get(lanes, b.getF32Type())) {
    int64_t mostRows = llvm::alignTo(block, rows);
    vRow = spread(channels);
    vStep = spread(mostRows * vRow);
    mStep = spread(mostRows * panel);
    uRow = spread(alpha * alpha * panel);
  }

  void run() {
    y = flatten(op.getInit());
    Value tilesHigh = tiles(y.sizes[1]), tilesWide = tiles(y.sizes[2]);
    Value total = mul(mul(y.sizes[0], tilesHigh), tilesWide);
    Value blocks = b.createOrFold<arith::CeilDivUIOp>(total, index(block));
    Value blockSize = index(block);
    if (!getConstantIntValue(total)) {
      blocks = balance(total, blocks);
      blockSize = b.createOrFold<arith::CeilDivUIOp>(total, blocks);
    }
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    auto forall = scf::ForallOp::create(b, ArrayRef<OpFoldResult>{zero, zero},
                                        {getAsOpFoldResult(blocks), b.getIndexAttr(op.getSplits())},
                                        {one, one}, ValueRange{}, std::nullopt);
    b.setInsertionPointToStart(forall.getBody());
    // The views are made again inside, where the outlined function has their sizes as constants.
    x = flatten(op.getInput());
    y = flatten(op.getInit());
    u = flatten(op.getWeights());
    for (Value extra : op.getExtras())
      extras.push_back(isa<MemRefType>(extra.getType()) ? flatten(extra) : FlatView{});
    high = tiles(y.sizes[1]);
    wide = tiles(y.sizes[2]);
    v = scratch(alpha * alpha * vStep);
    m = scratch(alpha * alpha * mStep);
    if (depth > 0)
      made = scratch(depth * uRow);
    first = mul(forall.getInductionVar(0), blockSize);
    std::optional<int64_t> known = getConstantIntValue(total);
    count = known && *known % block == 0
                ? index(block)
                : b.createOrFold<arith::MinUIOp>(sub(total, first), blockSize);
    chooseGroups();
    emitInput();
    emitPanels(forall.getInductionVar(1));
  }

private:
  // ---- values ----

  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
  Value add(Value a, Value c) { return b.createOrFold<arith::AddIOp>(a, c); }
  Value add(Value a, int64_t c) { return c == 0 ? a : add(a, index(c)); }
  Value sub(Value a, Value c) { return b.createOrFold<arith::SubIOp>(a, c); }
  Value mul(Value a, Value c) { return b.createOrFold<arith::MulIOp>(a, c); }
  Value mul(Value a, int64_t c) { return mul(a, index(c)); }
  Value tiles(Value size) { return b.createOrFold<arith::CeilDivUIOp>(size, index(tile)); }
  Value below(Value a, Value c) {
    return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, a, c);
  }
  Value both(Value a, Value c) { return b.createOrFold<arith::AndIOp>(a, c); }

  /// Blocks of a number of tiles that is only known at run time: about equal ones, and as many
  /// for each of two threads where these do not share a block's panels.
  Value balance(Value total, Value blocks) {
    Value one = index(1);
    blocks = b.createOrFold<arith::MaxUIOp>(blocks, one);
    if (op.getSplits() > 1)
      return blocks;
    Value least = b.createOrFold<arith::MinUIOp>(
        b.createOrFold<arith::CeilDivUIOp>(total, index(rows)), index(2));
    blocks = b.createOrFold<arith::MaxUIOp>(blocks, least);
    Value even = mul(b.createOrFold<arith::CeilDivUIOp>(blocks, index(2)), 2);
    Value single = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, blocks, one);
    return arith::SelectOp::create(b, single, one, even);
  }

  /// How the block's tiles are spread over register tiles.
  void chooseGroups() {
    groups = b.createOrFold<arith::CeilDivUIOp>(count, index(rows));
    auto type = cast<MemRefType>(op.getInit().getType());
    if (!type.isDynamicDim(1) && !type.isDynamicDim(2)) {
      // `rows` tiles; where that would be too many, the other groups have one less.
      fullGroups = b.createOrFold<arith::MaxSIOp>(sub(count, mul(groups, rows - 1)), index(0));
      covered = b.createOrFold<arith::MaxUIOp>(count, mul(groups, rows - 1));
      return;
    }
    // Any number of tiles can come: one of several sizes that fits best, for all groups.
    for (int64_t less : {0, 1, 3, 5, 6})
      if (less == 0 || 2 * (rows - less) > rows)
        sizes.push_back(rows - less);
    groups = b.createOrFold<arith::MaxUIOp>(groups, index(1));
    needed = b.createOrFold<arith::CeilDivUIOp>(count, groups);
    Value size = index(rows);
    for (int64_t smaller : ArrayRef<int64_t>(sizes).drop_front())
      size = arith::SelectOp::create(b, fits(smaller), index(smaller), size);
    covered = mul(groups, size);
  }

  /// Groups of this size are enough.
  Value fits(int64_t size) { return below(needed, index(size + 1)); }

  Value scratch(int64_t floats) {
    return memref::AllocOp::create(b, MemRefType::get({floats}, b.getF32Type()),
                                   b.getI64IntegerAttr(64));
  }

  FlatView flatten(Value buffer) {
    FlatView view;
    auto data = memref::ExtractStridedMetadataOp::create(b, buffer);
    for (OpFoldResult size : data.getConstifiedMixedSizes())
      view.sizes.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
    for (OpFoldResult stride : data.getConstifiedMixedStrides())
      view.strides.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), stride));
    Value length = view.sizes.empty() ? index(1) : mul(view.sizes[0], view.strides[0]);
    OpFoldResult offset = data.getConstifiedMixedOffset();
    auto layout = StridedLayoutAttr::get(
        b.getContext(), getConstantIntValue(offset).value_or(ShapedType::kDynamic), {1});
    auto known = getConstantIntValue(length);
    Type element = cast<MemRefType>(buffer.getType()).getElementType();
    auto type = MemRefType::get({known.value_or(ShapedType::kDynamic)}, element, layout);
    view.floats = memref::ReinterpretCastOp::create(
        b, type, data.getBaseBuffer(), offset, ArrayRef<OpFoldResult>{getAsOpFoldResult(length)},
        ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
    return view;
  }

  template <typename Fn> void loop(Value from, Value to, int64_t step, Fn inside) {
    auto forOp = scf::ForOp::create(b, from, to, index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    inside(forOp.getInductionVar());
  }

  template <typename Then, typename Else> void branch(Value condition, Then then, Else otherwise) {
    auto ifOp = scf::IfOp::create(b, condition, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    then();
    b.setInsertionPointToStart(ifOp.elseBlock());
    otherwise();
  }

  template <typename Then> void when(Value condition, Then then) {
    auto ifOp = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    then();
  }

  /// Image, row and column of the block's tile `t`.
  std::array<Value, 3> position(Value t) {
    Value number = add(first, t);
    Value column = b.createOrFold<arith::RemUIOp>(number, wide);
    Value rest = b.createOrFold<arith::DivUIOp>(number, wide);
    return {b.createOrFold<arith::DivUIOp>(rest, high), b.createOrFold<arith::RemUIOp>(rest, high),
            column};
  }

  Value tailMask(int64_t size) {
    return vector::ConstantMaskOp::create(b, VectorType::get(lanes, b.getI1Type()),
                                          ArrayRef<int64_t>{size % lanes});
  }

  // ---- patches into V ----

  void emitInput() {
    int64_t full = channels / lanes * lanes;
    loop(index(0), count, 1, [&](Value t) {
      auto [n, row, column] = position(t);
      Value top = sub(mul(row, tile), index(op.getLow()[0]));
      Value left = sub(mul(column, tile), index(op.getLow()[1]));
      Value base = add(add(mul(n, x.strides[0]), mul(top, x.strides[1])), mul(left, x.strides[2]));
      Value target = mul(t, vRow);
      SmallVector<Value> rowInside, columnInside;
      for (int64_t i = 0; i < alpha; ++i) {
        rowInside.push_back(below(add(top, i), x.sizes[1]));
        columnInside.push_back(below(add(left, i), x.sizes[2]));
      }
      auto patch = [&](Value c, bool guarded, Value tail) {
        emitPatch(add(base, c), add(target, c), [&](int64_t i, int64_t j) -> Value {
          if (!guarded)
            return Value();
          Value mask = vector::BroadcastOp::create(b, VectorType::get(lanes, b.getI1Type()),
                                                   both(rowInside[i], columnInside[j]));
          return tail ? both(mask, tail) : mask;
        });
      };
      if (full > 0) {
        Value inside = both(both(rowInside.front(), rowInside.back()),
                            both(columnInside.front(), columnInside.back()));
        branch(
            inside,
            [&] { loop(index(0), index(full), lanes, [&](Value c) { patch(c, false, {}); }); },
            [&] { loop(index(0), index(full), lanes, [&](Value c) { patch(c, true, {}); }); });
      }
      if (full < channels)
        patch(index(full), true, tailMask(channels));
    });
    // The last group's rows without a tile: what lies in the scratch may be slow to compute with.
    if (getConstantIntValue(covered) && getConstantIntValue(covered) == getConstantIntValue(count))
      return;
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(vectorType));
    loop(count, covered, 1, [&](Value t) {
      loop(index(0), index(alpha * alpha), 1, [&](Value xi) {
        Value target = add(mul(xi, vStep), mul(t, vRow));
        loop(index(0), index(llvm::alignTo(channels, lanes)), lanes, [&](Value c) {
          vector::StoreOp::create(b, zero, v, ValueRange{add(target, c)});
        });
      });
    });
  }

  /// One patch, `lanes` channels of it; mask(i, j) is null where all of a vector is there.
  void emitPatch(Value source, Value target, function_ref<Value(int64_t, int64_t)> mask) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(vectorType));
    SmallVector<SmallVector<Value>> columns;
    for (int64_t j = 0; j < alpha; ++j) {
      SmallVector<Value> values;
      for (int64_t i = 0; i < alpha; ++i) {
        Value at = add(source, add(mul(x.strides[1], i), mul(x.strides[2], j)));
        Value inside = mask(i, j);
        values.push_back(inside ? vector::MaskedLoadOp::create(b, vectorType, x.floats,
                                                               ValueRange{at}, inside, zero)
                                      .getResult()
                                : vector::LoadOp::create(b, vectorType, x.floats, ValueRange{at})
                                      .getResult());
      }
      columns.push_back(transformInput(b, values));
    }
    for (int64_t i = 0; i < alpha; ++i) {
      SmallVector<Value> line;
      for (int64_t j = 0; j < alpha; ++j)
        line.push_back(columns[j][i]);
      for (auto [j, value] : llvm::enumerate(transformInput(b, line)))
        vector::StoreOp::create(b, value, v, ValueRange{add(target, (i * alpha + j) * vStep)});
    }
  }

  // ---- V times a panel into M, and back ----

  void emitPanels(Value split) {
    int64_t rest = filters % panel;
    int64_t widePanels = filters / panel + (rest > panel / 2), allPanels = llvm::divideCeil(filters, panel);
    int64_t each = llvm::divideCeil(allPanels, op.getSplits());
    Value from = mul(split, each);
    Value to = op.getSplits() == 1
                   ? index(allPanels)
                   : b.createOrFold<arith::MinUIOp>(add(from, each), index(allPanels));
    loop(from, to, 1, [&](Value p) {
      if (widePanels == allPanels)
        emitProducts(p, panel);
      else if (widePanels == 0)
        emitProducts(p, panel / 2);
      else
        branch(
            below(p, index(widePanels)), [&] { emitProducts(p, panel); },
            [&] { emitProducts(p, panel / 2); });
      emitOutput(p);
    });
  }

  /// What a panel's products read: matrices of [depth][width], from `floats[base]` on.
  struct PanelPart {
    Value floats, base;
    int64_t width, row, step; // filters; floats from row to row, and from matrix to matrix
    Value channel, depth; // the first channel and their number
    Value next;           // the filters of the part that comes after, if they are to be fetched
  };

  /// A panel that is `width` filters wide: products with all of its channels.
  void emitProducts(Value p, int64_t width) {
    if (depth == 0)
      return emitProducts({u.floats, mul(p, alpha * alpha * channels * panel), width, width, channels * width,
                           index(0), index(channels), Value()});
    Value filtersAt = mul(p, 9 * channels * panel);
    loop(index(0), index(channels), depth, [&](Value channel) {
      Value count = channels % depth == 0
                        ? index(depth)
                        : b.createOrFold<arith::MinUIOp>(sub(index(channels), channel), index(depth));
      Value from = add(filtersAt, mul(channel, 9 * width));
      emitFilters(from, count, width);
      emitProducts({made, index(0), width, uRow, width, channel, count, add(from, mul(count, 9 * width))});
    });
  }

  /// `count` channels of filters [channel][9][width] into matrices, [channel][alpha^2][width].
  void emitFilters(Value from, Value count, int64_t width) {
    loop(index(0), count, 1, [&](Value k) {
      Value source = add(from, mul(k, 9 * width)), target = mul(k, uRow);
      loop(index(0), index(width), lanes, [&](Value f) {
        SmallVector<SmallVector<Value>> columns;
        for (int64_t j = 0; j < 3; ++j) {
          SmallVector<Value> taps;
          for (int64_t i = 0; i < 3; ++i)
            taps.push_back(vector::LoadOp::create(
                b, vectorType, u.floats, ValueRange{add(add(source, f), (i * 3 + j) * width)}));
          columns.push_back(transformFilter(b, taps, alpha));
        }
        for (int64_t i = 0; i < alpha; ++i)
          for (auto [j, value] : llvm::enumerate(
                   transformFilter(b, {columns[0][i], columns[1][i], columns[2][i]}, alpha)))
            vector::StoreOp::create(b, value, made,
                                    ValueRange{add(add(target, f), (i * alpha + j) * width)});
      });
    });
  }

  /// Two vectors of filters at a time.
  void emitProducts(const PanelPart &part) {
    int64_t vectors = std::min<int64_t>(2, part.width / lanes);
    loop(index(0), index(alpha * alpha), 1, [&](Value xi) {
      Value vBase = add(mul(xi, vStep), part.channel), mBase = mul(xi, mStep);
      auto groupLoop = [&](Value from, Value to, Value start, int64_t size) {
        loop(from, to, 1, [&](Value g) {
          Value t = add(start, mul(sub(g, from), size));
          loop(index(0), index(part.width), vectors * lanes, [&](Value f) {
            emitProduct(part, xi, f, add(vBase, mul(t, vRow)), add(add(mBase, mul(t, panel)), f), g,
                        size, vectors);
          });
        });
      };
      // The smallest size that fits, tried from the smallest on.
      auto anySize = [&](auto &self, ArrayRef<int64_t> left) -> void {
        if (left.size() == 1)
          return groupLoop(index(0), groups, index(0), left[0]);
        branch(
            fits(left.back()), [&] { groupLoop(index(0), groups, index(0), left.back()); },
            [&] { self(self, left.drop_back()); });
      };
      if (!sizes.empty())
        return anySize(anySize, sizes);
      if (getConstantIntValue(fullGroups) != 0)
        groupLoop(index(0), fullGroups, index(0), rows);
      if (rows > 1 && (!getConstantIntValue(groups) ||
                       getConstantIntValue(groups) != getConstantIntValue(fullGroups)))
        groupLoop(fullGroups, groups, mul(fullGroups, rows), rows - 1);
    });
  }

  /// `size` rows of V times a few vectors of the panel: all sums stay in registers.
  void emitProduct(const PanelPart &part, Value xi, Value f, Value vBase, Value mBase, Value group,
                   int64_t size, int64_t vectors) {
    Value uBase = add(add(part.base, mul(xi, part.step)), f);
    auto inM = [&](int64_t sum) { return add(mBase, sum / vectors * panel + sum % vectors * lanes); };
    auto nest = scf::ForOp::create(b, index(0), part.depth, index(1), firstSums(part, size * vectors, inM));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(nest.getBody());
      Value k = nest.getInductionVar();
      Value at = add(uBase, mul(k, part.row));
      SmallVector<Value> columns;
      for (int64_t r = 0; r < vectors; ++r)
        columns.push_back(
            vector::LoadOp::create(b, vectorType, part.floats, ValueRange{add(at, r * lanes)}));
      emitPrefetch(part, xi, k, at, group, vectors);
      SmallVector<Value> next;
      Value row = add(vBase, k);
      for (int64_t i = 0; i < size; ++i) {
        Value scalar = memref::LoadOp::create(b, v, ValueRange{add(row, i * vRow)});
        Value spreadOut = vector::BroadcastOp::create(b, vectorType, scalar);
        for (int64_t r = 0; r < vectors; ++r)
          next.push_back(
              multiplyAdd(b, spreadOut, columns[r], nest.getRegionIterArgs()[i * vectors + r]));
      }
      scf::YieldOp::create(b, next);
    }
    for (int64_t sum = 0; sum < size * vectors; ++sum)
      vector::StoreOp::create(b, nest.getResult(sum), m, ValueRange{inM(sum)});
  }

  /// Zeros, or what the channels before this part have summed up to.
  SmallVector<Value> firstSums(const PanelPart &part, int64_t count, function_ref<Value(int64_t)> inM) {
    auto zeros = [&] {
      return SmallVector<Value>(count, arith::ConstantOp::create(b, b.getZeroAttr(vectorType)));
    };
    if (depth == 0 || depth == channels)
      return zeros();
    Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part.channel, index(0));
    auto ifOp = scf::IfOp::create(b, SmallVector<Type>(count, vectorType), isFirst, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    scf::YieldOp::create(b, zeros());
    b.setInsertionPointToStart(ifOp.elseBlock());
    SmallVector<Value> sums;
    for (int64_t sum = 0; sum < count; ++sum)
      sums.push_back(vector::LoadOp::create(b, vectorType, m, ValueRange{inM(sum)}));
    scf::YieldOp::create(b, sums);
    return ifOp.getResults();
  }

  /// Asks for weights that will be read next, a line with each step of a sum.
  void emitPrefetch(const PanelPart &part, Value xi, Value k, Value at, Value group, int64_t vectors) {
    Value ahead;
    if (part.next) {
      // The steps of all matrices together ask for all filters of the next part.
      int64_t each = std::min<int64_t>(kLine, 9 * part.width / (alpha * alpha));
      ahead = add(part.next, mul(add(mul(xi, depth), k), each));
    } else {
      // Each group asks for another part of the next matrix.
      ahead = add(at, part.step);
      if (vectors > 1)
        ahead = add(ahead, mul(b.createOrFold<arith::AndIOp>(group, index(1)), lanes));
    }
    memref::PrefetchOp::create(b, u.floats, ValueRange{ahead}, /*isWrite=*/false,
                               /*localityHint=*/2, /*isDataCache=*/true);
  }

  void emitOutput(Value p) {
    Value firstFilter = mul(p, panel);
    int64_t fullVectors = filters / lanes;
    // Vectors of this panel that are full; after them there may be one partial one.
    Value most = index(panel / lanes);
    Value left = sub(index(fullVectors), mul(p, panel / lanes));
    Value vectors = b.createOrFold<arith::MinUIOp>(left, most);
    loop(index(0), count, 1, [&](Value t) {
      auto [n, row, column] = position(t);
      Value top = mul(row, tile), leftmost = mul(column, tile);
      auto tileAt = [&](Value r, bool guarded, Value tail) {
        Value f = add(firstFilter, mul(r, lanes));
        emitTile(add(mul(t, panel), mul(r, lanes)), {n, top, leftmost, f}, guarded, tail);
      };
      if (fullVectors > 0) {
        Value inside = both(below(add(top, tile - 1), y.sizes[1]),
                            below(add(leftmost, tile - 1), y.sizes[2]));
        branch(
            inside,
            [&] { loop(index(0), vectors, 1, [&](Value r) { tileAt(r, false, {}); }); },
            [&] { loop(index(0), vectors, 1, [&](Value r) { tileAt(r, true, {}); }); });
      }
      if (filters % lanes != 0)
        when(below(vectors, most), [&] { tileAt(vectors, true, tailMask(filters)); });
    });
  }

  /// One tile of `lanes` filters: M back to tile x tile values, through the region, into the result.
  void emitTile(Value source, std::array<Value, 4> at, bool guarded, Value tail) {
    SmallVector<SmallVector<Value>> columns;
    for (int64_t j = 0; j < alpha; ++j) {
      SmallVector<Value> values;
      for (int64_t i = 0; i < alpha; ++i)
        values.push_back(vector::LoadOp::create(b, vectorType, m,
                                                ValueRange{add(source, (i * alpha + j) * mStep)}));
      columns.push_back(transformOutput(b, values));
    }
    SmallVector<Value> same(extras.size());
    for (size_t e = 0; e < extras.size(); ++e)
      if (!movesWithPixels(e))
        same[e] = loadExtra(e, at, tail);
    for (int64_t i = 0; i < tile; ++i) {
      SmallVector<Value> line;
      for (int64_t j = 0; j < alpha; ++j)
        line.push_back(columns[j][i]);
      SmallVector<Value> results = transformOutput(b, line);
      auto store = [&](int64_t j) {
        std::array<Value, 4> here = {at[0], add(at[1], i), add(at[2], j), at[3]};
        Value value = applyEpilogue(results[j], here, same, tail);
        Value to = address(y, here);
        if (tail)
          vector::MaskedStoreOp::create(b, y.floats, ValueRange{to}, tail, value);
        else
          vector::StoreOp::create(b, value, y.floats, ValueRange{to});
      };
      if (!guarded) {
        for (int64_t j = 0; j < tile; ++j)
          store(j);
        continue;
      }
      when(below(add(at[1], i), y.sizes[1]), [&] {
        for (int64_t j = 0; j < tile; ++j)
          when(below(add(at[2], j), y.sizes[2]), [&] { store(j); });
      });
    }
  }

  Value address(const FlatView &view, ArrayRef<Value> at) {
    Value sum = index(0);
    for (auto [position, stride] : llvm::zip(at, view.strides))
      sum = add(sum, mul(position, stride));
    return sum;
  }

  // ---- the region ----

  AffineMap extraMap(size_t e) { return cast<AffineMapAttr>(op.getExtraMaps()[e]).getValue(); }

  bool movesWithPixels(size_t e) {
    return extraMap(e).isFunctionOfDim(1) || extraMap(e).isFunctionOfDim(2);
  }

  Value loadExtra(size_t e, std::array<Value, 4> at, Value tail) {
    if (!extras[e].floats)
      return op.getExtras()[e];
    SmallVector<Value> where;
    for (AffineExpr expr : extraMap(e).getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      where.push_back(dim ? at[dim.getPosition()] : index(0));
    }
    Value from = address(extras[e], where);
    if (!extraMap(e).isFunctionOfDim(3))
      return memref::LoadOp::create(b, extras[e].floats, ValueRange{from});
    Type element = cast<MemRefType>(extras[e].floats.getType()).getElementType();
    auto type = VectorType::get(lanes, element);
    if (!tail)
      return vector::LoadOp::create(b, type, extras[e].floats, ValueRange{from});
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(b, type, extras[e].floats, ValueRange{from}, tail, zero);
  }

  Value applyEpilogue(Value value, std::array<Value, 4> at, ArrayRef<Value> same, Value tail) {
    Block &body = op.getEpilogue().front();
    IRMapping mapping;
    mapping.map(body.getArgument(0), value);
    for (size_t e = 0; e < extras.size(); ++e)
      if (!body.getArgument(e + 1).use_empty())
        mapping.map(body.getArgument(e + 1), same[e] ? same[e] : loadExtra(e, at, tail));
    for (Operation &inner : body.without_terminator())
      cloneOnVectors(b, b.getLoc(), inner, mapping, lanes);
    return onVector(b, b.getLoc(), mapping.lookupOrDefault(cast<cg::YieldOp>(body.getTerminator()).getValue()), lanes);
  }

  ImplicitLocOpBuilder b;
  cg::WinogradConvOp op;
  int64_t tile, alpha, channels, filters, panel, lanes, rows, block;
  int64_t depth; // channels whose filters are transformed at a time; 0: they are in the weights
  int64_t vRow, vStep, mStep, uRow; // floats from row to row, and from matrix to matrix
  VectorType vectorType;
  FlatView x, y, u;
  SmallVector<FlatView> extras; // without `floats`: a scalar
  Value v, m, made;             // scratch; `made`: transformed filters
  Value high, wide;             // tiles of an image
  Value first, count;           // tiles of the block
  Value groups, fullGroups;     // register tiles of the block; those with all rows
  SmallVector<int64_t> sizes;   // rows of register tiles to choose from at run time, and
  Value needed;                 // how many are needed; empty: `rows`, or one less
  Value covered;                // tiles of the block with those that only fill registers
};

struct EmitWinograd : impl::EmitWinogradPassBase<EmitWinograd> {
  using EmitWinogradPassBase::EmitWinogradPassBase;

  void runOnOperation() override {
    SmallVector<cg::WinogradConvOp> ops;
    getOperation().walk([&](cg::WinogradConvOp op) { ops.push_back(op); });
    for (cg::WinogradConvOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitError("is not on buffers");
        return signalPassFailure();
      }
      OpBuilder builder(op);
      WinogradEmitter(builder, op).run();
      op.erase();
    }
  }
};

} // namespace
} // namespace onnxc
