// The emitter behind LoopEmitter.h. Loops are built outermost first; the tile at the
// bottom loads every operand once for the coordinates it depends on, clones the body on
// vectors, and carries the accumulators through the reduction loops. What
// does not divide goes into a second, smaller tile; its last vector is masked.
#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "PanelPrefetch.h"
#include "RegisterTile.h"
#include "VectorClone.h"

#include "mlir/Analysis/SliceAnalysis.h"
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

constexpr int64_t kMaxUnrolledTaps = 4;
/// How far ahead rows of a right side are fetched, and the sums of a tile beside which that costs nothing.
constexpr int64_t kRowsAhead = 16;
constexpr size_t kMinSumsToFetch = 16;

using Coordinates = RegisterTile::Coordinates;

class Emitter {
public:
  Emitter(RewriterBase &b, linalg::LinalgOp op, const LoopSchedule &schedule,
          const LoopFusion &fusion)
      : b(b), op(op), loc(op.getLoc()), schedule(schedule), fusion(fusion),
        iterators(op.getIteratorTypesArray()), numLoops(op.getNumLoops()),
        body(op->getRegion(0).front()), tile(b, op, schedule), unroll(schedule.unroll) {}

  LogicalResult run() {
    if (schedule.vectorDim && reduces(*schedule.vectorDim) && !combines())
      return failure();
    const std::optional<PanelProduct> &product = schedule.product;
    if (!product || product->streams <= 1 || !product->rows ||
        getConstantIntValue(tile.sizes[*product->rows])) {
      emitNest();
      return success();
    }
    // How many rows there are is known at run time only: a single one gets a nest of its own.
    unsigned rows = *product->rows;
    OpFoldResult numRows = tile.sizes[rows];
    Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, sizeOf(rows), index(1));
    auto ifOp = scf::IfOp::create(b, loc, isOne, /*withElse=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    tile.sizes[rows] = b.getIndexAttr(1);
    unroll[rows] = 1;
    unroll[product->panels] = product->streams;
    emitNest();
    tile.sizes[rows] = numRows;
    unroll = schedule.unroll;
    b.setInsertionPointToStart(ifOp.elseBlock());
    emitNest();
    return success();
  }

private:
  void emitNest() {
    // Unrolled rows inside unrolled vectors inside everything else.
    SmallVector<unsigned> order, inner, dims(schedule.order);
    if (dims.empty())
      dims = llvm::to_vector(llvm::seq(0u, numLoops));
    for (unsigned dim : dims) {
      if (reduces(dim))
        continue;
      if (schedule.vectorDim == dim)
        inner.insert(inner.begin(), dim);
      else if (unroll[dim] > 1)
        inner.push_back(dim);
      else
        order.push_back(dim);
    }
    order.append(inner);
    emitParallel(order);
  }

  bool reduces(unsigned dim) const { return iterators[dim] == utils::IteratorType::reduction; }
  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value sizeOf(unsigned dim) { return getValueOrCreateConstantIndexOp(b, loc, tile.sizes[dim]); }
  /// The largest multiple that is not above the (dynamic) size.
  Value floorTo(unsigned dim, int64_t multiple) {
    AffineExpr d0 = b.getAffineDimExpr(0);
    return affine::makeComposedAffineApply(b, loc, d0.floorDiv(multiple) * multiple,
                                           {tile.sizes[dim]});
  }

  /// How values are combined with an accumulator, for a horizontal reduction.
  struct Combiner {
    vector::CombiningKind kind;
    arith::FastMathFlags flags; ///< those of the body's operation
  };
  std::optional<Combiner> combiner(unsigned init) {
    SmallVector<Operation *, 4> combiners;
    if (!matchReduction(op.getRegionOutputArgs(), init, combiners) || combiners.size() != 1)
      return std::nullopt;
    std::optional<vector::CombiningKind> kind = linalg::getCombinerOpKind(combiners[0]);
    if (!kind)
      return std::nullopt;
    auto fast = dyn_cast<arith::ArithFastMathInterface>(combiners[0]);
    return Combiner{*kind, fast ? fast.getFastMathFlagsAttr().getValue() : arith::FastMathFlags::none};
  }
  /// Whether every accumulator has one.
  bool combines() {
    for (unsigned i = 0, e = op.getNumDpsInits(); i < e; ++i)
      if (!combiner(i))
        return false;
    return true;
  }

  template <typename Fn> void loop(Value from, Value to, int64_t step, Fn inside) {
    auto forOp = scf::ForOp::create(b, loc, from, to, index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    inside(forOp.getInductionVar());
  }

  // ---- parallel loops, outermost first ----

  void emitParallel(ArrayRef<unsigned> order) {
    if (startsDepthBlocks(order))
      return emitDepthBlocks(order);
    if (order.empty())
      return emitTile();
    unsigned dim = order.front();
    ArrayRef<unsigned> rest = order.drop_front();
    if (!tile.isVector(dim) && unroll[dim] > 1 && op.getNumReductionLoops() > 0)
      return emitRows(dim, rest);
    int64_t step = unroll[dim] * (tile.isVector(dim) ? tile.lanes : 1);
    std::optional<int64_t> size = getConstantIntValue(tile.sizes[dim]);
    if (step == 1) {
      tile.factor[dim] = 1;
      loop(index(0), sizeOf(dim), 1, [&](Value iv) {
        tile.base[dim] = iv;
        emitParallel(rest);
      });
      return;
    }
    if (size) {
      int64_t whole = *size / step * step;
      if (whole > 0)
        tileLoop(dim, index(0), index(whole), step, unroll[dim], rest);
      int64_t left = *size - whole;
      if (left == 0)
        return;
      if (!tile.isVector(dim))
        return tileOnce(dim, index(whole), left, rest);
      // One tile for what is left; its last vector may be partial.
      int64_t vectors = llvm::divideCeil(left, tile.lanes);
      if (left % tile.lanes == 0)
        return tileOnce(dim, index(whole), vectors, rest);
      ragged(dim, index(whole), vectors, rest);
      return;
    }
    // The main tile, then single steps, then a ragged vector.
    Value whole = floorTo(dim, step);
    tileLoop(dim, index(0), whole, step, unroll[dim], rest);
    int64_t single = tile.isVector(dim) ? tile.lanes : 1;
    Value singles = single == 1 ? sizeOf(dim) : floorTo(dim, single);
    if (unroll[dim] > 1)
      tileLoop(dim, whole, singles, single, 1, rest);
    if (!tile.isVector(dim))
      return;
    Value isRagged = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, singles, sizeOf(dim));
    auto ifOp = scf::IfOp::create(b, loc, isRagged, /*withElse=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    ragged(dim, singles, 1, rest);
  }

  /// The rows of the register tile: tiles of nearly equal height, so that the last is no slower.
  void emitRows(unsigned dim, ArrayRef<unsigned> rest) {
    int64_t most = unroll[dim];
    if (std::optional<int64_t> size = getConstantIntValue(tile.sizes[dim])) {
      if (*size == 0)
        return;
      int64_t tiles = llvm::divideCeil(*size, most), low = *size / tiles, high = *size % tiles;
      auto part = [&](int64_t from, int64_t to, int64_t height) {
        if (to - from == height)
          tileOnce(dim, index(from), height, rest);
        else if (to > from)
          tileLoop(dim, index(from), index(to), height, height, rest);
      };
      part(0, high * (low + 1), low + 1);
      part(high * (low + 1), *size, low);
      return;
    }
    // With n tiles, size - n * (most - 1) of them can have the full height and the others one
    // row less; below zero few rows are left over, which powers of two cover.
    Value size = sizeOf(dim), full = floorTo(dim, most), end = full;
    if (most > 2) {
      AffineExpr d0 = b.getAffineDimExpr(0);
      AffineExpr tall = d0 - d0.ceilDiv(most) * (most - 1);
      Value wanted = affine::makeComposedAffineApply(b, loc, tall * most, {tile.sizes[dim]});
      Value covers = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, wanted, index(0));
      full = arith::SelectOp::create(b, loc, covers, wanted, full);
      end = arith::SelectOp::create(b, loc, covers, size, full);
    }
    tileLoop(dim, index(0), full, most, most, rest);
    if (most > 2)
      tileLoop(dim, full, end, most - 1, most - 1, rest);
    int64_t height = llvm::bit_floor(static_cast<uint64_t>(most - 1));
    for (; height >= 1; height /= 2) {
      Value left = arith::SubIOp::create(b, loc, size, end);
      Value whole = arith::MulIOp::create(
          b, loc, arith::DivUIOp::create(b, loc, left, index(height)), index(height));
      Value next = arith::AddIOp::create(b, loc, end, whole);
      tileLoop(dim, end, next, height, height, rest);
      end = next;
    }
  }

  // ---- products with panels ----

  bool startsDepthBlocks(ArrayRef<unsigned> order) {
    if (!schedule.product || !schedule.product->depthBlock || depthFrom)
      return false;
    return order.empty() || (!tile.isVector(order.front()) && unroll[order.front()] > 1);
  }

  /// The rows pass once for each block of the depth; what they have so far is in the output.
  void emitDepthBlocks(ArrayRef<unsigned> order) {
    unsigned depth = schedule.product->depth;
    int64_t block = schedule.product->depthBlock, size = *getConstantIntValue(tile.sizes[depth]);
    loop(index(0), index(size), block, [&](Value iv) {
      depthFrom = iv;
      AffineExpr d0 = b.getAffineDimExpr(0);
      SmallVector<AffineExpr> ends = {d0 + block};
      if (size % block != 0)
        ends.push_back(b.getAffineConstantExpr(size));
      depthTo =
          affine::makeComposedAffineMin(b, loc, AffineMap::get(1, 0, ends, b.getContext()), {iv});
      emitParallel(order);
    });
    depthFrom = depthTo = Value();
  }

  void emitRowFetch() {
    unsigned operand = schedule.rowStream->operand;
    for (const Coordinates &c : tile.positions(tile.maps[operand]))
      tile.prefetch(operand, c, schedule.rowStream->depth, kRowsAhead);
  }

  bool fetchesPanels() const {
    const PanelProduct &product = *schedule.product;
    return product.prefetch && !schedule.stream && product.rows && unroll[*product.rows] > 1;
  }

  void tileLoop(unsigned dim, Value from, Value to, int64_t step, int64_t count,
                ArrayRef<unsigned> rest) {
    loop(from, to, step, [&](Value iv) {
      tile.base[dim] = iv;
      tile.factor[dim] = count;
      emitParallel(rest);
    });
  }

  void tileOnce(unsigned dim, Value at, int64_t count, ArrayRef<unsigned> rest) {
    tile.base[dim] = at;
    tile.factor[dim] = count;
    emitParallel(rest);
  }

  /// The last `count` vectors along `dim`, of which the last is partial.
  void ragged(unsigned dim, Value at, int64_t count, ArrayRef<unsigned> rest) {
    tile.base[dim] = at;
    tile.factor[dim] = count;
    if (!tile.loadsElements(dim)) {
      Value last = arith::AddIOp::create(b, loc, at, index((count - 1) * tile.lanes));
      Value left = arith::SubIOp::create(b, loc, sizeOf(dim), last);
      tile.mask = tile.createMask(left);
      if (auto size = getConstantIntValue(tile.sizes[dim]))
        tile.lanesLeft = *size % tile.lanes;
      emitParallel(rest);
      tile.mask = Value();
      tile.lanesLeft.reset();
      return;
    }
    unsigned saved = tile.lanes;
    tile.lanes = 1;
    loop(at, sizeOf(dim), 1, [&](Value iv) {
      tile.base[dim] = iv;
      emitParallel(rest);
    });
    tile.lanes = saved;
  }

  // ---- the register tile ----

  unsigned initIndex(unsigned i) { return op.getNumDpsInputs() + i; }

  void emitTile() {
    unsigned numInits = op.getNumDpsInits();
    SmallVector<SmallVector<Coordinates>> places(numInits);
    SmallVector<Value> accumulators;
    SmallVector<bool> initUsed(numInits);
    for (unsigned i = 0; i < numInits; ++i) {
      places[i] = tile.positions(tile.maps[initIndex(i)]);
      initUsed[i] = !body.getArgument(initIndex(i)).use_empty();
    }
    SmallVector<unsigned> reductions;
    for (unsigned dim = 0; dim < numLoops; ++dim)
      if (reduces(dim) && !tile.isVector(dim))
        reductions.push_back(dim);
    bool vectorReduction = tile.lanes > 1 && schedule.vectorDim && reduces(*schedule.vectorDim);
    if (vectorReduction)
      reductions.push_back(*schedule.vectorDim);

    SmallVector<Combiner> combined;
    for (unsigned i = 0; vectorReduction && i < numInits; ++i)
      combined.push_back(*combiner(i));
    for (unsigned i = 0; i < numInits; ++i)
      for (const Coordinates &c : places[i]) {
        if (reductions.empty() && !initUsed[i])
          accumulators.push_back(Value());
        else if (vectorReduction)
          accumulators.push_back(
              identityVector(b, loc, combined[i].kind, tile.elementType(initIndex(i)), tile.lanes));
        else if (fusion.fill)
          accumulators.push_back(startVector());
        else
          accumulators.push_back(tile.load(initIndex(i), c));
      }
    SmallVector<Value> results = emitReductions(reductions, accumulators, places);

    unsigned at = 0;
    for (unsigned i = 0; i < numInits; ++i)
      for (const Coordinates &c : places[i]) {
        Value value = results[at++];
        if (vectorReduction) {
          Value start = fusion.fill ? startValue() : tile.loadScalar(initIndex(i), c);
          value = vector::ReductionOp::create(b, loc, combined[i].kind, value, start,
                                              combined[i].flags | arith::FastMathFlags::reassoc);
        }
        if (fusion.storesResult)
          tile.store(initIndex(i), c, value, vectorReduction);
        results[at - 1] = value;
      }
    if (!fusion.epilogues.empty())
      finish(results, places[0]);
  }

  /// The elementwise work that follows, on the results while they are in registers.
  void finish(ArrayRef<Value> results, ArrayRef<Coordinates> places) {
    bool scalar = tile.lanes == 1 || reduces(*schedule.vectorDim);
    // What does not move with the rows (a bias) is loaded once.
    DenseMap<std::pair<OpOperand *, unsigned>, Value> loaded;
    for (auto [result, c] : llvm::zip(results, places)) {
      auto load = [&](OpOperand &operand, AffineMap map) {
        Coordinates own = tile.project(map, c);
        Value &once = loaded[{&operand, tile.packed(own)}];
        if (!once)
          once = tile.loadFrom(operand.get(), map, own);
        return once;
      };
      auto clone = [&](Operation &inner, IRMapping &mapping) { cloneOnVectors(inner, mapping, c); };
      auto store = [&](OpOperand &init, AffineMap map, Value value) {
        if (!scalar)
          value = onVector(b, loc, value, tile.lanes);
        tile.storeTo(init.get(), map, c, value, scalar);
        return value;
      };
      emitEpilogues(fusion, op.getDpsInits()[0], result, load, clone, store);
    }
  }

  Value startValue() { return fusion.fill->getOperand(0); }

  /// The vector that the accumulators start from.
  Value startVector() {
    Value value = startValue();
    if (tile.lanes == 1 || !tile.maps[initIndex(0)].isFunctionOfDim(*schedule.vectorDim))
      return value;
    return vector::BroadcastOp::create(b, loc, VectorType::get(tile.lanes, value.getType()), value);
  }

  /// Nested reduction loops that carry the accumulators; the tile's body at the bottom.
  SmallVector<Value> emitReductions(ArrayRef<unsigned> dims, ArrayRef<Value> accumulators,
                                    ArrayRef<SmallVector<Coordinates>> places) {
    if (dims.empty())
      return emitBody(accumulators, places);
    unsigned dim = dims.front();
    auto carry = [&](Value from, Value to, int64_t step, ArrayRef<Value> init) {
      auto forOp = scf::ForOp::create(b, loc, from, to, index(step), init);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(forOp.getBody());
      tile.base[dim] = forOp.getInductionVar();
      if (schedule.product && dim == schedule.product->depth && fetchesPanels())
        emitPanelPrefetch(b, op, *schedule.product, tile, depthFrom);
      if (schedule.rowStream && dim == schedule.rowStream->depth && accumulators.size() >= kMinSumsToFetch)
        emitRowFetch();
      SmallVector<Value> carried(forOp.getRegionIterArgs());
      SmallVector<Value> inside = emitReductions(dims.drop_front(), carried, places);
      scf::YieldOp::create(b, loc, inside);
      return SmallVector<Value>(forOp.getResults());
    };
    if (!tile.isVector(dim)) {
      // A window's innermost taps are written out: a loop of three would cost as much as its body.
      std::optional<int64_t> taps = getConstantIntValue(tile.sizes[dim]);
      if (dims.size() > 1 || !taps || *taps > kMaxUnrolledTaps || tile.lanes == 1)
        return depthFrom ? carry(depthFrom, depthTo, 1, accumulators)
                         : carry(index(0), sizeOf(dim), 1, accumulators);
      SmallVector<Value> values(accumulators);
      for (int64_t tap = 0; tap < *taps; ++tap) {
        tile.base[dim] = index(tap);
        values = emitReductions({}, values, places);
      }
      return values;
    }

    std::optional<int64_t> size = getConstantIntValue(tile.sizes[dim]);
    AffineExpr d0 = b.getAffineDimExpr(0);
    Value whole = getValueOrCreateConstantIndexOp(
        b, loc,
        affine::makeComposedFoldedAffineApply(b, loc, d0.floorDiv(tile.lanes) * tile.lanes,
                                              {tile.sizes[dim]}));
    SmallVector<Value> values(accumulators);
    Value from = index(0);
    if (int64_t step = tile.lanes * sumsSideBySide(accumulators.size());
        step > tile.lanes && (!size || *size >= 2 * step)) {
      Value end = getValueOrCreateConstantIndexOp(
          b, loc,
          affine::makeComposedFoldedAffineApply(b, loc, d0.floorDiv(step) * step, {tile.sizes[dim]}));
      values = emitSideBySide(dim, end, step, accumulators, places);
      from = end;
    }
    if (!size || *size >= tile.lanes)
      values = carry(from, whole, tile.lanes, values);
    if (size && *size % tile.lanes == 0)
      return values;
    // The ragged end: lanes past it keep their accumulator.
    Value savedMask = tile.mask;
    tile.base[dim] = whole;
    tile.mask = tile.createMask(arith::SubIOp::create(b, loc, sizeOf(dim), whole));
    SmallVector<Value> ended = emitReductions(dims.drop_front(), values, places);
    for (auto [value, before] : llvm::zip(ended, values))
      value = arith::SelectOp::create(b, loc, tile.mask, value, before);
    tile.mask = savedMask;
    return ended;
  }

  /// A single sum waits for each addition: so many go side by side where the tile has few.
  static int64_t sumsSideBySide(size_t accumulators) {
    return accumulators <= 2 ? 4 : accumulators <= 4 ? 2 : 1;
  }

  /// Several sums along the vector dimension `dim` from 0 to `end`, added up behind the loop.
  SmallVector<Value> emitSideBySide(unsigned dim, Value end, int64_t step,
                                    ArrayRef<Value> accumulators,
                                    ArrayRef<SmallVector<Coordinates>> places) {
    size_t count = accumulators.size();
    auto combinerOf = [&](size_t i) { return *combiner(i / places[0].size()); };
    SmallVector<Value> starts(accumulators);
    while (starts.size() < count * (step / tile.lanes)) {
      size_t i = starts.size() % count;
      Type element = getElementTypeOrSelf(accumulators[i].getType());
      starts.push_back(identityVector(b, loc, combinerOf(i).kind, element, tile.lanes));
    }
    auto forOp = scf::ForOp::create(b, loc, index(0), end, index(step), starts);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(forOp.getBody());
      SmallVector<Value> carried(forOp.getRegionIterArgs()), inside;
      for (int64_t at = 0; at < step; at += tile.lanes) {
        tile.base[dim] = at ? arith::AddIOp::create(b, loc, forOp.getInductionVar(), index(at))
                            : forOp.getInductionVar();
        inside.append(emitBody(ArrayRef(carried).slice(inside.size(), count), places));
      }
      scf::YieldOp::create(b, loc, inside);
    }
    SmallVector<Value> sums(forOp.getResults());
    for (; sums.size() > count; sums.truncate(sums.size() / 2))
      for (size_t i = 0, half = sums.size() / 2; i < half; ++i) {
        Combiner with = combinerOf(i % count);
        sums[i] = vector::makeArithReduction(
            b, loc, with.kind, sums[i], sums[i + half],
            arith::FastMathFlagsAttr::get(b.getContext(), with.flags), /*mask=*/Value());
      }
    return sums;
  }

  SmallVector<Value> emitBody(ArrayRef<Value> accumulators,
                              ArrayRef<SmallVector<Coordinates>> places) {
    if (schedule.stream && tile.lanes > 1)
      emitWeightFetch(b, op, *schedule.stream, tile.base, tile.factor);
    DenseMap<std::pair<unsigned, unsigned>, Value> cache; // operand, packed coordinates
    tile.startStep();
    auto loadOnce = [&](unsigned operand, const Coordinates &c) {
      Coordinates own = tile.project(tile.maps[operand], c);
      Value &value = cache[{operand, tile.packed(own)}];
      if (!value)
        value = tile.load(operand, own);
      return value;
    };
    // Every init has the same tile except for the dimensions it lacks; inits of
    // one operation share their map in practice, so walk them together.
    SmallVector<Value> results(accumulators.size());
    unsigned perInit = places[0].size();
    for (unsigned p = 0; p < perInit; ++p) {
      const Coordinates &c = places[0][p];
      IRMapping mapping;
      for (unsigned operand = 0, e = op.getNumDpsInputs(); operand < e; ++operand)
        if (!body.getArgument(operand).use_empty())
          mapping.map(body.getArgument(operand), loadOnce(operand, c));
      for (unsigned i = 0, e = op.getNumDpsInits(); i < e; ++i)
        if (Value accumulator = accumulators[i * perInit + p])
          mapping.map(body.getArgument(initIndex(i)), accumulator);
      for (Operation &inner : body.without_terminator())
        cloneOnVectors(inner, mapping, c);
      for (auto [i, yielded] : llvm::enumerate(body.getTerminator()->getOperands())) {
        Value value = mapping.lookupOrDefault(yielded);
        Value accumulator = accumulators[i * perInit + p];
        if (accumulator)
          if (auto type = dyn_cast<VectorType>(accumulator.getType()))
            value = onVector(b, loc, value, type.getNumElements());
        results[i * perInit + p] = value;
      }
    }
    return results;
  }

  void cloneOnVectors(Operation &inner, IRMapping &mapping, const Coordinates &c) {
    if (auto indexOp = dyn_cast<linalg::IndexOp>(inner)) {
      unsigned dim = indexOp.getDim();
      Value value = tile.position(dim, c);
      if (tile.isVector(dim)) {
        auto type = VectorType::get(tile.lanes, b.getIndexType());
        Value step = vector::StepOp::create(b, loc, type);
        value =
            arith::AddIOp::create(b, loc, vector::BroadcastOp::create(b, loc, type, value), step);
      }
      mapping.map(inner.getResult(0), value);
      return;
    }
    allowContraction(onnxc::cloneOnVectors(b, loc, inner, mapping, tile.lanes));
  }

  /// A product and the sum it goes into may become one fused multiply-add.
  void allowContraction(Operation *clone) {
    if (op.getNumReductionLoops() == 0)
      return;
    if (auto mul = dyn_cast<arith::MulFOp>(clone))
      mul.setFastmath(mul.getFastmath() | arith::FastMathFlags::contract);
    else if (auto add = dyn_cast<arith::AddFOp>(clone))
      add.setFastmath(add.getFastmath() | arith::FastMathFlags::contract);
  }

  RewriterBase &b;
  linalg::LinalgOp op;
  Location loc;
  const LoopSchedule &schedule;
  const LoopFusion &fusion;
  SmallVector<utils::IteratorType> iterators;
  unsigned numLoops;
  Block &body;
  RegisterTile tile;
  SmallVector<unsigned> unroll; // the schedule's factors
  Value depthFrom, depthTo;     // the block of a product's depth
};

} // namespace

LogicalResult emitLoops(RewriterBase &rewriter, linalg::LinalgOp op, const LoopSchedule &schedule,
                        const LoopFusion &fusion) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(fusion.place(op));
  if (failed(Emitter(rewriter, op, schedule, fusion).run()))
    return failure();
  fusion.erase(rewriter, op);
  return success();
}

} // namespace onnxc
