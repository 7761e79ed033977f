// onnxc-pack-operands: see Passes.td.
#include "Panels.h"
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace onnxc {
#define GEN_PASS_DEF_PACKOPERANDSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Rows from which a copy in panels pays, and the least bytes of a right side that gains by it: smaller
/// ones stay in the first-level cache as they are.
constexpr int64_t kMinRows = 32, kMinBytes = 64 * 1024;

struct PackOperands : impl::PackOperandsPassBase<PackOperands> {
  using PackOperandsPassBase::PackOperandsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    llvm::SmallPtrSet<Operation *, 8> attention;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!op.hasPureTensorSemantics())
        return;
      // What only works on elements may be part of a product that is cut in pieces, and go with it.
      if (op.getNumReductionLoops() > 0)
        products.push_back(op);
      for (OpOperand *input : op.getDpsInputOperands())
        if (linalg::LinalgOp scores = scoresBehind(op, *input))
          attention.insert({op, scores});
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : products)
      if (!attention.contains(op))
        for (OpOperand *operand : op.getDpsInputOperands())
          if (pack(rewriter, op, *operand))
            break;
  }

  /// Packs the operand if it is the right side of a product that is large enough.
  bool pack(IRRewriter &rewriter, linalg::LinalgOp op, OpOperand &operand) {
    // A strategy that is there speaks of the loops as they are.
    if (!wantsColumnsInside(op, operand) || cg::LoweringConfig(op).hasLoops())
      return false;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    unsigned column = out.getDimPosition(out.getNumResults() - 1);
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    SmallVector<unsigned> outer, depth;
    int64_t rows = 1, bytes = getElementTypeOrSelf(operand.get()).getIntOrFloatBitWidth() / 8;
    for (auto [dim, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
      bool follows = map.isFunctionOfDim(dim);
      if (iterator == utils::IteratorType::reduction)
        depth.push_back(dim);
      else if (!follows)
        rows *= ShapedType::isDynamic(sizes[dim]) ? kMinRows : sizes[dim];
      else if (dim != column)
        outer.push_back(dim);
    }
    if (ShapedType::isDynamic(sizes[column]) || ShapedType::isDynamic(sizes[depth[0]]) ||
        rows < kMinRows || bytes * sizes[column] * sizes[depth[0]] < kMinBytes)
      return false;
    SmallVector<ColumnPiece> pieces = chooseColumnPieces(sizes[column], rows, /*image=*/false);
    unsigned side = operand.getOperandNumber();
    SmallVector<linalg::LinalgOp> products = {op};
    if (pieces.size() > 1) {
      if (!isWorthPieces(op))
        return false;
      products = splitColumns(rewriter, op, column, pieces);
    }
    for (auto [product, piece] : llvm::zip(products, pieces))
      if (piece.width < piece.size)
        packPiece(rewriter, product, product->getOpOperand(side), map, column,
                  outer, depth, piece);
    return !products.empty();
  }

  void packPiece(IRRewriter &rewriter, linalg::LinalgOp product, OpOperand &operand, AffineMap map,
                 unsigned column, ArrayRef<unsigned> outer, ArrayRef<unsigned> depth,
                 ColumnPiece piece) {
    rewriter.setInsertionPoint(product);
    Location loc = product.getLoc();
    auto type = cast<RankedTensorType>(operand.get().getType());
    // The columns become (panel, column), and the dimensions are put in order.
    auto at = [&](unsigned dim) -> int64_t {
      return *map.getResultPosition(rewriter.getAffineDimExpr(dim));
    };
    int64_t columnAt = at(column);
    SmallVector<ReassociationIndices> groups;
    SmallVector<OpFoldResult> sizes;
    SmallVector<int64_t> shape;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      groups.push_back({static_cast<int64_t>(shape.size())});
      shape.push_back(type.getDimSize(dim));
      sizes.push_back(tensor::getMixedSize(rewriter, loc, operand.get(), dim));
      if (dim == columnAt) {
        groups.back().push_back(shape.size());
        shape.back() = piece.size / piece.width;
        sizes.back() = rewriter.getIndexAttr(shape.back());
        shape.push_back(piece.width);
        sizes.push_back(rewriter.getIndexAttr(piece.width));
      }
    }
    Value expanded = tensor::ExpandShapeOp::create(
        rewriter, loc, RankedTensorType::get(shape, type.getElementType()), operand.get(), groups,
        sizes);
    SmallVector<int64_t> order;
    auto add = [&](unsigned dim) { order.push_back(groups[at(dim)].front()); };
    for (unsigned dim : outer)
      add(dim);
    add(column);
    for (unsigned dim : depth)
      add(dim);
    order.push_back(groups[columnAt].back());
    SmallVector<OpFoldResult> packedSizes;
    for (int64_t dim : order)
      packedSizes.push_back(sizes[dim]);
    Value init = tensor::EmptyOp::create(rewriter, loc, packedSizes, type.getElementType());
    Value packed =
        linalg::TransposeOp::create(rewriter, loc, expanded, init, order).getResult()[0];
    replaceByPanels(rewriter, product, operand, packed, column, outer, depth);
  }
};

} // namespace
} // namespace onnxc
