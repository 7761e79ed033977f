#include "Contradiction.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace onnxc {

LogicalResult refuseWhereReached(ConversionPatternRewriter &b, const OnnxTypeConverter &types, Operation *op,
                                 const Twine &reason) {
  SmallVector<Type> resultTypes;
  if (!op->getParentOfType<scf::IfOp>() || failed(types.convertTypes(op->getResultTypes(), resultTypes)) ||
      !llvm::all_of(resultTypes, llvm::IsaPred<RankedTensorType>))
    return types.refuse(op, reason);
  op->emitWarning() << reason.str() << "; a run that takes this branch will fail";
  Location loc = op->getLoc();
  Value never = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
  runtimeAssert(b, loc, never, op->getName().stripDialect() + " " + reason);
  SmallVector<Value> results;
  for (Type type : resultTypes) {
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim : cast<RankedTensorType>(type).getShape())
      sizes.push_back(b.getIndexAttr(ShapedType::isDynamic(dim) ? 0 : dim));
    Value nothing = tensor::EmptyOp::create(b, loc, sizes, cast<RankedTensorType>(type).getElementType());
    results.push_back(castTensor(b, loc, nothing, type));
  }
  b.replaceOp(op, results);
  return success();
}

} // namespace onnxc
