// A schedule from an operation's strategy and from the rules of LoopSchedule.cpp and
// ProductSchedule.cpp: the strategy goes first, the rules fill up what it leaves open.
#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

using namespace mlir;

namespace onnxc {
namespace {

SmallVector<unsigned> toUnsigned(ArrayRef<int64_t> values) {
  return SmallVector<unsigned>(values.begin(), values.end());
}

/// Vectors along the loop that the strategy names: what was chosen for another loop is void.
LogicalResult followVector(linalg::LinalgOp op, const VectorTarget &target, unsigned vector,
                           LoopSchedule &schedule) {
  if (schedule.vectorDim == vector)
    return success();
  unsigned lanes = countLanes(op, target);
  if (lanes < 2 || !fitsVectors(op, vector))
    return op.emitError("has a strategy with vectors along loop ")
           << vector
           << ", along which its results are neither contiguous nor reduced, or its body has "
           << "no vector form";
  schedule = LoopSchedule();
  schedule.unroll.assign(op.getNumLoops(), 1);
  schedule.vectorDim = vector;
  schedule.lanes = lanes;
  return success();
}

LogicalResult followTile(linalg::LinalgOp op, const cg::LoweringConfig &config,
                         LoopSchedule &schedule) {
  if (config.lanes) {
    if (!schedule.vectorDim)
      return op.emitError("has a strategy with lanes, but no loop that fits vectors");
    schedule.lanes = *config.lanes;
    if (schedule.turnDim)
      schedule.unroll[*schedule.turnDim] = schedule.lanes;
  }
  if (!config.unroll.empty())
    schedule.unroll = toUnsigned(config.unroll);
  if (!config.order.empty())
    schedule.order = toUnsigned(config.order);
  // A tile is transposed in registers only as a square.
  if (schedule.turnDim && schedule.unroll[*schedule.turnDim] != schedule.lanes)
    schedule.turnDim.reset();
  return success();
}

LogicalResult followProduct(linalg::LinalgOp op, const cg::LoweringConfig &config,
                            LoopSchedule &schedule) {
  if (!config.depthBlock && !config.streams && !config.prefetch)
    return success();
  if (!schedule.product)
    return op.emitError("has a strategy for products with panels, but is none");
  PanelProduct &product = *schedule.product;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  if (config.depthBlock) {
    if (*config.depthBlock != 0 && product.oneTile)
      return op.emitError(
          "has a strategy with depth_block, but no rows that would pass over a block");
    product.depthBlock = *config.depthBlock < sizes[product.depth] ? *config.depthBlock : 0;
  }
  if (config.streams) {
    if (int64_t panels = sizes[product.panels];
        !ShapedType::isDynamic(panels) && panels % *config.streams != 0)
      return op.emitError("has a strategy with ")
             << *config.streams << " streams, which do not divide " << panels << " panels";
    product.streams = *config.streams;
    if (product.oneTile)
      schedule.unroll[product.panels] = product.streams;
  }
  if (config.prefetch)
    product.prefetch = *config.prefetch;
  return success();
}

} // namespace

FailureOr<LoopSchedule> decideLoopSchedule(linalg::LinalgOp op, const VectorTarget &target) {
  LoopSchedule schedule = chooseLoopSchedule(op, target);
  cg::LoweringConfig config(op);
  // Without vectors (-O0) there is nothing to choose from.
  if (target.vectorBits == 0)
    return schedule;
  if (config.vector && failed(followVector(op, target, *config.vector, schedule)))
    return failure();
  if (failed(followTile(op, config, schedule)))
    return failure();
  SmallVector<unsigned> unroll = schedule.unroll;
  refineProductSchedule(op, target, schedule);
  if (!config.unroll.empty())
    schedule.unroll = unroll;
  if (failed(followProduct(op, config, schedule)))
    return failure();
  return schedule;
}

} // namespace onnxc
