// Chooses the register tile of an operation on memrefs. The rules come from
// measurements of matrix products and convolutions: fill the register file with
// accumulators, leave room for the operands, and prefer the dimension that is
// contiguous in the output and in every operand that moves with it.
#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace onnxc {
Access classifyAccess(AffineMap map, MemRefType type, unsigned dim) {
  if (!map.isFunctionOfDim(dim))
    return Access::Invariant;
  for (unsigned i = 0; i + 1 < map.getNumResults(); ++i)
    if (map.getResult(i).isFunctionOfDim(dim))
      return Access::Other;
  // The last result must be `dim + rest` with rest free of dim.
  AffineExpr last = map.getResults().back();
  MLIRContext *context = map.getContext();
  AffineExpr shifted = last.replace(getAffineDimExpr(dim, context),
                                    getAffineDimExpr(dim, context) + 1);
  AffineExpr step = simplifyAffineExpr(shifted - last, map.getNumDims(), 0);
  auto constant = dyn_cast<AffineConstantExpr>(step);
  if (!constant || constant.getValue() != 1)
    return Access::Other;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.back() != 1)
    return Access::Other;
  return Access::Contiguous;
}

std::optional<int64_t> constantStep(AffineMap map, MemRefType type, unsigned dim) {
  SmallVector<int64_t> strides;
  int64_t offset, step = 0;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return std::nullopt;
  MLIRContext *context = map.getContext();
  AffineExpr d = getAffineDimExpr(dim, context);
  for (auto [expr, stride] : llvm::zip(map.getResults(), strides)) {
    if (!expr.isFunctionOfDim(dim))
      continue;
    auto each = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(expr.replace(d, d + 1) - expr, map.getNumDims(), 0));
    if (!each || ShapedType::isDynamic(stride))
      return std::nullopt;
    step += each.getValue() * stride;
  }
  return step;
}

namespace {

/// Rows of a tile that is transposed in registers.
constexpr unsigned kMaxTurned = 16;
/// Steps in bytes that the processor follows by itself.
constexpr int64_t kFetchedStep = 2048;
/// Elements this far apart are still loaded as whole vectors.
constexpr int64_t kCloseElements = 8;
/// Results that a pool makes side by side: an operation takes four cycles, and two begin in each.
constexpr unsigned kChains = 8;

bool isVectorElement(Type type) { return type.isIntOrIndexOrFloat(); }

/// Whether the body can be cloned on vectors, and its widest element in bits.
bool bodyVectorizes(linalg::LinalgOp op, unsigned &widestBits) {
  Block &body = op->getRegion(0).front();
  auto note = [&](Type type) {
    if (!isVectorElement(type))
      return false;
    unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
    widestBits = std::max(widestBits, bits);
    return true;
  };
  widestBits = 8;
  for (BlockArgument arg : body.getArguments())
    if (!note(arg.getType()))
      return false;
  for (Operation &inner : body.without_terminator()) {
    if (inner.getNumRegions() != 0)
      return false;
    if (!OpTrait::hasElementwiseMappableTraits(&inner) &&
        !isa<arith::ConstantOp, linalg::IndexOp>(inner))
      return false;
    for (Type type : inner.getResultTypes())
      if (!note(type))
        return false;
  }
  return true;
}

int64_t staticSize(linalg::LinalgOp op, unsigned dim) { return op.getStaticLoopRanges()[dim]; }

/// At most `most` iterations, so that the tiles of a known size are even: 49 in tiles of at most 12
/// become 5 of 10.
unsigned evenTile(int64_t size, unsigned most) {
  if (ShapedType::isDynamic(size))
    return most;
  return llvm::divideCeil(size, llvm::divideCeil(size, static_cast<int64_t>(most)));
}

/// Fills the registers that the tile's vectors leave with rows: those of the innermost loop first (an
/// image's columns), then more where that is short.
void unrollRows(linalg::LinalgOp op, ArrayRef<unsigned> rows, unsigned registers,
                LoopSchedule &schedule) {
  unsigned vectors = schedule.unroll[*schedule.vectorDim];
  unsigned room = std::max(1u, (registers - vectors - 2) / vectors);
  room = std::min(room, vectors == 4 ? 6u : 14u);
  auto isLong = [&](unsigned dim) {
    return ShapedType::isDynamic(staticSize(op, dim)) || staticSize(op, dim) >= 4;
  };
  SmallVector<unsigned> order(llvm::reverse(rows));
  // Where a size is unknown the last tiles are single rows: known sizes first.
  llvm::stable_sort(order, [&](unsigned a, unsigned b) {
    auto rank = [&](unsigned dim) {
      return !isLong(dim) ? 2 : ShapedType::isDynamic(staticSize(op, dim)) ? 1 : 0;
    };
    return rank(a) < rank(b);
  });
  for (unsigned dim : order) {
    if (room < 2)
      return;
    schedule.unroll[dim] = evenTile(staticSize(op, dim), room);
    room /= schedule.unroll[dim];
  }
}

/// See RowStream: of a product, the operand with the columns, if its rows are further apart than the processor's own
/// prefetching goes.
std::optional<RowStream> findRowStream(linalg::LinalgOp op, unsigned column) {
  SmallVector<unsigned> depths;
  op.getReductionDims(depths);
  if (depths.size() != 1)
    return std::nullopt;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto type = dyn_cast<MemRefType>(input->get().getType());
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!type || !map.isProjectedPermutation() || !map.isFunctionOfDim(depths[0]) ||
        classifyAccess(map, type, column) != Access::Contiguous)
      continue;
    std::optional<int64_t> step = constantStep(map, type, depths[0]);
    if (!step || *step * type.getElementTypeBitWidth() / 8 > kFetchedStep)
      return RowStream{input->getOperandNumber(), depths[0]};
  }
  return std::nullopt;
}

/// Loops outside the tile: those along which what is read in vectors moves go outermost, so that
/// one panel of weights serves all rows before the next is loaded.
void orderForReuse(linalg::LinalgOp op, unsigned vectorDim, LoopSchedule &schedule) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto moves = [&](unsigned dim, bool inVectors) {
    for (unsigned operand = 0; operand < op.getNumDpsInputs(); ++operand)
      if (maps[operand].isFunctionOfDim(vectorDim) == inVectors &&
          maps[operand].isFunctionOfDim(dim))
        return true;
    return false;
  };
  SmallVector<unsigned> outer, inner;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    (moves(dim, true) ? outer : inner).push_back(dim);
  outer.append(inner);
  schedule.order = outer;
}

} // namespace

bool fitsVectors(linalg::LinalgOp op, unsigned dim) {
  unsigned widestBits;
  if (!bodyVectorizes(op, widestBits))
    return false;
  bool parallel = op.getIteratorTypesArray()[dim] == utils::IteratorType::parallel;
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    auto type = dyn_cast<MemRefType>(init.get().getType());
    Access kind = type ? classifyAccess(op.getMatchingIndexingMap(&init), type, dim)
                       : Access::Invariant;
    return kind == (parallel ? Access::Contiguous : Access::Invariant);
  });
}

unsigned countLanes(linalg::LinalgOp op, const VectorTarget &target) {
  unsigned widestBits;
  if (!bodyVectorizes(op, widestBits))
    return 1;
  return std::clamp(target.vectorBits / widestBits, 1u, 64u);
}

LoopSchedule chooseLoopSchedule(linalg::LinalgOp op, const VectorTarget &target) {
  unsigned numLoops = op.getNumLoops();
  LoopSchedule schedule;
  schedule.unroll.assign(numLoops, 1);
  if (numLoops == 0)
    return schedule;

  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto access = [&](unsigned operand, unsigned dim) {
    auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
    return type ? classifyAccess(maps[operand], type, dim) : Access::Invariant;
  };
  unsigned firstInit = op.getNumDpsInputs(), numOperands = op->getNumOperands();
  // A scalar operand that only spans a window has no memory to look at.
  auto isUsed = [&](unsigned operand) {
    return !op->getRegion(0).getArgument(operand).use_empty();
  };

  // Vector dimension: the one with the fewest operands that have to be put together from elements;
  // then parallel dimensions; then the fewest operands whose elements are a few apart.
  bool hasReduction = llvm::is_contained(iterators, utils::IteratorType::reduction);
  int best = -1;
  unsigned bestOther = ~0u;
  std::tuple<unsigned, bool, unsigned, int> bestCost;
  for (unsigned dim = 0; dim < numLoops; ++dim) {
    bool parallel = iterators[dim] == utils::IteratorType::parallel;
    unsigned other = 0, close = 0;
    int contiguous = 0;
    for (unsigned operand = 0; operand < numOperands; ++operand) {
      if (operand < firstInit && !isUsed(operand))
        continue;
      Access kind = access(operand, dim);
      auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
      if (kind == Access::Other) {
        auto step = constantStep(maps[operand], type, dim);
        (step && *step > 0 && *step <= kCloseElements ? close : other) += 1;
      }
      contiguous += kind == Access::Contiguous;
    }
    if (!fitsVectors(op, dim) || (!parallel && contiguous == 0))
      continue;
    int64_t size = staticSize(op, dim);
    if (!ShapedType::isDynamic(size) && size < 2)
      continue;
    std::tuple<unsigned, bool, unsigned, int> cost{other, !parallel, close, -contiguous};
    if (best < 0 || cost < bestCost) {
      best = dim;
      bestOther = other + close;
      bestCost = cost;
    }
  }
  if (best < 0)
    return schedule;
  unsigned v = best;
  // Reading with a stride pays only beside arithmetic that is worth it.
  if (bestOther > 0 && hasReduction && iterators[v] == utils::IteratorType::reduction)
    return schedule;

  unsigned lanes = countLanes(op, target);
  int64_t vectorSize = staticSize(op, v);
  // Narrower vectors for short rows: the smallest power of two that covers the row.
  if (!ShapedType::isDynamic(vectorSize))
    while (lanes > 4 && static_cast<int64_t>(lanes) / 2 >= vectorSize)
      lanes /= 2;
  if (lanes < 2)
    return schedule;
  schedule.vectorDim = v;
  schedule.lanes = lanes;
  if (!hasReduction) {
    // An operand that is contiguous along another dimension is read along that one.
    for (unsigned dim = 0; bestOther > 0 && dim < numLoops; ++dim) {
      bool turns = false;
      for (unsigned operand = 0; operand < firstInit; ++operand)
        turns |= isUsed(operand) && access(operand, v) == Access::Other &&
                 access(operand, dim) == Access::Contiguous;
      if (dim == v || !turns || staticSize(op, dim) == 1)
        continue;
      schedule.lanes = std::min(lanes, kMaxTurned);
      schedule.turnDim = dim;
      schedule.unroll[dim] = schedule.lanes;
      break;
    }
    return schedule;
  }

  // Register tile: unroll parallel dimensions along which some operand stays, so that what
  // was loaded is used several times.
  auto sharesOperand = [&](unsigned dim) {
    for (unsigned operand = 0; operand < firstInit; ++operand)
      if (isUsed(operand) && access(operand, dim) == Access::Invariant)
        return true;
    return false;
  };
  SmallVector<unsigned> candidates;
  for (unsigned dim = 0; dim < numLoops; ++dim)
    if (dim != v && iterators[dim] == utils::IteratorType::parallel && sharesOperand(dim) &&
        staticSize(op, dim) != 1)
      candidates.push_back(dim);
  unsigned budget = target.numRegisters;
  if (iterators[v] == utils::IteratorType::parallel) {
    unsigned vectors = 1;
    int64_t available = ShapedType::isDynamic(vectorSize)
                            ? 4
                            : llvm::divideCeil(vectorSize, static_cast<int64_t>(lanes));
    unsigned maxVectors = budget >= 32 ? 4 : 2;
    while (vectors < maxVectors && vectors < available)
      ++vectors;
    // Rows: what is read in vectors (weights) stays, so that each is used for every row.
    auto vectorsStay = [&](unsigned dim) {
      for (unsigned operand = 0; operand < firstInit; ++operand)
        if (isUsed(operand) && access(operand, v) != Access::Invariant &&
            access(operand, dim) != Access::Invariant)
          return false;
      return true;
    };
    SmallVector<unsigned> rows = llvm::filter_to_vector(candidates, vectorsStay);
    if (!rows.empty()) {
      schedule.unroll[v] = vectors;
      unrollRows(op, rows, budget, schedule);
      orderForReuse(op, v, schedule);
      schedule.stream = findWeightStream(op, v);
      schedule.rowStream = findRowStream(op, v);
      return schedule;
    }
    // All that fills vectors moves along every other loop. Positions whose windows overlap (a depthwise
    // convolution) share what the windows have in common.
    auto slides = [&](unsigned dim) {
      for (unsigned operand = 0; operand < firstInit; ++operand)
        for (AffineExpr expr : maps[operand].getResults())
          for (unsigned tap = 0; tap < numLoops; ++tap)
            if (iterators[tap] == utils::IteratorType::reduction && expr.isFunctionOfDim(dim) &&
                expr.isFunctionOfDim(tap))
              return true;
      return false;
    };
    SmallVector<unsigned> windows = llvm::filter_to_vector(candidates, slides);
    if (!windows.empty()) {
      vectors = std::min(vectors, 2u);
      schedule.unroll[windows.back()] =
          evenTile(staticSize(op, windows.back()), budget >= 32 ? 7 : 3);
    } else {
      // A pool: so many positions that their results do not wait for each other.
      for (unsigned dim = 0; dim < numLoops; ++dim)
        if (dim != v && iterators[dim] == utils::IteratorType::parallel && staticSize(op, dim) != 1 && slides(dim))
          windows.push_back(dim);
      if (!windows.empty() && vectors < kChains)
        schedule.unroll[windows.back()] = evenTile(staticSize(op, windows.back()), kChains / vectors);
    }
    schedule.unroll[v] = vectors;
    return schedule;
  }
  // Vector dimension is a reduction: a tile of dot products, at most 4 by 4.
  unsigned limit = budget >= 32 ? 16 : 8, used = 1;
  for (unsigned dim : llvm::reverse(candidates)) {
    int64_t size = staticSize(op, dim);
    unsigned factor = budget >= 32 || used > 1 ? 4 : 2;
    if (!ShapedType::isDynamic(size))
      factor = std::min<int64_t>(factor, size);
    if (factor * used > limit)
      break;
    schedule.unroll[dim] = factor;
    used *= factor;
    if (used >= limit)
      break;
  }
  return schedule;
}

} // namespace onnxc
