// onnxc-turn-operands: see Passes.td.
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_TURNOPERANDSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct TurnOperands : impl::TurnOperandsPassBase<TurnOperands> {
  using TurnOperandsPassBase::TurnOperandsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureTensorSemantics())
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : products)
      for (OpOperand *operand : op.getDpsInputOperands())
        if (wantsColumnsInside(op, *operand) && turn(rewriter, op, operand))
          break;
  }

  bool turn(IRRewriter &rewriter, linalg::LinalgOp op, OpOperand *operand) {
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    AffineMap map = op.getMatchingIndexingMap(operand);
    SmallVector<unsigned> reductions;
    op.getReductionDims(reductions);
    std::optional<unsigned> column = map.getResultPosition(out.getResults().back()),
                            depth = map.getResultPosition(rewriter.getAffineDimExpr(reductions[0]));
    auto type = dyn_cast<RankedTensorType>(operand->get().getType());
    if (!type || !column || !depth)
      return false;
    unsigned rank = type.getRank();
    int64_t distance = type.getElementTypeBitWidth() / 8;
    for (int64_t size : type.getShape().drop_front(*depth + 1))
      distance = ShapedType::isDynamic(size) || ShapedType::isDynamic(distance)
                     ? ShapedType::kDynamic
                     : distance * size;
    bool inPlace = *column + 1 == rank && *depth + 2 == rank;
    bool unknown = ShapedType::isDynamic(distance);
    if (*column + 1 == rank && ((inPlace && unknown) || !collidesInCache(distance)))
      return false;

    // The depth and the column go last, the others keep their order.
    SmallVector<int64_t> order;
    for (unsigned i = 0; i < rank; ++i)
      if (i != *column && i != *depth)
        order.push_back(i);
    order.append({*depth, *column});
    SmallVector<AffineExpr> results;
    for (int64_t dim : order)
      results.push_back(map.getResult(dim));

    rewriter.setInsertionPoint(op);
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, operand->get());
    SmallVector<OpFoldResult> turned;
    for (int64_t dim : order)
      turned.push_back(sizes[dim]);
    Value init = tensor::EmptyOp::create(rewriter, loc, turned, type.getElementType());
    Value copy = linalg::TransposeOp::create(rewriter, loc, operand->get(), init, order)
                     .getResult()[0];
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (OpOperand *input : op.getDpsInputOperands())
      inputs.push_back(input == operand ? copy : input->get());
    maps[operand->getOperandNumber()] =
        AffineMap::get(map.getNumDims(), 0, results, rewriter.getContext());
    auto generic = linalg::GenericOp::create(rewriter, loc, op->getResultTypes(), inputs,
                                             ValueRange{op.getDpsInits()}, maps,
                                             op.getIteratorTypesArray());
    rewriter.cloneRegionBefore(op->getRegion(0), generic.getRegion(), generic.getRegion().begin());
    cg::LoweringConfig(op).setOn(generic);
    rewriter.replaceOp(op, generic.getResults());
    return true;
  }
};

} // namespace
} // namespace onnxc
