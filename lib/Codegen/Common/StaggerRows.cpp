// onnxc-stagger-rows: see Passes.td.
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace onnxc {
#define GEN_PASS_DEF_STAGGERROWSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Elements by which rows that would collide are made longer: a vector or a cache line of f32.
constexpr int64_t kExtra = 16;

struct StaggerRows : impl::StaggerRowsPassBase<StaggerRows> {
  using StaggerRowsPassBase::StaggerRowsPassBase;

  void runOnOperation() override {
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureTensorSemantics())
        for (OpOperand *operand : op.getDpsInputOperands())
          if (wantsColumnsInside(op, *operand))
            stagger(op, *operand);
    });
  }

  void stagger(linalg::LinalgOp product, OpOperand &operand) {
    AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
    AffineMap map = product.getMatchingIndexingMap(&operand);
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
    if (!type || type.getRank() < 2 || map.getResults().back() != out.getResults().back() ||
        !producer || producer.getNumReductionLoops() > 0 || producer->getNumResults() != 1 ||
        !producer->hasOneUse())
      return;
    int64_t columns = type.getShape().back(), bytes = type.getElementTypeBitWidth() / 8;
    OpOperand *init = producer.getDpsInitOperand(0);
    auto empty = init->get().getDefiningOp<tensor::EmptyOp>();
    if (!empty || !collidesInCache(ShapedType::isDynamic(columns) ? columns : columns * bytes))
      return;
    OpBuilder b(producer);
    Location loc = producer.getLoc();
    SmallVector<OpFoldResult> sizes = empty.getMixedSizes(), longer = sizes;
    longer.back() = affine::makeComposedFoldedAffineApply(b, loc, b.getAffineDimExpr(0) + kExtra,
                                                          {sizes.back()});
    SmallVector<Value> dynamic;
    SmallVector<int64_t> shape;
    dispatchIndexOpFoldResults(longer, dynamic, shape);
    // Not tensor.empty: its slices are folded to tensors of their own size.
    Value buffer = bufferization::AllocTensorOp::create(
        b, loc, RankedTensorType::get(shape, type.getElementType()), dynamic);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)),
        steps(sizes.size(), b.getIndexAttr(1));
    init->set(tensor::ExtractSliceOp::create(b, loc, type, buffer, offsets, sizes, steps));
  }
};

} // namespace
} // namespace onnxc
