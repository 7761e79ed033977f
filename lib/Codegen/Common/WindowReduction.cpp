// See WindowReduction.h.
#include "onnxc/Codegen/Common/WindowReduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace onnxc {
namespace {

/// How far an expression moves with a loop, if that is a constant.
std::optional<int64_t> stepOf(AffineExpr expr, unsigned dim, unsigned numDims) {
  AffineExpr d = getAffineDimExpr(dim, expr.getContext());
  auto step = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(expr.replace(d, d + 1) - expr, numDims, 0));
  return step ? std::optional<int64_t>(step.getValue()) : std::nullopt;
}

/// The operations of the body that the accumulator goes through.
llvm::SetVector<Operation *> combiners(linalg::GenericOp op) {
  llvm::SetVector<Operation *> found;
  for (Operation &inner : op.getBody()->without_terminator())
    for (Value operand : inner.getOperands())
      if (operand == op.getRegionOutputArgs()[0] ||
          (operand.getDefiningOp() && found.contains(operand.getDefiningOp())))
        found.insert(&inner);
  return found;
}

/// What joins the accumulator, if that is one value, and the order of elements is without meaning: min, max, sum,
/// product, or a selection by comparison with the accumulator.
Value joinedValue(linalg::GenericOp op) {
  llvm::SetVector<Operation *> ops = combiners(op);
  Value accumulator = op.getRegionOutputArgs()[0], joined;
  for (Operation *inner : ops)
    for (Value operand : inner->getOperands()) {
      if (operand == accumulator || (operand.getDefiningOp() && ops.contains(operand.getDefiningOp())))
        continue;
      if (joined && joined != operand)
        return nullptr;
      joined = operand;
    }
  Operation *result = op.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  if (!joined || !result || !ops.contains(result) || joined.getType() != accumulator.getType())
    return nullptr;
  if (ops.size() == 1)
    return isa<arith::AddFOp, arith::AddIOp, arith::MulFOp, arith::MulIOp, arith::MaximumFOp, arith::MaxNumFOp,
               arith::MinimumFOp, arith::MinNumFOp, arith::MaxSIOp, arith::MaxUIOp, arith::MinSIOp, arith::MinUIOp>(result)
               ? joined
               : nullptr;
  auto select = dyn_cast<arith::SelectOp>(result);
  Operation *compare = select ? select.getCondition().getDefiningOp() : nullptr;
  bool selects = ops.size() == 2 && isa_and_nonnull<arith::CmpFOp, arith::CmpIOp>(compare) &&
                 compare->getOperand(0) == joined && compare->getOperand(1) == accumulator &&
                 select.getTrueValue() == joined && select.getFalseValue() == accumulator;
  return selects ? joined : nullptr;
}

/// A constant that a tensor is filled with; null: none.
Value fillOf(Value tensor) {
  auto fill = tensor.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_Constant()) ? fill.getInputs()[0] : Value();
}

bool isSameConstant(Value a, Value b) {
  Attribute first, second;
  return matchPattern(a, m_Constant(&first)) && matchPattern(b, m_Constant(&second)) && first == second;
}

/// All that uses the result: elementwise work in the same loops.
linalg::GenericOp consumerOf(linalg::GenericOp op) {
  if (!op->hasOneUse())
    return nullptr;
  OpOperand &use = *op->use_begin();
  auto consumer = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!consumer || consumer->getBlock() != op->getBlock() || consumer.getNumReductionLoops() > 0 ||
      consumer.getNumDpsInits() != 1 || consumer.isDpsInit(&use) || !consumer.hasPureTensorSemantics() ||
      !consumer.getMatchingIndexingMap(&use).isIdentity() ||
      !consumer.getMatchingIndexingMap(consumer.getDpsInitOperand(0)).isIdentity() ||
      !consumer.getRegionOutputArgs()[0].use_empty())
    return nullptr;
  return consumer;
}

} // namespace

Value WindowReduction::combine(OpBuilder &b, Value element, Value accumulator, bool ofSource) const {
  auto generic = op;
  IRMapping mapping;
  mapping.map(generic.getRegionOutputArgs()[0], accumulator);
  llvm::SetVector<Operation *> ops = combiners(generic);
  if (ofSource)
    mapping.map(generic.getRegionInputArgs()[0], element);
  else
    mapping.map(joinedValue(generic), element);
  for (Operation &inner : generic.getBody()->without_terminator())
    if (ofSource || ops.contains(&inner))
      b.clone(inner, mapping);
  return mapping.lookup(generic.getBody()->getTerminator()->getOperand(0));
}

std::optional<WindowReduction> matchWindowReduction(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || op.getNumReductionLoops() < 2 || op.hasIndexSemantics())
    return std::nullopt;
  // One input is read, others only give the windows' sizes.
  OpOperand *input = op.getDpsInputOperand(0);
  for (OpOperand *other : llvm::drop_begin(op.getDpsInputOperands()))
    if (!op.getMatchingBlockArgument(other).use_empty())
      return std::nullopt;
  AffineMap in = op.getMatchingIndexingMap(input), out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto inType = dyn_cast<RankedTensorType>(input->get().getType());
  auto outType = dyn_cast<RankedTensorType>(op.getResult(0).getType());
  WindowReduction r;
  r.op = op;
  r.neutral = fillOf(op.getDpsInitOperand(0)->get());
  if (!inType || inType.getRank() != outType.getRank() || !r.neutral || !joinedValue(op) || !out.isProjectedPermutation())
    return std::nullopt;
  // The padding.
  r.source = input->get();
  SmallVector<int64_t> low(inType.getRank(), 0);
  if (auto insert = input->get().getDefiningOp<tensor::InsertSliceOp>()) {
    Value padding = fillOf(insert.getDest());
    if (insert.getSourceType().getRank() == inType.getRank() && padding && isSameConstant(padding, r.neutral) &&
        insert.hasUnitStride() && !ShapedType::isDynamicShape(insert.getStaticOffsets())) {
      r.source = insert.getSource();
      low.assign(insert.getStaticOffsets().begin(), insert.getStaticOffsets().end());
    }
  }
  auto sourceType = cast<RankedTensorType>(r.source.getType());
  r.inShape.assign(sourceType.getShape().begin(), sourceType.getShape().end());
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  std::optional<unsigned> channels;
  for (unsigned dim = 0; dim < r.inShape.size(); ++dim) {
    AffineExpr expr = in.getResult(dim);
    auto own = dyn_cast<AffineDimExpr>(out.getResult(dim));
    if (expr == out.getResult(dim)) {
      if (low[dim] != 0 || inType.getDimSize(dim) != r.inShape[dim])
        return std::nullopt;
      channels = dim;
      continue;
    }
    WindowDim w = {dim, 0, 0, 0, r.inShape[dim], outType.getDimSize(dim), low[dim], inType.getDimSize(dim)};
    for (unsigned loop = 0; loop < sizes.size(); ++loop) {
      if (!expr.isFunctionOfDim(loop))
        continue;
      std::optional<int64_t> step = stepOf(expr, loop, sizes.size());
      bool reduces = iterators[loop] == utils::IteratorType::reduction;
      if (!step || *step < 1 || (reduces ? w.dilation != 0 : loop != own.getPosition()))
        return std::nullopt;
      (reduces ? w.dilation : w.stride) = *step;
      if (reduces)
        w.kernel = sizes[loop];
    }
    if (w.stride == 0 || w.dilation == 0 || w.kernel < 2 || ShapedType::isDynamic(w.in) || ShapedType::isDynamic(w.out) ||
        ShapedType::isDynamic(w.kernel) || ShapedType::isDynamic(w.paddedSize) || w.in < 1 || w.out < 1)
      return std::nullopt;
    r.windows.push_back(w);
  }
  if (r.windows.size() < 2 || r.windows.size() != op.getNumReductionLoops() || !channels ||
      ShapedType::isDynamic(r.inShape[*channels]) || r.inShape[*channels] < 1)
    return std::nullopt;
  r.channels = *channels;
  r.consumer = consumerOf(op);
  return r;
}

} // namespace onnxc
