// The emitter behind LoopEmitter.h. Loops are built outermost first; the tile at the
// bottom loads every operand once for the coordinates it depends on, clones the body on
// vectors, and carries the accumulators through the reduction loops. What
// does not divide goes into a second, smaller tile; its last vector is masked.
#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "StridedLoads.h"
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
/// Elements further apart than this are loaded one by one.
constexpr int64_t kMaxStep = 8;

class Emitter {
public:
  Emitter(RewriterBase &b, linalg::LinalgOp op, const LoopSchedule &schedule,
          const LoopFusion &fusion)
      : b(b), op(op), loc(op.getLoc()), schedule(schedule), fusion(fusion),
        maps(op.getIndexingMapsArray()),
        iterators(op.getIteratorTypesArray()), numLoops(op.getNumLoops()),
        unroll(schedule.unroll), body(op->getRegion(0).front()) {}

  LogicalResult run() {
    for (Range range : op.createLoopRanges(b, loc))
      sizes.push_back(range.size);
    base.assign(numLoops, Value());
    factor.assign(numLoops, 1);
    lanes = schedule.lanes;
    if (schedule.vectorDim && reduces(*schedule.vectorDim) && !combines())
      return failure();
    const std::optional<PanelProduct> &product = schedule.product;
    if (!product || product->streams <= 1 || !product->rows ||
        getConstantIntValue(sizes[*product->rows])) {
      emitNest();
      return success();
    }
    // How many rows there are is known at run time only: a single one gets a nest of its own.
    unsigned rows = *product->rows;
    OpFoldResult numRows = sizes[rows];
    Value isOne = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, sizeOf(rows), index(1));
    auto ifOp = scf::IfOp::create(b, loc, isOne, /*withElse=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(ifOp.thenBlock());
    sizes[rows] = b.getIndexAttr(1);
    unroll[rows] = 1;
    unroll[product->panels] = product->streams;
    emitNest();
    sizes[rows] = numRows;
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
  bool isVector(unsigned dim) const { return lanes > 1 && schedule.vectorDim == dim; }
  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value sizeOf(unsigned dim) { return getValueOrCreateConstantIndexOp(b, loc, sizes[dim]); }
  /// The largest multiple that is not above the (dynamic) size.
  Value floorTo(unsigned dim, int64_t multiple) {
    AffineExpr d0 = b.getAffineDimExpr(0);
    return affine::makeComposedAffineApply(b, loc, d0.floorDiv(multiple) * multiple, {sizes[dim]});
  }

  /// The operation that combines with the accumulator, for a horizontal reduction.
  std::optional<vector::CombiningKind> combiner(unsigned init) {
    SmallVector<Operation *, 4> combiners;
    if (!matchReduction(op.getRegionOutputArgs(), init, combiners) || combiners.size() != 1)
      return std::nullopt;
    return linalg::getCombinerOpKind(combiners[0]);
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
    if (!isVector(dim) && unroll[dim] > 1 && op.getNumReductionLoops() > 0)
      return emitRows(dim, rest);
    int64_t step = unroll[dim] * (isVector(dim) ? lanes : 1);
    std::optional<int64_t> size = getConstantIntValue(sizes[dim]);
    if (step == 1) {
      factor[dim] = 1;
      loop(index(0), sizeOf(dim), 1, [&](Value iv) {
        base[dim] = iv;
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
      if (!isVector(dim))
        return tileOnce(dim, index(whole), left, rest);
      // One tile for what is left; its last vector may be partial.
      int64_t vectors = llvm::divideCeil(left, lanes);
      if (left % lanes == 0)
        return tileOnce(dim, index(whole), vectors, rest);
      ragged(dim, index(whole), vectors, rest);
      return;
    }
    // The main tile, then single steps, then a ragged vector.
    Value whole = floorTo(dim, step);
    tileLoop(dim, index(0), whole, step, unroll[dim], rest);
    int64_t single = isVector(dim) ? lanes : 1;
    Value singles = single == 1 ? sizeOf(dim) : floorTo(dim, single);
    if (unroll[dim] > 1)
      tileLoop(dim, whole, singles, single, 1, rest);
    if (!isVector(dim))
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
    if (std::optional<int64_t> size = getConstantIntValue(sizes[dim])) {
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
      Value wanted = affine::makeComposedAffineApply(b, loc, tall * most, {sizes[dim]});
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
    return order.empty() || (!isVector(order.front()) && unroll[order.front()] > 1);
  }

  /// The rows pass once for each block of the depth; what they have so far is in the output.
  void emitDepthBlocks(ArrayRef<unsigned> order) {
    unsigned depth = schedule.product->depth;
    int64_t block = schedule.product->depthBlock, size = *getConstantIntValue(sizes[depth]);
    loop(index(0), index(size), block, [&](Value iv) {
      depthFrom = iv;
      AffineExpr d0 = b.getAffineDimExpr(0);
      SmallVector<AffineExpr> ends = {d0 + block};
      if (size % block != 0)
        ends.push_back(b.getAffineConstantExpr(size));
      depthTo = affine::makeComposedAffineMin(
          b, loc, AffineMap::get(1, 0, ends, b.getContext()), {iv});
      emitParallel(order);
    });
    depthFrom = depthTo = Value();
  }

  /// Asks for a part of the next block of the panels, so that it comes from memory while this
  /// one is worked on: every tile of rows fetches its share.
  void emitPrefetch() {
    const PanelProduct &product = *schedule.product;
    if (!product.prefetch || schedule.stream || !product.rows || unroll[*product.rows] < 2)
      return;
    unsigned rows = *product.rows;
    OpFoldResult numRows = sizes[rows];
    int64_t depth = *getConstantIntValue(sizes[product.depth]);
    int64_t width = *getConstantIntValue(sizes[*schedule.vectorDim]);
    int64_t block = product.depthBlock ? product.depthBlock : depth;
    // Elements for one row of the product, and for one step along the depth.
    int64_t tall = factor[rows];
    auto share = [&](int64_t elements) {
      AffineExpr size = b.getAffineDimExpr(0);
      AffineExpr each = b.getAffineConstantExpr(elements).ceilDiv(size);
      return getValueOrCreateConstantIndexOp(
          b, loc,
          affine::makeComposedFoldedAffineApply(b, loc, AffineMap::get(1, 0, each), {numRows}));
    };
    Value done = base[product.depth];
    if (depthFrom)
      done = arith::SubIOp::create(b, loc, done, depthFrom);
    Value start = arith::MulIOp::create(b, loc, base[rows], share(block * width));
    Value at = arith::AddIOp::create(
        b, loc, start, arith::MulIOp::create(b, loc, done, share(tall * width)));
    Value next = arith::AddIOp::create(b, loc, depthFrom ? depthFrom : index(0), index(block));
    auto prefetch = [&](Value element) {
      memref::PrefetchOp::create(b, loc, op->getOperand(product.operand),
                                 ValueRange{base[product.panels], next, element},
                                 /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
    };
    prefetch(at);
    // Few rows: one line a step is not enough.
    std::optional<int64_t> size = getConstantIntValue(numRows);
    int64_t line = 64 * 8 / elementType(product.operand).getIntOrFloatBitWidth();
    for (int64_t more = line; size && more < llvm::divideCeil(tall * width, *size); more += line)
      prefetch(arith::AddIOp::create(b, loc, at, index(more)));
  }

  void tileLoop(unsigned dim, Value from, Value to, int64_t step, int64_t count,
                ArrayRef<unsigned> rest) {
    loop(from, to, step, [&](Value iv) {
      base[dim] = iv;
      factor[dim] = count;
      emitParallel(rest);
    });
  }

  void tileOnce(unsigned dim, Value at, int64_t count, ArrayRef<unsigned> rest) {
    base[dim] = at;
    factor[dim] = count;
    emitParallel(rest);
  }

  /// The last `count` vectors along `dim`, of which the last is partial.
  void ragged(unsigned dim, Value at, int64_t count, ArrayRef<unsigned> rest) {
    base[dim] = at;
    factor[dim] = count;
    if (!loadsElements(dim)) {
      Value last = arith::AddIOp::create(b, loc, at, index((count - 1) * lanes));
      Value left = arith::SubIOp::create(b, loc, sizeOf(dim), last);
      mask = createMask(left);
      if (auto size = getConstantIntValue(sizes[dim]))
        lanesLeft = *size % lanes;
      emitParallel(rest);
      mask = Value();
      lanesLeft.reset();
      return;
    }
    unsigned saved = lanes;
    lanes = 1;
    loop(at, sizeOf(dim), 1, [&](Value iv) {
      base[dim] = iv;
      emitParallel(rest);
    });
    lanes = saved;
  }

  Value createMask(Value count) {
    return vector::CreateMaskOp::create(b, loc, VectorType::get(lanes, b.getI1Type()),
                                        ValueRange{count});
  }

  // ---- the register tile ----

  using Coordinates = SmallVector<unsigned>;

  /// All positions of the tile along the given dimensions.
  SmallVector<Coordinates> positions(AffineMap map) {
    SmallVector<Coordinates> result = {Coordinates(numLoops, 0)};
    for (unsigned dim = 0; dim < numLoops; ++dim) {
      if (factor[dim] == 1 || !map.isFunctionOfDim(dim))
        continue;
      SmallVector<Coordinates> next;
      for (const Coordinates &c : result)
        for (unsigned i = 0; i < factor[dim]; ++i) {
          next.push_back(c);
          next.back()[dim] = i;
        }
      result = std::move(next);
    }
    return result;
  }

  /// The position with only what `map` depends on.
  Coordinates project(AffineMap map, const Coordinates &c) {
    Coordinates own(numLoops, 0);
    for (unsigned dim = 0; dim < numLoops; ++dim)
      if (map.isFunctionOfDim(dim))
        own[dim] = c[dim];
    return own;
  }

  /// The position as one number; the tile is small, so it fits.
  unsigned packed(const Coordinates &c) {
    unsigned key = 0;
    for (unsigned dim = 0; dim < numLoops; ++dim)
      key = key * factor[dim] + c[dim];
    return key;
  }

  unsigned initIndex(unsigned i) { return op.getNumDpsInputs() + i; }

  void emitTile() {
    unsigned numInits = op.getNumDpsInits();
    SmallVector<SmallVector<Coordinates>> places(numInits);
    SmallVector<Value> accumulators;
    SmallVector<bool> initUsed(numInits);
    for (unsigned i = 0; i < numInits; ++i) {
      places[i] = positions(maps[initIndex(i)]);
      initUsed[i] = !body.getArgument(initIndex(i)).use_empty();
    }
    SmallVector<unsigned> reductions;
    for (unsigned dim = 0; dim < numLoops; ++dim)
      if (reduces(dim) && !isVector(dim))
        reductions.push_back(dim);
    bool vectorReduction = lanes > 1 && schedule.vectorDim && reduces(*schedule.vectorDim);
    if (vectorReduction)
      reductions.push_back(*schedule.vectorDim);

    SmallVector<vector::CombiningKind> kinds;
    for (unsigned i = 0; vectorReduction && i < numInits; ++i)
      kinds.push_back(*combiner(i));
    for (unsigned i = 0; i < numInits; ++i)
      for (const Coordinates &c : places[i]) {
        if (reductions.empty() && !initUsed[i])
          accumulators.push_back(Value());
        else if (vectorReduction)
          accumulators.push_back(identityVector(b, loc, kinds[i], elementType(initIndex(i)), lanes));
        else if (fusion.fill)
          accumulators.push_back(startVector());
        else
          accumulators.push_back(load(initIndex(i), c));
      }
    SmallVector<Value> results = emitReductions(reductions, accumulators, places);

    unsigned at = 0;
    for (unsigned i = 0; i < numInits; ++i)
      for (const Coordinates &c : places[i]) {
        Value value = results[at++];
        if (vectorReduction) {
          Value start = fusion.fill ? startValue() : loadScalar(initIndex(i), c);
          value = vector::ReductionOp::create(b, loc, kinds[i], value, start,
                                              arith::FastMathFlags::reassoc);
        }
        if (fusion.storesResult)
          store(initIndex(i), c, value, vectorReduction);
        results[at - 1] = value;
      }
    if (!fusion.epilogues.empty())
      emitEpilogues(results, places[0]);
  }

  Value startValue() { return fusion.fill->getOperand(0); }

  /// The vector that the accumulators start from.
  Value startVector() {
    Value value = startValue();
    if (lanes == 1 || !maps[initIndex(0)].isFunctionOfDim(*schedule.vectorDim))
      return value;
    return vector::BroadcastOp::create(b, loc, VectorType::get(lanes, value.getType()), value);
  }

  /// The elementwise work that follows, on the results while they are in registers.
  void emitEpilogues(ArrayRef<Value> results, ArrayRef<Coordinates> places) {
    bool scalar = lanes == 1 || reduces(*schedule.vectorDim);
    // What does not move with the rows (a bias) is loaded once.
    DenseMap<std::pair<OpOperand *, unsigned>, Value> loaded;
    for (auto [p, c] : llvm::enumerate(places)) {
      DenseMap<Value, Value> held; // elements of memrefs that are in registers
      held[op.getDpsInits()[0]] = results[p];
      for (const Epilogue &epilogue : fusion.epilogues) {
        linalg::GenericOp generic = epilogue.op;
        Block &block = generic.getRegion().front();
        IRMapping mapping;
        for (OpOperand &operand : generic->getOpOperands()) {
          unsigned number = operand.getOperandNumber();
          BlockArgument argument = block.getArgument(number);
          if (argument.use_empty())
            continue;
          Value value = held.lookup(operand.get());
          if (!value) {
            Coordinates own = project(epilogue.maps[number], c);
            Value &once = loaded[{&operand, packed(own)}];
            if (!once)
              once = loadFrom(operand.get(), epilogue.maps[number], own);
            value = once;
          }
          mapping.map(argument, value);
        }
        for (Operation &inner : block.without_terminator())
          cloneOnVectors(inner, mapping, c);
        for (auto [i, yielded] : llvm::enumerate(block.getTerminator()->getOperands())) {
          OpOperand &init = *generic.getDpsInitOperand(i);
          Value value = mapping.lookupOrDefault(yielded);
          if (!scalar)
            value = broadcastLike(value, VectorType::get(lanes, value.getType()));
          storeTo(init.get(), epilogue.maps[init.getOperandNumber()], c, value, scalar);
          held[init.get()] = value;
        }
      }
    }
  }

  Type elementType(unsigned operand) {
    return getElementTypeOrSelf(op->getOperand(operand).getType());
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
      base[dim] = forOp.getInductionVar();
      if (schedule.product && dim == schedule.product->depth)
        emitPrefetch();
      SmallVector<Value> carried(forOp.getRegionIterArgs());
      SmallVector<Value> inside = emitReductions(dims.drop_front(), carried, places);
      scf::YieldOp::create(b, loc, inside);
      return SmallVector<Value>(forOp.getResults());
    };
    if (!isVector(dim)) {
      // A window's innermost taps are written out: a loop of three would cost as much as its body.
      std::optional<int64_t> taps = getConstantIntValue(sizes[dim]);
      if (dims.size() > 1 || !taps || *taps > kMaxUnrolledTaps || lanes == 1)
        return depthFrom ? carry(depthFrom, depthTo, 1, accumulators)
                         : carry(index(0), sizeOf(dim), 1, accumulators);
      SmallVector<Value> values(accumulators);
      for (int64_t tap = 0; tap < *taps; ++tap) {
        base[dim] = index(tap);
        values = emitReductions({}, values, places);
      }
      return values;
    }

    std::optional<int64_t> size = getConstantIntValue(sizes[dim]);
    AffineExpr d0 = b.getAffineDimExpr(0);
    Value whole = getValueOrCreateConstantIndexOp(
        b, loc,
        affine::makeComposedFoldedAffineApply(b, loc, d0.floorDiv(lanes) * lanes, {sizes[dim]}));
    SmallVector<Value> values(accumulators);
    if (!size || *size >= lanes)
      values = carry(index(0), whole, lanes, accumulators);
    if (size && *size % lanes == 0)
      return values;
    // The ragged end: lanes past it keep their accumulator.
    Value savedMask = mask;
    base[dim] = whole;
    mask = createMask(arith::SubIOp::create(b, loc, sizeOf(dim), whole));
    SmallVector<Value> ended = emitReductions(dims.drop_front(), values, places);
    for (auto [value, before] : llvm::zip(ended, values))
      value = arith::SelectOp::create(b, loc, mask, value, before);
    mask = savedMask;
    return ended;
  }

  SmallVector<Value> emitBody(ArrayRef<Value> accumulators,
                              ArrayRef<SmallVector<Coordinates>> places) {
    if (schedule.stream && lanes > 1)
      emitWeightFetch(b, op, *schedule.stream, *schedule.vectorDim, base, factor);
    DenseMap<std::pair<unsigned, unsigned>, Value> cache; // operand, packed coordinates
    turned.clear();
    auto loadOnce = [&](unsigned operand, const Coordinates &c) {
      Coordinates own = project(maps[operand], c);
      Value &value = cache[{operand, packed(own)}];
      if (!value)
        value = load(operand, own);
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
        if (Value accumulator = accumulators[i * perInit + p])
          value = broadcastLike(value, accumulator.getType());
        results[i * perInit + p] = value;
      }
    }
    return results;
  }

  Value broadcastLike(Value value, Type type) {
    if (isa<VectorType>(type) && !isa<VectorType>(value.getType()))
      return vector::BroadcastOp::create(b, loc, type, value);
    return value;
  }

  void cloneOnVectors(Operation &inner, IRMapping &mapping, const Coordinates &c) {
    if (auto indexOp = dyn_cast<linalg::IndexOp>(inner)) {
      unsigned dim = indexOp.getDim();
      Value value = position(dim, c);
      if (isVector(dim)) {
        auto type = VectorType::get(lanes, b.getIndexType());
        Value step = vector::StepOp::create(b, loc, type);
        value = arith::AddIOp::create(b, loc, vector::BroadcastOp::create(b, loc, type, value),
                                      step);
      }
      mapping.map(inner.getResult(0), value);
      return;
    }
    allowContraction(onnxc::cloneOnVectors(b, loc, inner, mapping, lanes));
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

  // ---- memory ----

  /// The loop index of `dim` at a tile position.
  Value position(unsigned dim, const Coordinates &c) {
    if (c[dim] == 0)
      return base[dim];
    int64_t offset = static_cast<int64_t>(c[dim]) * (isVector(dim) ? lanes : 1);
    return arith::AddIOp::create(b, loc, base[dim], index(offset));
  }

  SmallVector<Value> indices(unsigned operand, const Coordinates &c,
                             std::optional<std::pair<unsigned, int64_t>> shift = std::nullopt) {
    return indices(maps[operand], c, shift);
  }

  SmallVector<Value> indices(AffineMap map, const Coordinates &c,
                             std::optional<std::pair<unsigned, int64_t>> shift = std::nullopt) {
    SmallVector<OpFoldResult> dims;
    for (unsigned dim = 0; dim < numLoops; ++dim) {
      if (!map.isFunctionOfDim(dim)) {
        dims.push_back(b.getIndexAttr(0));
        continue;
      }
      Value at = position(dim, c);
      if (shift && shift->first == dim && shift->second != 0)
        at = arith::AddIOp::create(b, loc, at, index(shift->second));
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

  bool isContiguous(unsigned operand, unsigned dim) {
    auto type = cast<MemRefType>(op->getOperand(operand).getType());
    return classifyAccess(maps[operand], type, dim) == Access::Contiguous;
  }

  /// Whether the operand is contiguous along the dimension that the tile turns.
  bool isTurned(unsigned operand) {
    return schedule.turnDim && factor[*schedule.turnDim] > 1 &&
           !isContiguous(operand, *schedule.vectorDim) &&
           isContiguous(operand, *schedule.turnDim);
  }

  /// The step between an operand's elements in a vector, if few whole vectors hold them all.
  std::optional<int64_t> shortStep(unsigned operand) {
    auto type = cast<MemRefType>(op->getOperand(operand).getType());
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(type.getStridesAndOffset(strides, offset)) || strides.empty() || strides.back() != 1)
      return std::nullopt;
    auto step = constantStep(maps[operand], type, *schedule.vectorDim);
    bool isShort = step && (*step == -1 || (*step > 1 && *step <= std::min(kMaxStep, lanes)));
    return isShort ? step : std::nullopt;
  }

  /// Whether a partial vector along `dim` would be put together from elements without it being
  /// known how many there are.
  bool loadsElements(unsigned dim) {
    if (getConstantIntValue(sizes[dim]))
      return false;
    for (unsigned operand = 0, e = op->getNumOperands(); operand < e; ++operand)
      if (isa<MemRefType>(op->getOperand(operand).getType()) &&
          maps[operand].isFunctionOfDim(dim) && !body.getArgument(operand).use_empty() &&
          !isContiguous(operand, dim))
        return true;
    return false;
  }

  /// The vector at this position of the tile is the partial one.
  bool isPartial(const Coordinates &c) {
    unsigned dim = *schedule.vectorDim;
    return mask && c[dim] + 1 == factor[dim];
  }

  Value loadScalar(unsigned operand, const Coordinates &c) {
    return memref::LoadOp::create(b, loc, op->getOperand(operand), indices(maps[operand], c));
  }

  Value load(unsigned operand, const Coordinates &c) {
    Value source = op->getOperand(operand);
    if (!isa<MemRefType>(source.getType()) || lanes == 1 ||
        !maps[operand].isFunctionOfDim(*schedule.vectorDim) ||
        isContiguous(operand, *schedule.vectorDim))
      return loadFrom(source, maps[operand], c);
    unsigned dim = *schedule.vectorDim;
    auto type = VectorType::get(lanes, elementType(operand));
    if (isTurned(operand))
      return loadTurned(operand, c, type);
    int64_t wanted = isPartial(c) ? lanesLeft.value_or(lanes) : lanes;
    if (auto step = shortStep(operand)) {
      auto load = [&](int64_t from, int64_t valid) {
        return loadVector(operand, indices(operand, c), type, from, valid);
      };
      return *step < 0 ? loadReversed(b, loc, wanted, lanes, load)
                       : loadEvery(b, loc, *step, wanted, lanes, load);
    }
    SmallVector<Value> elements;
    for (int64_t lane = 0; lane < wanted; ++lane)
      elements.push_back(memref::LoadOp::create(
          b, loc, source, indices(operand, c, std::make_pair(dim, lane))));
    elements.resize(lanes, elements.front());
    return vector::FromElementsOp::create(b, loc, type, elements);
  }

  /// An element of memory, or a vector where the map is contiguous along the vector dimension.
  Value loadFrom(Value source, AffineMap map, const Coordinates &c) {
    auto memref = dyn_cast<MemRefType>(source.getType());
    if (!memref)
      return source;
    SmallVector<Value> at = indices(map, c);
    if (lanes == 1 || !map.isFunctionOfDim(*schedule.vectorDim))
      return memref::LoadOp::create(b, loc, source, at);
    auto type = VectorType::get(lanes, memref.getElementType());
    if (!isPartial(c))
      return vector::LoadOp::create(b, loc, type, source, at);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(b, loc, type, source, at, mask, zero);
  }

  /// A vector from `from` elements after the position on, of which only `valid` are read.
  Value loadVector(unsigned operand, SmallVector<Value> at, VectorType type, int64_t from,
                   int64_t valid) {
    if (from != 0)
      at.back() = arith::AddIOp::create(b, loc, at.back(), index(from));
    Value source = op->getOperand(operand);
    if (valid == type.getNumElements())
      return vector::LoadOp::create(b, loc, type, source, at);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(b, loc, type, source, at, createMask(index(valid)), zero);
  }

  /// One row of the tile, all of which is loaded along the dimension that it turns, at the first row.
  Value loadTurned(unsigned operand, const Coordinates &c, VectorType type) {
    unsigned dim = *schedule.vectorDim, turn = *schedule.turnDim;
    SmallVector<Value> &rows = turned[operand];
    if (rows.empty()) {
      Coordinates first = c;
      first[turn] = 0;
      int64_t wanted = isPartial(c) ? lanesLeft.value_or(lanes) : lanes;
      for (int64_t lane = 0; lane < wanted; ++lane)
        rows.push_back(loadVector(operand, indices(operand, first, std::make_pair(dim, lane)), type,
                                  0, factor[turn]));
      rows.resize(lanes, rows.front());
      transposeSquare(b, loc, rows);
    }
    return rows[c[turn]];
  }

  void store(unsigned operand, const Coordinates &c, Value value, bool scalar) {
    storeTo(op->getOperand(operand), maps[operand], c, value, scalar);
  }

  void storeTo(Value target, AffineMap map, const Coordinates &c, Value value, bool scalar) {
    SmallVector<Value> at = indices(map, c);
    if (scalar || lanes == 1 || !map.isFunctionOfDim(*schedule.vectorDim)) {
      memref::StoreOp::create(b, loc, value, target, at);
      return;
    }
    Type element = cast<MemRefType>(target.getType()).getElementType();
    value = broadcastLike(value, VectorType::get(lanes, element));
    if (isPartial(c))
      vector::MaskedStoreOp::create(b, loc, target, at, mask, value);
    else
      vector::StoreOp::create(b, loc, value, target, at);
  }

  RewriterBase &b;
  linalg::LinalgOp op;
  Location loc;
  const LoopSchedule &schedule;
  const LoopFusion &fusion;
  SmallVector<AffineMap> maps;
  SmallVector<utils::IteratorType> iterators;
  unsigned numLoops;
  Block &body;
  SmallVector<OpFoldResult> sizes;
  SmallVector<Value> base;      // first iteration of the tile, by dimension
  SmallVector<unsigned> unroll; // the schedule's factors
  Value depthFrom, depthTo;     // the block of a product's depth
  SmallVector<unsigned> factor; // tile's iterations (vectors), by dimension
  int64_t lanes = 1;
  Value mask; // lanes in use, in the ragged vector only
  std::optional<int64_t> lanesLeft; // how many these are, where that is known
  DenseMap<unsigned, SmallVector<Value>> turned; // rows of the tile, by operand
};

} // namespace

LogicalResult emitLoops(RewriterBase &rewriter, linalg::LinalgOp op, const LoopSchedule &schedule,
                        const LoopFusion &fusion) {
  OpBuilder::InsertionGuard guard(rewriter);
  Operation *place = op;
  if (!fusion.epilogues.empty())
    place = fusion.epilogues.back().op;
  rewriter.setInsertionPoint(place);
  if (failed(Emitter(rewriter, op, schedule, fusion).run()))
    return failure();
  for (const Epilogue &epilogue : fusion.epilogues)
    rewriter.eraseOp(epilogue.op);
  rewriter.eraseOp(op);
  if (fusion.fill)
    rewriter.eraseOp(fusion.fill);
  return success();
}

} // namespace onnxc
