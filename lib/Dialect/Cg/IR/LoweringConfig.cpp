// The strategy of an operation: its attribute, what it may say, and the form in which passes change
// it.
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#define GET_ATTRDEF_CLASSES
#include "onnxc/Dialect/Cg/IR/CgAttrs.cpp.inc"

namespace onnxc::cg {
namespace {

constexpr StringLiteral kName = "cg.lowering_config";
/// Vectors of a register tile: no machine holds more, and code grows with them.
constexpr int64_t kMostVectors = 64;
constexpr int64_t kMostLanes = 64;

SmallVector<int64_t> toVector(DenseI64ArrayAttr attr) {
  return attr ? SmallVector<int64_t>(attr.asArrayRef()) : SmallVector<int64_t>();
}

} // namespace

void CgDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "onnxc/Dialect/Cg/IR/CgAttrs.cpp.inc"
      >();
}

LogicalResult LoweringConfigAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                                         std::optional<int64_t> group, DenseI64ArrayAttr tileSizes,
                                         StringAttr winograd, std::optional<int64_t> panel,
                                         std::optional<int64_t> vector,
                                         std::optional<int64_t> lanes, DenseI64ArrayAttr unroll,
                                         DenseI64ArrayAttr order, std::optional<int64_t> depthBlock,
                                         std::optional<int64_t> streams,
                                         std::optional<int64_t> prefetch) {
  auto atLeast = [](std::optional<int64_t> value, int64_t least) {
    return !value || *value >= least;
  };
  if (!atLeast(group, 0))
    return emitError() << "group must be at least 0";
  if (winograd && !llvm::is_contained({"off", "f2", "f4"}, winograd.getValue()))
    return emitError() << "winograd must be \"off\", \"f2\" or \"f4\"";
  if (!atLeast(panel, 0) || !atLeast(vector, 0) || !atLeast(depthBlock, 0))
    return emitError() << "panel, vector and depth_block must be at least 0";
  if (!atLeast(streams, 1))
    return emitError() << "streams must be at least 1";
  if (prefetch && *prefetch != 0 && *prefetch != 1)
    return emitError() << "prefetch must be 0 or 1";
  if (lanes && (*lanes < 2 || *lanes > kMostLanes || !llvm::isPowerOf2_64(*lanes)))
    return emitError() << "lanes must be a power of two from 2 to " << kMostLanes;
  for (int64_t size : toVector(tileSizes))
    if (size < 0)
      return emitError() << "tile_sizes must be at least 0";
  int64_t vectors = 1;
  for (int64_t factor : toVector(unroll)) {
    if (factor < 1 || factor > kMostVectors)
      return emitError() << "unroll must be from 1 to " << kMostVectors;
    vectors *= factor;
    if (vectors > kMostVectors)
      return emitError() << "unroll makes a register tile of more than " << kMostVectors
                         << " vectors";
  }
  SmallVector<int64_t> sorted = toVector(order);
  llvm::sort(sorted);
  for (auto [i, loop] : llvm::enumerate(sorted))
    if (loop != static_cast<int64_t>(i))
      return emitError() << "order must name each loop once";
  return success();
}

LogicalResult CgDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() != kName)
    return op->emitError() << "has an attribute '" << attribute.getName().strref()
                           << "' that the cg dialect does not know";
  auto attr = dyn_cast<LoweringConfigAttr>(attribute.getValue());
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!attr || !linalgOp)
    return op->emitError() << "needs a #cg.lowering_config on a linalg operation as " << kName;
  int64_t numLoops = linalgOp.getNumLoops();
  SmallVector<utils::IteratorType> iterators = linalgOp.getIteratorTypesArray();
  for (auto [name, list] :
       {std::make_pair("tile_sizes", attr.getTileSizes()),
        std::make_pair("unroll", attr.getUnroll()), std::make_pair("order", attr.getOrder())})
    if (list && list.size() != numLoops)
      return op->emitError() << "has " << numLoops << " loops, but its strategy has " << list.size()
                             << " " << name;
  for (auto [iterator, size] : llvm::zip(iterators, toVector(attr.getTileSizes())))
    if (size != 0 && iterator != utils::IteratorType::parallel)
      return op->emitError() << "has a strategy that tiles a loop that is not parallel";
  for (auto [iterator, factor] : llvm::zip(iterators, toVector(attr.getUnroll())))
    if (factor != 1 && iterator != utils::IteratorType::parallel)
      return op->emitError() << "has a strategy that unrolls a loop that is not parallel";
  if (attr.getVector() && *attr.getVector() >= numLoops)
    return op->emitError() << "has " << numLoops
                           << " loops, but its strategy has vectors along loop "
                           << *attr.getVector();
  return success();
}

LoweringConfig::LoweringConfig(LoweringConfigAttr attr) {
  if (!attr)
    return;
  group = attr.getGroup();
  tileSizes = toVector(attr.getTileSizes());
  if (attr.getWinograd())
    winograd = attr.getWinograd().str();
  panel = attr.getPanel();
  vector = attr.getVector();
  lanes = attr.getLanes();
  unroll = toVector(attr.getUnroll());
  order = toVector(attr.getOrder());
  depthBlock = attr.getDepthBlock();
  streams = attr.getStreams();
  if (attr.getPrefetch())
    prefetch = *attr.getPrefetch() != 0;
}

LoweringConfig::LoweringConfig(Operation *op)
    : LoweringConfig(op->getAttrOfType<LoweringConfigAttr>(kName)) {}

LoweringConfigAttr LoweringConfig::toAttr(MLIRContext *context) const {
  auto list = [&](ArrayRef<int64_t> values) {
    return values.empty() ? DenseI64ArrayAttr() : DenseI64ArrayAttr::get(context, values);
  };
  return LoweringConfigAttr::get(
      context, group, list(tileSizes),
      winograd.empty() ? StringAttr() : StringAttr::get(context, winograd), panel, vector, lanes,
      list(unroll), list(order), depthBlock, streams,
      prefetch ? std::optional<int64_t>(*prefetch) : std::nullopt);
}

void LoweringConfig::setOn(Operation *op) const {
  if (isEmpty())
    op->removeDiscardableAttr(kName);
  else
    op->setDiscardableAttr(kName, toAttr(op->getContext()));
}

bool LoweringConfig::hasSchedule() const {
  return vector || lanes || !unroll.empty() || !order.empty() || depthBlock || streams || prefetch;
}

bool LoweringConfig::hasLoops() const { return hasSchedule() || !tileSizes.empty(); }

bool LoweringConfig::isEmpty() const { return !hasLoops() && !group && winograd.empty() && !panel; }

LogicalResult LoweringConfig::splitLoop(unsigned dim, int64_t width, unsigned numLoops) {
  if (!tileSizes.empty()) {
    if (tileSizes[dim] % width != 0)
      return failure();
    tileSizes[dim] /= width;
    tileSizes.push_back(0);
  }
  if (!unroll.empty()) {
    unroll.push_back(unroll[dim]);
    unroll[dim] = 1;
  }
  if (!order.empty())
    order.push_back(numLoops);
  if (vector == dim)
    vector = numLoops;
  return success();
}

bool hasLoweringConfig(Operation *op) { return op->hasAttr(kName); }

} // namespace onnxc::cg
