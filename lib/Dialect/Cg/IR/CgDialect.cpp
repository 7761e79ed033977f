// The cg dialect and the verifiers and effects of its operations.
#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace onnxc::cg;

#include "onnxc/Dialect/Cg/IR/CgDialect.cpp.inc"

void CgDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "onnxc/Dialect/Cg/IR/CgOps.cpp.inc"
      >();
}

void WinogradConvOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : getOperation()->getOpOperands()) {
    if (!isa<BaseMemRefType>(operand.get().getType()))
      continue;
    if (&operand == &getInitMutable())
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

LogicalResult WinogradConvOp::verify() {
  auto isF32 = [](Type type, int64_t rank) {
    auto shaped = cast<ShapedType>(type);
    return shaped.hasRank() && shaped.getRank() == rank && shaped.getElementType().isF32();
  };
  if (!isF32(getInput().getType(), 4) || !isF32(getInit().getType(), 4) ||
      !isF32(getWeights().getType(), 1))
    return emitOpError("needs an input and an init of rank 4 and weights of rank 1, all f32");
  if (ShapedType::isDynamic(getNumChannels()) || ShapedType::isDynamic(getNumFilters()))
    return emitOpError("needs a known number of channels and of filters");
  if (getTile() != 2 && getTile() != 4)
    return emitOpError("has tiles of ") << getTile() << ", expected 2 or 4";
  if (getLow().size() != 2 || llvm::any_of(getLow(), [](int64_t low) { return low < 0; }))
    return emitOpError("needs two paddings in low, at least 0");
  if (getPanel() < 2 || getPanel() % 2 != 0 || getLanes() < 1 || getPanel() / 2 % getLanes() != 0 || getRows() < 1 || getBlock() < 1 || getSplits() < 1 ||
      static_cast<int64_t>(getDepth()) < 0)
    return emitOpError("has a schedule that cannot be");
  int64_t columns = llvm::alignTo(getNumFilters(), getPanel() / 2);
  int64_t matrices = getDepth() == 0 ? getAlpha() * getAlpha() : 9;
  int64_t expected = matrices * getNumChannels() * columns;
  if (cast<ShapedType>(getWeights().getType()).getShape()[0] != expected)
    return emitOpError("needs ") << expected << " weights";
  Block &body = getEpilogue().front();
  if (getExtraMaps().size() != getExtras().size() ||
      body.getNumArguments() != getExtras().size() + 1 || !isa<YieldOp>(body.getTerminator()))
    return emitOpError("needs a map and an argument of the region for each extra");
  for (auto [attr, extra] : llvm::zip(getExtraMaps(), getExtras())) {
    AffineMap map = cast<AffineMapAttr>(attr).getValue();
    auto shaped = dyn_cast<ShapedType>(extra.getType());
    if (map.getNumDims() != 4 || map.getNumResults() != (shaped ? shaped.getRank() : 0))
      return emitOpError("has an extra whose map does not fit it");
  }
  return success();
}

LogicalResult TileConfigureOp::verify() {
  if (getShapes().getType().getShape()[0] != 64)
    return emitOpError("needs 64 bytes of shapes");
  return success();
}

static LogicalResult verifyTileMemory(Operation *op, Value memory, ValueRange indices) {
  auto type = cast<MemRefType>(memory.getType());
  if (type.getRank() != static_cast<int64_t>(indices.size()))
    return op->emitOpError("needs an index for each dimension");
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.empty() || strides.back() != 1)
    return op->emitOpError("needs memory that is contiguous along its last dimension");
  return success();
}

LogicalResult TileLoadOp::verify() { return verifyTileMemory(*this, getMemory(), getIndices()); }
LogicalResult TileStoreOp::verify() { return verifyTileMemory(*this, getMemory(), getIndices()); }

#define GET_OP_CLASSES
#include "onnxc/Dialect/Cg/IR/CgOps.cpp.inc"
