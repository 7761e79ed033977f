// See VectorClone.h.
#include "VectorClone.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;

namespace onnxc {

Value onVector(OpBuilder &b, Location loc, Value value, int64_t lanes) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(b, loc, VectorType::get(lanes, value.getType()), value);
}

Operation *cloneOnVectors(OpBuilder &b, Location loc, Operation &op, IRMapping &mapping,
                          int64_t lanes) {
  bool onScalars = llvm::none_of(op.getOperands(), [&](Value operand) {
    return isa<VectorType>(mapping.lookupOrDefault(operand).getType());
  });
  if (onScalars)
    return b.clone(op, mapping);
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(onVector(b, loc, mapping.lookupOrDefault(operand), lanes));
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    types.push_back(VectorType::get(lanes, type));
  OperationState state(loc, op.getName(), operands, types, op.getAttrs());
  Operation *clone = b.create(state);
  mapping.map(op.getResults(), clone->getResults());
  return clone;
}

Value identityVector(OpBuilder &b, Location loc, vector::CombiningKind kind, Type element,
                     int64_t lanes) {
  using K = vector::CombiningKind;
  TypedAttr value;
  if (auto type = dyn_cast<FloatType>(element)) {
    const llvm::fltSemantics &semantics = type.getFloatSemantics();
    switch (kind) {
    case K::MUL:
      value = b.getFloatAttr(type, 1.0);
      break;
    case K::MAXNUMF:
    case K::MAXIMUMF:
      value = b.getFloatAttr(type, APFloat::getInf(semantics, /*Negative=*/true));
      break;
    case K::MINNUMF:
    case K::MINIMUMF:
      value = b.getFloatAttr(type, APFloat::getInf(semantics));
      break;
    default:
      value = b.getFloatAttr(type, 0.0);
    }
  } else {
    unsigned bits = element.getIntOrFloatBitWidth();
    APInt identity(bits, 0);
    switch (kind) {
    case K::MUL:
      identity = APInt(bits, 1);
      break;
    case K::AND:
    case K::MINUI:
      identity = APInt::getAllOnes(bits);
      break;
    case K::MAXSI:
      identity = APInt::getSignedMinValue(bits);
      break;
    case K::MINSI:
      identity = APInt::getSignedMaxValue(bits);
      break;
    default:
      break;
    }
    value = b.getIntegerAttr(element, identity);
  }
  auto type = VectorType::get(lanes, element);
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, value));
}

SmallVector<Value> indicesAt(OpBuilder &b, Location loc, AffineMap map, ArrayRef<OpFoldResult> positions) {
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults()) {
    AffineMap one = AffineMap::get(map.getNumDims(), 0, expr, b.getContext());
    result.push_back(getValueOrCreateConstantIndexOp(
        b, loc, affine::makeComposedFoldedAffineApply(b, loc, one, positions)));
  }
  return result;
}

} // namespace onnxc
