// The schedule of matrix products with their right side in panels: 6 rows by 64 columns with
// AVX-512. Measured on weights that come from memory (see docs/performance.md): a panel's block
// that stays in the second-level cache while all rows pass, with the next block on its way,
// runs at the speed of the arithmetic; without the prefetch a quarter of the time is waiting.
#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Bytes of one panel's block: with the next one and the rows' part it fits into the
/// second-level cache.
constexpr int64_t kBlockBytes = 256 * 1024;
constexpr unsigned kMaxStreams = 4;

} // namespace

void refineProductSchedule(linalg::LinalgOp op, const VectorTarget &target,
                           LoopSchedule &schedule) {
  if (!schedule.vectorDim || op.getNumReductionLoops() != 1 || op.getNumDpsInits() != 1)
    return;
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned column = *schedule.vectorDim, depth = reductions[0];
  if (column == depth || ShapedType::isDynamic(sizes[depth]) ||
      ShapedType::isDynamic(sizes[column]) ||
      sizes[column] > static_cast<int64_t>(schedule.unroll[column]) * schedule.lanes)
    return;

  PanelProduct product;
  product.depth = depth;
  bool found = false;
  for (unsigned operand = 0, e = op.getNumDpsInputs(); operand < e && !found; ++operand) {
    AffineMap map = maps[operand];
    auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
    unsigned last = map.getNumResults();
    if (!type || last < 3 || !map.isProjectedPermutation() ||
        map.getDimPosition(last - 2) != depth || map.getDimPosition(last - 1) != column)
      continue;
    // Panels that follow each other without gaps.
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(type.getStridesAndOffset(strides, offset)) || strides[last - 1] != 1 ||
        strides[last - 2] != sizes[column] || strides[last - 3] != sizes[column] * sizes[depth])
      continue;
    product.operand = operand;
    product.panels = map.getDimPosition(last - 3);
    found = true;
  }
  if (!found || op.getIteratorTypesArray()[product.panels] != utils::IteratorType::parallel)
    return;
  product.oneTile = true;
  unsigned tall = 1;
  for (unsigned dim = 0; dim < sizes.size(); ++dim) {
    if (dim == column || maps[product.operand].isFunctionOfDim(dim))
      continue;
    product.oneTile &= sizes[dim] == static_cast<int64_t>(schedule.unroll[dim]);
    tall *= schedule.unroll[dim];
    if (schedule.unroll[dim] > 1)
      product.rows = dim;
  }

  int64_t bytes = cast<MemRefType>(op->getOperand(product.operand).getType()).getElementTypeBitWidth() / 8;
  unsigned vectors = schedule.unroll[column];
  // A tile of several rows keeps a panel's vectors and a row's element in registers, too.
  unsigned room = tall > 1 && product.oneTile ? target.numRegisters - vectors - 2 : target.numRegisters - 4;
  product.streams = std::clamp<unsigned>(
      room / (std::max(1u, vectors) * (product.oneTile ? tall : 1)), 1, kMaxStreams);
  int64_t panels = sizes[product.panels];
  if (!ShapedType::isDynamic(panels))
    while (product.streams > 1 && panels % product.streams != 0)
      --product.streams;
  if (product.oneTile) {
    schedule.unroll[product.panels] = product.streams;
    // A single stream comes from memory page by page; several hide each other's waiting.
    product.prefetch = product.rows.has_value() && product.streams == 1;
  } else if (product.rows) {
    product.prefetch = true;
    int64_t most = std::max<int64_t>(1, kBlockBytes / (bytes * sizes[column]));
    int64_t blocks = llvm::divideCeil(sizes[depth], most);
    if (blocks > 1)
      product.depthBlock = llvm::divideCeil(sizes[depth], blocks);
  }
  schedule.product = product;
}

} // namespace onnxc
