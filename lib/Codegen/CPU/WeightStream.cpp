// See WeightStream.h. The shares are even: a step of a tile fetches what the memory has to bring in the
// time of that step, so that no burst of requests stalls the loop.
#include "onnxc/Codegen/CPU/WeightStream.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace onnxc {
namespace {

/// More positions than this hide the weights' way from memory behind their arithmetic.
constexpr int64_t kMaxRows = 1024;
constexpr int64_t kLineBytes = 64;

} // namespace

std::optional<WeightStream> findWeightStream(linalg::LinalgOp op, unsigned column,
                                             unsigned inside) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  if (op.getNumDpsInputs() != 2 || llvm::any_of(sizes, ShapedType::isDynamic) ||
      iterators[column] != utils::IteratorType::parallel)
    return std::nullopt;
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    auto type = dyn_cast<MemRefType>(input->get().getType());
    unsigned rank = map.getNumResults();
    if (!type || !map.isProjectedPermutation() || rank < 2 + inside ||
        map.getDimPosition(rank - inside) != column)
      continue;
    WeightStream stream{input->getOperandNumber(), map.getDimPosition(0), {}, {}, 1};
    llvm::SmallDenseSet<unsigned> step;
    for (unsigned i = 1; i < rank; ++i) {
      if (i + inside < rank) {
        stream.depths.push_back(map.getDimPosition(i));
      } else {
        step.insert(map.getDimPosition(i));
        stream.width *= type.getDimSize(i);
      }
    }
    SmallVector<int64_t> strides;
    int64_t offset, expected = 1, rows = 1;
    if (iterators[stream.panels] != utils::IteratorType::parallel ||
        failed(type.getStridesAndOffset(strides, offset)))
      return std::nullopt;
    for (int i = strides.size() - 1; i >= 0; --i) {
      if (strides[i] != expected)
        return std::nullopt;
      expected *= type.getDimSize(i);
    }
    for (unsigned dim = 0; dim < sizes.size(); ++dim) {
      if (step.contains(dim))
        continue;
      if (iterators[dim] == utils::IteratorType::reduction) {
        if (!llvm::is_contained(stream.depths, dim))
          return std::nullopt;
      } else if (!map.isFunctionOfDim(dim)) {
        if (sizes[dim] > 1)
          stream.rows.push_back(dim);
        rows *= sizes[dim];
      }
    }
    bool convolution = stream.depths.size() > 1 || stream.rows.size() > 1;
    if (!convolution || rows < 2 || rows > kMaxRows ||
        llvm::any_of(stream.depths, [&](unsigned dim) {
          return iterators[dim] != utils::IteratorType::reduction;
        }))
      return std::nullopt;
    return stream;
  }
  return std::nullopt;
}

void emitWeightFetch(OpBuilder &b, linalg::LinalgOp op, const WeightStream &stream,
                     ArrayRef<Value> base, ArrayRef<unsigned> factor) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  Location loc = op.getLoc();
  // Where the tile and the step stand, counted in rows and in steps.
  SmallVector<OpFoldResult> positions;
  auto linear = [&](ArrayRef<unsigned> dims, int64_t &count) {
    AffineExpr expr = b.getAffineConstantExpr(0);
    count = 1;
    for (unsigned dim : dims) {
      expr = expr * sizes[dim] + b.getAffineDimExpr(positions.size());
      positions.push_back(base[dim]);
      count *= sizes[dim];
    }
    return expr;
  };
  int64_t rows, steps, tall = 1, width = stream.width;
  AffineExpr row = linear(stream.rows, rows), step = linear(stream.depths, steps);
  for (unsigned dim : stream.rows)
    tall *= factor[dim];
  int64_t perRow = llvm::divideCeil(steps * width, rows);
  int64_t perStep = llvm::divideCeil(tall * width, rows);
  AffineExpr element = row * perRow + step * perStep;
  auto type = cast<MemRefType>(op->getOperand(stream.operand).getType());
  int64_t line = kLineBytes * 8 / type.getElementTypeBitWidth();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  AffineExpr d0 = b.getAffineDimExpr(0);
  Value next = affine::makeComposedAffineApply(b, loc, d0 + 1, {base[stream.panels]});
  for (int64_t more = 0; more < perStep; more += line) {
    // Only the address counts: it may lie past the row, and past the last panel.
    SmallVector<Value> at(type.getRank(), zero);
    at.front() = next;
    at.back() = affine::makeComposedAffineApply(
        b, loc, AffineMap::get(positions.size(), 0, element + more), positions);
    memref::PrefetchOp::create(b, loc, op->getOperand(stream.operand), at, /*isWrite=*/false,
                               /*localityHint=*/2, /*isDataCache=*/true);
  }
}

} // namespace onnxc
