// The emitter behind DotEmitter.h. The panels' loop lies outside of the rows' loop, so that a
// panel stays in the first-level cache while rows pass by; accumulators are carried
// through the reduction loops.
#include "onnxc/Codegen/CPU/DotEmitter.h"

#include "VectorClone.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Steps of the innermost sum that are written out instead of looped over.
constexpr int64_t kMaxUnrolledSteps = 4;
/// Accumulators of several streams of a sum together.
constexpr int64_t kMaxStreamedSums = 16;

/// The operands of a packed product and its special loops.
struct PackedDot {
  OpOperand *x = nullptr, *weights = nullptr;
  unsigned column, inner; // loops of the weights' last two dimensions
};

std::optional<PackedDot> matchPackedDot(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getBlock()->getOperations().size() != 5)
    return std::nullopt;
  auto add = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp<arith::AddIOp>();
  auto outType = dyn_cast<MemRefType>(op.getDpsInits()[0].getType());
  if (!add || !outType || !outType.getElementType().isInteger(32))
    return std::nullopt;
  BlockArgument sum = op.getRegionOutputArgs()[0];
  Value term = add.getLhs() == sum ? add.getRhs() : add.getLhs();
  auto mul = term.getDefiningOp<arith::MulIOp>();
  if (!mul || !sum.hasOneUse())
    return std::nullopt;
  PackedDot dot;
  for (Value factor : {mul.getLhs(), mul.getRhs()}) {
    Operation *ext = factor.getDefiningOp();
    if (!isa_and_nonnull<arith::ExtUIOp, arith::ExtSIOp>(ext))
      return std::nullopt;
    auto arg = dyn_cast<BlockArgument>(ext->getOperand(0));
    if (!arg || arg.getOwner() != op.getBlock() || !arg.getType().isInteger(8) || arg.getArgNumber() > 1)
      return std::nullopt;
    (isa<arith::ExtUIOp>(ext) ? dot.x : dot.weights) = op.getDpsInputOperand(arg.getArgNumber());
  }
  if (!dot.x || !dot.weights)
    return std::nullopt;
  auto wType = dyn_cast<MemRefType>(dot.weights->get().getType());
  auto xType = dyn_cast<MemRefType>(dot.x->get().getType());
  AffineMap w = op.getMatchingIndexingMap(dot.weights), x = op.getMatchingIndexingMap(dot.x);
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!wType || !xType || !w.isProjectedPermutation() || w.getNumResults() < 2)
    return std::nullopt;
  unsigned rank = w.getNumResults();
  dot.inner = w.getDimPosition(rank - 1);
  dot.column = w.getDimPosition(rank - 2);
  SmallVector<int64_t> ranges = op.getStaticLoopRanges(), strides;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  int64_t offset;
  if (ranges[dot.inner] != kDotDepth || ShapedType::isDynamic(ranges[dot.column]) ||
      iterators[dot.inner] != utils::IteratorType::reduction ||
      iterators[dot.column] != utils::IteratorType::parallel ||
      failed(wType.getStridesAndOffset(strides, offset)) || strides[rank - 1] != 1 ||
      strides[rank - 2] != kDotDepth)
    return std::nullopt;
  if (classifyAccess(x, xType, dot.inner) != Access::Contiguous || x.isFunctionOfDim(dot.column) ||
      classifyAccess(out, outType, dot.column) != Access::Contiguous)
    return std::nullopt;
  return dot;
}

class Emitter {
public:
  Emitter(RewriterBase &b, linalg::LinalgOp op, const PackedDot &dot, const VectorTarget &target,
          const LoopFusion &fusion)
      : b(b), op(op), loc(op.getLoc()), dot(dot), target(target), fusion(fusion),
        iterators(op.getIteratorTypesArray()), numLoops(op.getNumLoops()) {}

  void run() {
    for (Range range : op.createLoopRanges(b, loc))
      sizes.push_back(range.size);
    base.assign(numLoops, index(0));
    collapseWeights();
    if (fusion.fill)
      start = fusion.fill->getOperand(0);

    SmallVector<unsigned> order;
    AffineMap w = op.getMatchingIndexingMap(dot.weights);
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    auto weight = [&](unsigned dim) {
      return ShapedType::isDynamic(ranges[dim]) ? INT64_MAX : ranges[dim];
    };
    for (unsigned dim = 0; dim < numLoops; ++dim) {
      if (dim == dot.inner || dim == dot.column)
        continue;
      if (iterators[dim] == utils::IteratorType::reduction) {
        reductions.push_back(dim);
        continue;
      }
      order.push_back(dim);
      // Rows meet the same weights.
      if (!w.isFunctionOfDim(dim) && (!rows || weight(dim) >= weight(*rows)))
        rows = dim;
    }
    if (rows)
      llvm::erase(order, *rows);
    emitOuter(order);
  }

private:
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

  void emitOuter(ArrayRef<unsigned> order) {
    if (order.empty())
      return emitColumns();
    loop(index(0), sizeOf(order.front()), 1, [&](Value iv) {
      base[order.front()] = iv;
      emitOuter(order.drop_front());
    });
  }

  /// Columns in groups of as many vectors as the registers hold, then narrower ones.
  void emitColumns() {
    int64_t columns = op.getStaticLoopRanges()[dot.column], lanes = target.vectorBits / 32;
    bool wide = target.numRegisters >= 32;
    int64_t limit = wide ? 4 : 2, whole = columns / (lanes * limit) * (lanes * limit);
    if (whole == columns || whole / (lanes * limit) > 1)
      loop(index(0), index(whole), lanes * limit, [&](Value iv) {
        emitRows(iv, SmallVector<int64_t>(limit, lanes));
      });
    else
      whole = 0;
    SmallVector<int64_t> vectors;
    int64_t at = whole;
    for (int64_t left = columns - whole; left > 0;) {
      while (lanes > left)
        lanes /= 2;
      if (static_cast<int64_t>(vectors.size()) == limit) {
        emitRows(index(at), vectors);
        vectors.clear();
        at = columns - left;
      }
      vectors.push_back(lanes);
      left -= lanes;
    }
    if (!vectors.empty())
      emitRows(index(at), vectors);
  }

  /// `vectors` has the lanes of each vector of columns.
  void emitRows(Value column, ArrayRef<int64_t> vectors) {
    base[dot.column] = column;
    offsets.clear();
    if (target.byteProducts == ByteProducts::SignedDots)
      emitOffsets(vectors);
    if (!rows)
      return emitTile(1, vectors);
    int64_t count = vectors.size();
    // Beside the sums: the columns, where they are split a part of each, and what is multiplied with them.
    int64_t limit = (target.numRegisters - 2 - (takesWords() ? 1 : 2) * count) / count;
    limit = std::clamp<int64_t>(limit, 1, 12);
    std::optional<int64_t> size = getConstantIntValue(sizes[*rows]);
    auto tiles = [&](Value from, Value to, int64_t step) {
      loop(from, to, step, [&](Value iv) {
        base[*rows] = iv;
        emitTile(step, vectors);
      });
    };
    if (size) {
      // Even tiles: 49 rows in tiles of at most 12 become 5 of 10.
      int64_t step = llvm::divideCeil(*size, llvm::divideCeil(*size, limit));
      int64_t whole = *size / step * step;
      if (whole > 0)
        tiles(index(0), index(whole), step);
      if (whole < *size) {
        base[*rows] = index(whole);
        emitTile(*size - whole, vectors);
      }
      return;
    }
    Value done = index(0);
    for (int64_t step : SmallVector<int64_t>{limit, limit / 2, 1}) {
      if (step == 0 || (step == 1 && limit == 1 && done != index(0)))
        continue;
      Value to = step == 1 ? sizeOf(*rows) : floorTo(*rows, done, step);
      tiles(done, to, step);
      done = to;
    }
  }

  /// Only signed bytes are multiplied here, so that 128 is taken from each of the left side: the accumulators
  /// start with that many times the sums of the weights.
  void emitOffsets(ArrayRef<int64_t> vectors) {
    SmallVector<Value> zeros;
    for (int64_t lanes : vectors)
      zeros.push_back(constant(VectorType::get(lanes, b.getI32Type()), 0));
    for (Value sum : emitSums(reductions, zeros, 0, vectors))
      offsets.push_back(arith::ShLIOp::create(b, loc, sum, constant(cast<VectorType>(sum.getType()), 7)));
  }

  /// The end of the last whole step after `from`.
  Value floorTo(unsigned dim, Value from, int64_t step) {
    AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
    return affine::makeComposedAffineApply(b, loc, d0 + (d1 - d0).floorDiv(step) * step,
                                           {OpFoldResult(from), sizes[dim]})
        .getResult();
  }

  // ---- the register tile ----

  void emitTile(int64_t height, ArrayRef<int64_t> vectors) {
    Value out = op.getDpsInits()[0];
    AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    SmallVector<SmallVector<Value>> places;
    SmallVector<Value> accumulators;
    for (int64_t row = 0; row < height; ++row) {
      int64_t at = 0;
      for (auto [i, lanes] : llvm::enumerate(vectors)) {
        auto type = VectorType::get(lanes, b.getI32Type());
        places.push_back(indices(map, row, at));
        at += lanes;
        Value first = start ? Value(vector::BroadcastOp::create(b, loc, type, start))
                            : Value(vector::LoadOp::create(b, loc, type, out, places.back()));
        accumulators.push_back(offsets.empty() ? first : arith::AddIOp::create(b, loc, first, offsets[i]));
      }
    }
    SmallVector<Value> sums = emitSums(reductions, accumulators, height, vectors);
    if (fusion.storesResult)
      for (auto [sum, place] : llvm::zip(sums, places))
        vector::StoreOp::create(b, loc, sum, out, place);
    if (fusion.epilogues.empty())
      return;
    // What does not move with the rows (a bias, scales) is loaded once.
    ParameterCache loaded;
    for (int64_t row = 0; row < height; ++row)
      for (int64_t i = 0, at = 0, e = vectors.size(); i < e; at += vectors[i++])
        finish(sums[row * e + i], row, at, vectors[i], loaded);
  }

  using ParameterCache = DenseMap<std::pair<OpOperand *, int64_t>, Value>;

  /// The elementwise work that follows, on a vector of sums in a register.
  void finish(Value sum, int64_t row, int64_t column, int64_t lanes, ParameterCache &loaded) {
    auto load = [&](OpOperand &operand, AffineMap map) {
      if (rows && map.isFunctionOfDim(*rows))
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

  SmallVector<Value> emitSums(ArrayRef<unsigned> dims, ArrayRef<Value> accumulators, int64_t height,
                              ArrayRef<int64_t> vectors) {
    if (dims.empty())
      return emitDots(accumulators, height, vectors);
    unsigned dim = dims.front();
    std::optional<int64_t> steps = getConstantIntValue(sizes[dim]);
    if (steps && *steps <= kMaxUnrolledSteps && dims.size() == 1) {
      SmallVector<Value> values(accumulators);
      for (int64_t step = 0; step < *steps; ++step) {
        base[dim] = index(step);
        values = emitDots(values, height, vectors);
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
      starts.push_back(constant(cast<VectorType>(accumulators[i % count].getType()), 0));
    auto forOp = scf::ForOp::create(b, loc, index(0), sizeOf(dim), index(streams), starts);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    SmallVector<Value> carried(forOp.getRegionIterArgs()), next;
    for (int64_t stream = 0; stream < streams; ++stream) {
      base[dim] = forOp.getInductionVar();
      if (stream > 0)
        base[dim] = arith::AddIOp::create(b, loc, base[dim], index(stream));
      next.append(emitSums(dims.drop_front(), ArrayRef(carried).slice(stream * count, count), height,
                           vectors));
    }
    scf::YieldOp::create(b, loc, next);
    b.setInsertionPointAfter(forOp);
    SmallVector<Value> results(forOp.getResults().take_front(count));
    for (int64_t i = count; i < streams * count; ++i)
      results[i % count] =
          arith::AddIOp::create(b, loc, results[i % count], forOp.getResult(i));
    return results;
  }

  /// One step of each sum; without rows the sums are those of the weights.
  SmallVector<Value> emitDots(ArrayRef<Value> accumulators, int64_t height,
                              ArrayRef<int64_t> vectors) {
    SmallVector<SmallVector<Value>> columns;
    AffineMap w = op.getMatchingIndexingMap(dot.weights), x = op.getMatchingIndexingMap(dot.x);
    int64_t at = 0;
    for (int64_t lanes : vectors) {
      SmallVector<Value> place = indices(w, 0, at);
      place.pop_back();
      place.back() = arith::MulIOp::create(b, loc, place.back(), index(kDotDepth));
      auto type = VectorType::get(lanes * kDotDepth, b.getI8Type());
      columns.push_back(splitWeights(vector::LoadOp::create(b, loc, type, weights, place), lanes));
      at += lanes;
    }
    SmallVector<Value> results(accumulators);
    if (height == 0) {
      for (auto [sum, column, lanes] : llvm::zip(results, columns, vectors))
        sum = callDot(sum, column[0], constant(cast<VectorType>(column[0].getType()), 1), lanes);
      return results;
    }
    SmallVector<SmallVector<Value>> parts;
    for (int64_t row = 0; row < height; ++row)
      parts.push_back(splitBytes(vector::LoadOp::create(
          b, loc, VectorType::get(kDotDepth, b.getI8Type()), dot.x->get(), indices(x, row, 0))));
    // One part of the weights at a time: all of them would not leave registers for the sums.
    for (size_t part = 0; part < columns[0].size(); ++part)
      for (int64_t row = 0; row < height; ++row)
        for (auto [i, lanes] : llvm::enumerate(vectors)) {
          Value &sum = results[row * vectors.size() + i];
          sum = multiplyAdd(sum, parts[row][part], columns[i][part], lanes);
        }
    return results;
  }

  // ---- how bytes are multiplied ----

  /// Whether four bytes are multiplied with four by one instruction.
  bool takesWords() const {
    return target.byteProducts != ByteProducts::Portable && target.byteProducts != ByteProducts::Pairs;
  }

  Value constant(VectorType type, int64_t value) {
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, b.getIntegerAttr(type.getElementType(), value)));
  }

  /// The parts of four bytes that are multiplied one after the other: the word itself, its bytes in
  /// two words of 16-bit halves, or each byte as a word.
  SmallVector<Value> splitBytes(Value bytes) {
    Type i32 = b.getI32Type();
    Value word = vector::ExtractOp::create(
        b, loc, vector::BitCastOp::create(b, loc, VectorType::get(1, i32), bytes), 0);
    if (takesWords())
      return {word};
    auto masked = [&](int64_t shift, int64_t mask) {
      Value amount = arith::ConstantOp::create(b, loc, b.getIntegerAttr(i32, shift));
      Value bits = arith::ConstantOp::create(b, loc, b.getIntegerAttr(i32, mask));
      return arith::AndIOp::create(b, loc, arith::ShRUIOp::create(b, loc, word, amount), bits)
          .getResult();
    };
    if (target.byteProducts == ByteProducts::Pairs)
      return {masked(0, 0x00ff00ff), masked(8, 0x00ff00ff)};
    return {masked(0, 0xff), masked(8, 0xff), masked(16, 0xff), masked(24, 0xff)};
  }

  /// The parts of the weights that belong to them, sign-extended.
  SmallVector<Value> splitWeights(Value bytes, int64_t lanes) {
    if (takesWords())
      return {bytes};
    bool pairs = target.byteProducts == ByteProducts::Pairs;
    auto type = pairs ? VectorType::get(2 * lanes, b.getI16Type())
                      : VectorType::get(lanes, b.getI32Type());
    Value wide = vector::BitCastOp::create(b, loc, type, bytes);
    int64_t bits = pairs ? 16 : 32;
    SmallVector<Value> parts;
    for (int64_t byte = 0; byte < bits / 8; ++byte) {
      Value up = arith::ShLIOp::create(b, loc, wide, constant(type, bits - 8 - 8 * byte));
      parts.push_back(arith::ShRSIOp::create(b, loc, up, constant(type, bits - 8)));
    }
    return parts;
  }

  Value multiplyAdd(Value sum, Value part, Value column, int64_t lanes) {
    Value x = vector::BroadcastOp::create(b, loc, sum.getType(), part);
    if (target.byteProducts == ByteProducts::Portable)
      return arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, x, column));
    x = vector::BitCastOp::create(b, loc, column.getType(), x);
    if (target.byteProducts == ByteProducts::SignedDots)
      x = arith::XOrIOp::create(b, loc, x, constant(cast<VectorType>(x.getType()), -128));
    if (takesWords())
      return callDot(sum, x, column, lanes);
    StringRef name = lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                     : lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                  : "llvm.x86.sse2.pmadd.wd";
    return arith::AddIOp::create(b, loc, sum, call(name, sum.getType(), {x, column}));
  }

  /// `sum` and the products of each four bytes of `x` and `column`.
  Value callDot(Value sum, Value x, Value column, int64_t lanes) {
    std::string bits = std::to_string(lanes * 32);
    if (target.byteProducts == ByteProducts::Quads)
      return call("llvm.x86.avx512.vpdpbusd." + bits, sum.getType(), {sum, x, column});
    std::string types = ".v" + std::to_string(lanes) + "i32.v" + std::to_string(4 * lanes) + "i8";
    if (target.byteProducts == ByteProducts::MixedDots)
      return call("llvm.aarch64.neon.usdot" + types, sum.getType(), {sum, x, column});
    return call("llvm.aarch64.neon.sdot" + types, sum.getType(), {sum, x, column});
  }

  Value call(const llvm::Twine &name, Type type, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, loc, type, b.getStringAttr(name), operands).getResult(0);
  }

  // ---- memory ----

  SmallVector<Value> indices(AffineMap map, int64_t row, int64_t column) {
    SmallVector<OpFoldResult> dims;
    for (unsigned dim = 0; dim < numLoops; ++dim) {
      int64_t offset = rows && dim == *rows ? row : dim == dot.column ? column : 0;
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
  SmallVector<utils::IteratorType> iterators;
  unsigned numLoops;
  SmallVector<OpFoldResult> sizes;
  SmallVector<Value> base; // first iteration of the tile, by loop
  SmallVector<unsigned> reductions;
  std::optional<unsigned> rows; // the loop that the rows of a tile follow
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
