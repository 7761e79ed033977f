// onnx-fold-constants: operators on constants are computed. Walks each block in order, so a
// chain folds in one go; blobs are freed as soon as their last constant is gone.
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXFOLDCONSTANTS
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

struct FoldConstants : impl::OnnxFoldConstantsBase<FoldConstants> {
  using Base::Base;

  void runOnOperation() override {
    BlobUses blobs(getOperation());
    uses = &blobs;
    for (Region &region : getOperation()->getRegions())
      foldRegion(region);
    // A constant's type has all sizes, also those that nobody could infer.
    getOperation()->walk([](func::FuncOp func) {
      if (!func.isExternal())
        func.setType(FunctionType::get(func.getContext(), func.getArgumentTypes(),
                                       func.getBody().front().getTerminator()->getOperandTypes()));
    });
  }

private:
  void foldRegion(Region &region) {
    for (Block &block : region)
      for (Operation &op : llvm::make_early_inc_range(block)) {
        for (Region &nested : op.getRegions())
          foldRegion(nested);
        fold(&op);
      }
  }

  void replace(Operation *op, ArrayRef<ElementsAttr> values) {
    OpBuilder b(op);
    for (auto [result, value] : llvm::zip(op->getResults(), values)) {
      if (result.use_empty() || isNone(result))
        continue;
      auto constant = ConstantOp::create(b, op->getLoc(), value);
      uses->add(constant);
      result.replaceAllUsesWith(constant.getOutput());
    }
    SmallVector<Operation *> operands;
    for (Value operand : op->getOperands())
      if (Operation *def = operand.getDefiningOp())
        if (!llvm::is_contained(operands, def))
          operands.push_back(def);
    op->erase();
    for (Operation *def : operands)
      if (isa<ConstantOp, NoneOp>(def) && def->use_empty()) {
        uses->remove(def);
        def->erase();
      }
    ++numFolded;
  }

  /// Shape and Size need the type of their operand, not its value.
  bool foldShape(Operation *op) {
    if (!isa<ShapeOp, SizeOp>(op))
      return false;
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (!type)
      return true;
    int64_t rank = type.getRank(), start = 0, end = rank;
    if (isa<ShapeOp>(op)) {
      auto clampAxis = [&](int64_t axis) {
        return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
      };
      start = clampAxis(intAttr(op, "start", 0));
      end = std::max(start, clampAxis(intAttr(op, "end", rank)));
    }
    ArrayRef<int64_t> dims = type.getShape().slice(start, end - start);
    if (llvm::any_of(dims, ShapedType::isDynamic))
      return true;
    Type i64 = IntegerType::get(&getContext(), 64);
    if (isa<SizeOp>(op))
      replace(op, ElementsAttr(DenseElementsAttr::get(RankedTensorType::get({}, i64),
                                                     type.getNumElements())));
    else
      replace(op, ElementsAttr(DenseElementsAttr::get(
                      RankedTensorType::get({end - start}, i64), dims)));
    return true;
  }

  void fold(Operation *op) {
    if (op->getNumResults() == 0 || isa<ConstantOp, NoneOp>(op) || foldShape(op) ||
        !canEvaluate(op))
      return;
    SmallVector<std::optional<HostTensor>> operands;
    for (Value operand : op->getOperands()) {
      // CastLike reads only the type of its second operand.
      if (isNone(operand) || (isa<CastLikeOp>(op) && operands.size() == 1)) {
        operands.push_back(std::nullopt);
        continue;
      }
      ElementsAttr value = constantValue(operand);
      if (!value)
        return;
      operands.push_back(HostTensor::read(value));
      if (!operands.back())
        return;
    }
    for (Value result : op->getResults())
      if (!isa<TensorType, NoneType>(result.getType()))
        return;
    if (reshapeResource(op))
      return;
    HostResults results;
    EvaluateLimits limits;
    limits.growthBytes = growthBytes;
    if (failed(evaluate(op, operands, limits, results)) || results.size() != op->getNumResults())
      return;
    SmallVector<ElementsAttr> values;
    for (const HostTensor &result : results)
      values.push_back(result.toAttr());
    operands.clear();
    replace(op, values);
  }

  /// A weight that only changes its shape keeps its blob.
  bool reshapeResource(Operation *op) {
    if (!isa<ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp, IdentityOp>(op))
      return false;
    auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(constantValue(op->getOperand(0)));
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!resource || !type || !type.hasStaticShape() ||
        type.getNumElements() != resource.getType().getNumElements())
      return false;
    replace(op, cast<ElementsAttr>(
                    Attribute(DenseResourceElementsAttr::get(type, resource.getRawHandle()))));
    return true;
  }

  BlobUses *uses = nullptr;
};

} // namespace
} // namespace onnxc::onnx
