// See PackedDot.h.
#include "PackedDot.h"

#include "onnxc/Codegen/CPU/DotEmitter.h"
#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace onnxc {
namespace {

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

// The least number of columns for which each machine has the instruction.
constexpr int64_t kFewestLanes = 4;

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
         ranges[dot.column] % kFewestLanes == 0 &&
         iterators[dot.inner] == utils::IteratorType::reduction &&
         iterators[dot.column] == utils::IteratorType::parallel &&
         succeeded(wType.getStridesAndOffset(strides, offset)) && strides[rank - 1] == 1 &&
         strides[rank - 2] == dot.depth &&
         classifyAccess(x, xType, dot.inner) == Access::Contiguous &&
         !x.isFunctionOfDim(dot.column) &&
         classifyAccess(out, outType, dot.column) == Access::Contiguous;
}

} // namespace

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

std::optional<unsigned> packedDotColumns(linalg::LinalgOp op) {
  std::optional<PackedDot> dot = matchPackedDot(op);
  return dot ? std::optional(dot->column) : std::nullopt;
}

} // namespace onnxc
