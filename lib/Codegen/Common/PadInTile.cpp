// onnxc-pad-in-tile: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace onnxc {
#define GEN_PASS_DEF_PADINTILEPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// A padded tile that is larger leaves too little of the second-level cache.
constexpr int64_t kMaxBytes = 256 * 1024;

struct PadInTile : impl::PadInTilePassBase<PadInTile> {
  using PadInTilePassBase::PadInTilePassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<tensor::ExtractSliceOp> slices;
    getOperation().walk([&](tensor::ExtractSliceOp slice) {
      if (isa<scf::ForallOp>(slice->getParentOp()))
        slices.push_back(slice);
    });
    for (tensor::ExtractSliceOp slice : slices)
      padInTile(rewriter, slice);
  }

  static bool isUnit(ArrayRef<OpFoldResult> strides) {
    return llvm::all_of(strides, [](OpFoldResult stride) { return isConstantIntValue(stride, 1); });
  }

  /// Whether iterations of the loop take different slices: none is padded twice.
  static bool movesWithAll(tensor::ExtractSliceOp slice, scf::ForallOp loop) {
    for (auto [iv, size] : llvm::zip(loop.getInductionVars(), loop.getMixedUpperBound())) {
      Value moving = iv;
      if (!isConstantIntValue(size, 1) &&
          llvm::none_of(slice.getMixedOffsets(), [&](OpFoldResult at) { return dependsOn(at, moving); }))
        return false;
    }
    return true;
  }

  static bool dependsOn(OpFoldResult at, Value iv, int depth = 4) {
    auto value = dyn_cast<Value>(at);
    if (!value || value == iv)
      return value != nullptr;
    Operation *op = value.getDefiningOp();
    return op && depth > 0 &&
           llvm::any_of(op->getOperands(), [&](Value operand) { return dependsOn(operand, iv, depth - 1); });
  }

  static void padInTile(IRRewriter &rewriter, tensor::ExtractSliceOp slice) {
    auto loop = cast<scf::ForallOp>(slice->getParentOp());
    auto insert = slice.getSource().getDefiningOp<tensor::InsertSliceOp>();
    if (!insert || loop->isAncestor(insert) || !insert->hasOneUse() || !isUnit(insert.getMixedStrides()) ||
        !isUnit(slice.getMixedStrides()) || !slice.getType().hasStaticShape() ||
        slice.getType().getRank() != insert.getType().getRank() ||
        insert.getSourceType().getRank() != insert.getType().getRank() || !movesWithAll(slice, loop))
      return;
    auto fill = insert.getDest().getDefiningOp<linalg::FillOp>();
    RankedTensorType type = slice.getType();
    if (!fill || type.getNumElements() * type.getElementTypeBitWidth() / 8 > kMaxBytes)
      return;
    SmallVector<OpFoldResult> from, sizes, to;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      OpFoldResult at = slice.getMixedOffsets()[dim], size = slice.getMixedSizes()[dim];
      auto low = getConstantIntValue(insert.getMixedOffsets()[dim]);
      int64_t inside = insert.getSourceType().getDimSize(dim);
      if (low == 0 && inside == insert.getType().getDimSize(dim) && !ShapedType::isDynamic(inside)) {
        from.push_back(at);
        sizes.push_back(size);
        to.push_back(rewriter.getIndexAttr(0));
        continue;
      }
      auto begin = getConstantIntValue(at), length = getConstantIntValue(size);
      if (!low || !begin || !length || ShapedType::isDynamic(inside))
        return;
      int64_t first = std::max(*low, *begin), last = std::min(*low + inside, *begin + *length);
      if (first >= last)
        return;
      from.push_back(rewriter.getIndexAttr(first - *low));
      sizes.push_back(rewriter.getIndexAttr(last - first));
      to.push_back(rewriter.getIndexAttr(first - *begin));
    }
    rewriter.setInsertionPoint(slice);
    Location loc = insert.getLoc();
    SmallVector<OpFoldResult> strides(type.getRank(), rewriter.getIndexAttr(1));
    Value source = tensor::ExtractSliceOp::create(rewriter, loc, insert.getSource(), from, sizes, strides);
    Value empty = tensor::EmptyOp::create(rewriter, loc, slice.getMixedSizes(), type.getElementType());
    Value padding = linalg::FillOp::create(rewriter, fill.getLoc(), fill.value(), empty).getResult(0);
    Value tile = tensor::InsertSliceOp::create(rewriter, loc, source, padding, to, sizes, strides);
    rewriter.replaceOp(slice, tile);
    rewriter.eraseOp(insert);
    if (fill->use_empty())
      rewriter.eraseOp(fill);
  }
};

} // namespace
} // namespace onnxc
