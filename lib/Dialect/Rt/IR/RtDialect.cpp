// The rt dialect and the verifiers and effects of its operations.
#include "onnxc/Dialect/Rt/IR/Rt.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace onnxc::rt;

#include "onnxc/Dialect/Rt/IR/RtDialect.cpp.inc"

void RtDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "onnxc/Dialect/Rt/IR/RtOps.cpp.inc"
      >();
}

// On tensors the kernel is a function of its inputs; on memrefs it writes its
// inits and allocates the rest.
void KernelOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  if (getHasEffects()) {
    effects.emplace_back(MemoryEffects::Read::get());
    effects.emplace_back(MemoryEffects::Write::get());
  }
  for (OpOperand &operand : getInputsMutable())
    if (isa<BaseMemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  for (OpOperand &operand : getInitsMutable())
    if (isa<BaseMemRefType>(operand.get().getType())) {
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    }
  for (OpResult result : getResults())
    if (isa<BaseMemRefType>(result.getType()))
      effects.emplace_back(MemoryEffects::Allocate::get(), result);
}

LogicalResult KernelOp::verify() {
  bool onTensors = llvm::all_of(getOperandTypes(), llvm::IsaPred<TensorType>) &&
                   llvm::all_of(getResultTypes(), llvm::IsaPred<TensorType>);
  bool onMemRefs = llvm::all_of(getOperandTypes(), llvm::IsaPred<BaseMemRefType>) &&
                   llvm::all_of(getResultTypes(), llvm::IsaPred<BaseMemRefType>);
  if (!onTensors && !onMemRefs)
    return emitOpError("takes and gives either tensors only or memrefs only");

  size_t tied = onTensors && getNumOperands() > 0 ? getInits().size() : 0;
  if (getNumResults() < tied)
    return emitOpError("has ") << tied << " inits but only " << getNumResults() << " results";
  for (size_t i = 0; i < tied; ++i)
    if (getInits()[i].getType() != getResult(i).getType())
      return emitOpError("result ") << i << " must have the type of its init, "
                                    << getInits()[i].getType();

  size_t expected = getInputs().size() + getInits().size() + getNumResults() - tied;
  if (getElemTypes().size() != expected)
    return emitOpError("needs ") << expected << " entries in elem_types, has "
                                 << getElemTypes().size();

  for (NamedAttribute attr : getAttrs()) {
    Attribute value = attr.getValue();
    bool known = isa<StringAttr, DenseI64ArrayAttr, DenseF32ArrayAttr>(value);
    if (auto integer = dyn_cast<IntegerAttr>(value))
      known = integer.getType().isSignlessInteger(64);
    if (auto number = dyn_cast<FloatAttr>(value))
      known = number.getType().isF32();
    if (auto array = dyn_cast<ArrayAttr>(value))
      known = llvm::all_of(array, llvm::IsaPred<StringAttr>);
    if (!known)
      return emitOpError("attribute '")
             << attr.getName().getValue()
             << "' must be an i64, an f32, a string, or an array of one of them";
  }
  return success();
}

LogicalResult StringConstantOp::verify() {
  int64_t elements = cast<ShapedType>(getType()).getNumElements();
  if (static_cast<int64_t>(getValues().size()) != elements)
    return emitOpError("has ") << getValues().size() << " strings for a tensor of " << elements;
  return success();
}

#define GET_OP_CLASSES
#include "onnxc/Dialect/Rt/IR/RtOps.cpp.inc"
