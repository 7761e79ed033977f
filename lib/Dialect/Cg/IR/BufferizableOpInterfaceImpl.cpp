// Bufferization of the cg dialect: operands stay where they are as long as channels are
// neighbours in memory; the result is written into the init's buffer.
#include "onnxc/Dialect/Cg/IR/BufferizableOpInterfaceImpl.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "onnxc/Dialect/Cg/IR/Cg.h"

using namespace mlir;
using namespace mlir::bufferization;

namespace onnxc::cg {
namespace {

bool hasUnitLastStride(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  return type.getRank() == 0 ||
         (succeeded(type.getStridesAndOffset(strides, offset)) && strides.back() == 1);
}

Value allocateLike(RewriterBase &rewriter, Location loc, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(memref::DimOp::create(rewriter, loc, buffer, dim));
  return memref::AllocOp::create(rewriter, loc,
                                 MemRefType::get(type.getShape(), type.getElementType()), sizes);
}

struct WinogradConvInterface
    : public DstBufferizableOpInterfaceExternalModel<WinogradConvInterface, WinogradConvOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return !cast<WinogradConvOp>(op).isDpsInit(&operand);
  }
  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return cast<WinogradConvOp>(op).isDpsInit(&operand);
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options, BufferizationState &state) const {
    auto conv = cast<WinogradConvOp>(op);
    if (conv.hasPureBufferSemantics())
      return success();
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(op);
    Location loc = op->getLoc();
    SmallVector<Value> operands;
    Value target;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      Value used = *buffer;
      if (!hasUnitLastStride(used)) {
        used = allocateLike(rewriter, loc, *buffer);
        if (!conv.isDpsInit(&operand))
          memref::CopyOp::create(rewriter, loc, *buffer, used);
      }
      if (conv.isDpsInit(&operand))
        target = *buffer;
      operands.push_back(used);
    }
    OperationState onBuffers(loc, op->getName(), operands, TypeRange{}, op->getAttrs());
    onBuffers.propertiesAttr = op->getPropertiesAsAttribute();
    onBuffers.addRegion()->takeBody(conv.getEpilogue());
    rewriter.create(onBuffers);
    if (operands.back() != target)
      memref::CopyOp::create(rewriter, loc, operands.back(), target);
    replaceOpWithBufferizedValues(rewriter, op, target);
    return success();
  }
};

} // namespace

void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, CgDialect *) {
    WinogradConvOp::attachInterface<WinogradConvInterface>(*context);
  });
}

} // namespace onnxc::cg
