// Attention's two products as one group: a block of rows of the scores is computed, normalised
// and multiplied while it is in the cache, so that the whole matrix of scores never exists.
#include "onnxc/Codegen/Common/ProductTiles.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Bytes of a block of scores, its least and most rows, and the rows where the columns are unknown.
constexpr int64_t kScoreBytes = 96 * 1024, kMinRows = 12, kMaxRows = 96, kUnknownRows = 48;
/// A head's elements above this would be computed from scores that were made several times.
constexpr int64_t kMaxHead = 512;
/// Rows from which a copy of the right side pays.
constexpr int64_t kRowsToTurn = 4;

bool isRight(linalg::LinalgOp product, OpOperand &operand) {
  AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  return out.getNumResults() > 0 &&
         product.getMatchingIndexingMap(&operand).isFunctionOfDim(
             out.getDimPosition(out.getNumResults() - 1));
}

/// A reduction of two computed tensors, of which one moves with the result's last dimension and the
/// other does not.
bool isComputedProduct(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() != 1 || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1)
    return false;
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation())
      return false;
  int right = 0;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (matchPattern(input->get(), m_Constant()))
      return false;
    right += isRight(op, *input);
  }
  return right == 1;
}

} // namespace

/// Back from attention's rows to the product that makes the scores, past at least one reduction along rows.
static linalg::LinalgOp findScores(linalg::LinalgOp product, OpOperand &operand, bool throughReshapes) {
  if (!isComputedProduct(product) || product.isDpsInit(&operand) || isRight(product, operand))
    return nullptr;
  bool reduces = false;
  linalg::LinalgOp scores;
  SmallVector<Value> next{operand.get()};
  llvm::SmallDenseSet<Operation *> seen;
  while (!next.empty()) {
    Operation *from = next.pop_back_val().getDefiningOp();
    if (throughReshapes &&
        isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(from)) {
      next.push_back(from->getOperand(0));
      continue;
    }
    auto op = dyn_cast_if_present<linalg::LinalgOp>(from);
    if (!op || !seen.insert(op).second || seen.size() > 16)
      continue;
    if (isComputedProduct(op)) {
      scores = op;
      continue;
    }
    reduces |= op.getNumReductionLoops() > 0;
    for (OpOperand *input : op.getDpsInputOperands())
      next.push_back(input->get());
    for (Value init : op.getDpsInits())
      next.push_back(init);
  }
  return reduces ? scores : linalg::LinalgOp();
}

linalg::LinalgOp scoresBehind(linalg::LinalgOp product, OpOperand &operand) {
  return findScores(product, operand, /*throughReshapes=*/true);
}

bool takesAttentionRows(linalg::LinalgOp product, OpOperand &operand) {
  if (!findScores(product, operand, /*throughReshapes=*/false))
    return false;
  AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  int64_t head = product.getStaticLoopRanges()[out.getDimPosition(out.getNumResults() - 1)];
  return !ShapedType::isDynamic(head) && head <= kMaxHead;
}

void chooseAttentionTiles(linalg::LinalgOp product, ArrayRef<int> ties, ArrayRef<int64_t> sizes,
                          ArrayRef<bool> tileable, SmallVectorImpl<int64_t> &tiles) {
  SmallVector<unsigned> reductions;
  product.getReductionDims(reductions);
  SmallVector<int64_t> ranges = product.getStaticLoopRanges();
  int64_t columns = ranges[reductions[0]];
  OpOperand *left = product.getDpsInputOperand(0), *right = product.getDpsInputOperand(1);
  if (isRight(product, *left))
    std::swap(left, right);
  int64_t most = kUnknownRows;
  if (!ShapedType::isDynamic(columns))
    most = std::clamp(kScoreBytes / (4 * std::max<int64_t>(1, columns)), kMinRows, kMaxRows);
  AffineMap rightMap = product.getMatchingIndexingMap(right);
  for (auto [dim, root] : llvm::enumerate(ties)) {
    if (root < 0 || !tileable[root])
      continue;
    if (rightMap.isFunctionOfDim(dim)) {
      tiles[root] = 1; // a head
      continue;
    }
    int64_t size = sizes[root];
    tiles[root] = ShapedType::isDynamic(size) || size <= most
                      ? most
                      : llvm::divideCeil(size, llvm::divideCeil(size, most));
    most = std::max<int64_t>(1, most / tiles[root]);
  }
}

bool collidesInCache(int64_t bytes) { return ShapedType::isDynamic(bytes) || bytes % 1024 == 0; }

bool wantsColumnsInside(linalg::LinalgOp product, OpOperand &operand) {
  if (!isComputedProduct(product) || product.isDpsInit(&operand) || !isRight(product, operand))
    return false;
  AffineMap map = product.getMatchingIndexingMap(&operand);
  int64_t rows = 1;
  SmallVector<int64_t> ranges = product.getStaticLoopRanges();
  bool anyRows = false;
  for (auto [dim, iterator] : llvm::enumerate(product.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::parallel && !map.isFunctionOfDim(dim)) {
      anyRows |= ShapedType::isDynamic(ranges[dim]);
      rows *= ShapedType::isDynamic(ranges[dim]) ? 1 : ranges[dim];
    }
  if (!anyRows)
    return rows >= kRowsToTurn;
  // A tensor that was put together of a past and a new part is a cache: one row asks for it.
  Value source = operand.get();
  while (Operation *op = source.getDefiningOp()) {
    if (isa<tensor::InsertSliceOp>(op))
      return false;
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op) ||
        (generic && generic.getNumReductionLoops() == 0 && generic.getNumDpsInputs() > 0))
      source = op->getOperand(0);
    else
      break;
  }
  return true;
}

} // namespace onnxc
