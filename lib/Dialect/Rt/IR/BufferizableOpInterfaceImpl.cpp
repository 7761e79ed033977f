// Bufferization of the rt dialect: kernels read their inputs, write their inits in place,
// and allocate what is left. They see contiguous memory only.
#include "onnxc/Dialect/Rt/IR/BufferizableOpInterfaceImpl.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

using namespace mlir;
using namespace mlir::bufferization;

namespace onnxc::rt {
namespace {

/// The value itself if it is contiguous, or a contiguous copy.
Value makeContiguous(RewriterBase &rewriter, Location loc, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getLayout().isIdentity())
    return buffer;
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(memref::DimOp::create(rewriter, loc, buffer, dim));
  Value copy = memref::AllocOp::create(
      rewriter, loc, MemRefType::get(type.getShape(), type.getElementType()), sizes);
  memref::CopyOp::create(rewriter, loc, buffer, copy);
  return copy;
}

MemRefType plainMemRef(Type tensorType) {
  auto type = cast<RankedTensorType>(tensorType);
  return MemRefType::get(type.getShape(), type.getElementType());
}

struct KernelInterface
    : public BufferizableOpInterface::ExternalModel<KernelInterface, KernelOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return operand.getOperandNumber() >= cast<KernelOp>(op).getInputs().size();
  }
  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &) const {
    unsigned inputs = cast<KernelOp>(op).getInputs().size();
    if (operand.getOperandNumber() < inputs)
      return {};
    return {{op->getResult(operand.getOperandNumber() - inputs), BufferRelation::Equivalent}};
  }
  AliasingOpOperandList getAliasingOpOperands(Operation *op, Value value,
                                              const AnalysisState &) const {
    auto kernel = cast<KernelOp>(op);
    unsigned number = cast<OpResult>(value).getResultNumber();
    if (number >= kernel.getInits().size())
      return {};
    return {{&kernel.getInitsMutable()[number], BufferRelation::Equivalent}};
  }
  bool bufferizesToAllocation(Operation *op, Value value) const {
    return cast<OpResult>(value).getResultNumber() >= cast<KernelOp>(op).getInits().size();
  }
  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value,
                                          const BufferizationOptions &options,
                                          const BufferizationState &state,
                                          SmallVector<Value> &invocationStack) const {
    auto kernel = cast<KernelOp>(op);
    unsigned number = cast<OpResult>(value).getResultNumber();
    if (number < kernel.getInits().size())
      return bufferization::getBufferType(kernel.getInits()[number], options, state,
                                          invocationStack);
    return cast<BufferLikeType>(plainMemRef(value.getType()));
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options, BufferizationState &state) const {
    auto kernel = cast<KernelOp>(op);
    SmallVector<Value> inputs, inits, replacements;
    SmallVector<std::pair<Value, Value>> copyBack; // contiguous copy -> strided init
    for (Value input : kernel.getInputs()) {
      FailureOr<Value> buffer = getBuffer(rewriter, input, options, state);
      if (failed(buffer))
        return failure();
      inputs.push_back(makeContiguous(rewriter, op->getLoc(), *buffer));
    }
    for (Value init : kernel.getInits()) {
      FailureOr<Value> buffer = getBuffer(rewriter, init, options, state);
      if (failed(buffer))
        return failure();
      Value contiguous = makeContiguous(rewriter, op->getLoc(), *buffer);
      if (contiguous != *buffer)
        copyBack.push_back({contiguous, *buffer});
      inits.push_back(contiguous);
      replacements.push_back(*buffer);
    }
    SmallVector<Type> allocated;
    for (Value result : kernel.getResults().drop_front(kernel.getInits().size()))
      allocated.push_back(plainMemRef(result.getType()));
    auto call = KernelOp::create(rewriter, op->getLoc(), allocated, kernel.getNameAttr(), inputs,
                                 inits, kernel.getElemTypesAttr(), kernel.getAttrsAttr(),
                                 kernel.getHasEffectsAttr());
    for (auto [from, to] : copyBack)
      memref::CopyOp::create(rewriter, op->getLoc(), from, to);
    llvm::append_range(replacements, call.getResults());
    replaceOpWithBufferizedValues(rewriter, op, replacements);
    return success();
  }
};

struct StringConstantInterface
    : public BufferizableOpInterface::ExternalModel<StringConstantInterface, StringConstantOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const {
    return false;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &, const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &, const AnalysisState &) const {
    return {};
  }
  bool isWritable(Operation *, Value, const AnalysisState &) const { return false; }
  FailureOr<BufferLikeType> getBufferType(Operation *, Value value, const BufferizationOptions &,
                                          const BufferizationState &,
                                          SmallVector<Value> &) const {
    return cast<BufferLikeType>(plainMemRef(value.getType()));
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &,
                          BufferizationState &) const {
    auto constant = cast<StringConstantOp>(op);
    auto buffer = StringConstantOp::create(rewriter, op->getLoc(), plainMemRef(constant.getType()),
                                           constant.getValuesAttr());
    replaceOpWithBufferizedValues(rewriter, op, buffer->getResults());
    return success();
  }
};

} // namespace

void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, RtDialect *) {
    KernelOp::attachInterface<KernelInterface>(*context);
    StringConstantOp::attachInterface<StringConstantInterface>(*context);
  });
}

} // namespace onnxc::rt
