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
/// Elements this far apart are still loaded as whole vectors.
constexpr int64_t kCloseElements = 8;

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

} // namespace

LoopSchedule chooseLoopSchedule(linalg::LinalgOp op, const VectorTarget &target) {
  unsigned numLoops = op.getNumLoops();
  LoopSchedule schedule;
  schedule.unroll.assign(numLoops, 1);
  unsigned widestBits = 8;
  if (numLoops == 0 || !bodyVectorizes(op, widestBits))
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
    bool usable = true;
    for (unsigned operand = 0; operand < numOperands; ++operand) {
      if (operand < firstInit && !isUsed(operand))
        continue;
      Access kind = access(operand, dim);
      if (operand >= firstInit)
        usable &= kind == (parallel ? Access::Contiguous : Access::Invariant);
      auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
      if (kind == Access::Other) {
        auto step = constantStep(maps[operand], type, dim);
        (step && *step > 0 && *step <= kCloseElements ? close : other) += 1;
      }
      contiguous += kind == Access::Contiguous;
    }
    if (!usable || (!parallel && contiguous == 0))
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

  unsigned lanes = std::max(1u, target.vectorBits / std::max(widestBits, 8u));
  lanes = std::min(lanes, 64u);
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
    schedule.unroll[v] = vectors;
    if (candidates.empty())
      return schedule;
    // The largest candidate gives the rows; a dimension that the vector operand
    // does not move with is what makes the tile worth it.
    unsigned rows = candidates.front();
    auto weight = [&](unsigned dim) {
      bool vectorStays = true;
      for (unsigned operand = 0; operand < firstInit; ++operand)
        if (isUsed(operand) && access(operand, v) != Access::Invariant)
          vectorStays &= access(operand, dim) == Access::Invariant;
      int64_t size = staticSize(op, dim);
      return std::make_pair(vectorStays,
                            ShapedType::isDynamic(size) ? int64_t(1) << 20 : size);
    };
    for (unsigned dim : candidates)
      if (weight(dim) > weight(rows))
        rows = dim;
    if (!weight(rows).first)
      return schedule;
    unsigned maxRows = std::max(1u, (budget - vectors - 2) / vectors);
    maxRows = std::min(maxRows, vectors == 4 ? 6u : vectors >= 2 ? 12u : 12u);
    int64_t size = staticSize(op, rows);
    if (!ShapedType::isDynamic(size)) {
      // Even tiles: 49 rows in tiles of at most 12 become 5 of 10.
      int64_t tiles = llvm::divideCeil(size, static_cast<int64_t>(maxRows));
      maxRows = llvm::divideCeil(size, tiles);
    }
    schedule.unroll[rows] = maxRows;
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
