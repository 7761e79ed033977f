// onnxc-tile-and-fuse: see Passes.td. Carries out what onnxc-select-tiles wrote down.
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace onnxc {
#define GEN_PASS_DEF_TILEANDFUSEPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct TileAndFuse : impl::TileAndFusePassBase<TileAndFuse> {
  using TileAndFusePassBase::TileAndFusePassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::LinalgOp> roots;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!cg::LoweringConfig(op).tileSizes.empty())
        roots.push_back(op);
    });
    for (linalg::LinalgOp root : llvm::reverse(roots))
      tile(rewriter, root);
    // A slice of an empty tensor is an empty tensor: tiles get buffers of their own size.
    RewritePatternSet patterns(&getContext());
    tensor::populateFoldTensorEmptyPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    getOperation().walk([](Operation *op) {
      if (!cg::hasLoweringConfig(op))
        return;
      cg::LoweringConfig config(op);
      config.group.reset();
      config.setOn(op);
    });
  }

  void tile(IRRewriter &rewriter, linalg::LinalgOp root) {
    cg::LoweringConfig config(root);
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : config.tileSizes)
      sizes.push_back(rewriter.getIndexAttr(size));
    config.tileSizes.clear();
    config.setOn(root);

    scf::SCFTilingOptions tiling;
    tiling.setTileSizes(sizes).setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
    scf::SCFTileAndFuseOptions options;
    options.setTilingOptions(tiling);
    options.setFusionControlFn(
        [&](tensor::ExtractSliceOp, OpResult producer,
            bool) -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
          if (config.group && cg::LoweringConfig(producer.getOwner()).group == config.group)
            return scf::SCFTileAndFuseOptions::ControlFnResult{};
          return std::nullopt;
        });
    rewriter.setInsertionPoint(root);
    FailureOr<scf::SCFTileAndFuseResult> tiled = scf::tileConsumerAndFuseProducersUsingSCF(
        rewriter, cast<TilingInterface>(root.getOperation()), options);
    if (failed(tiled))
      return; // an operation without a tiled form stays whole
    for (OpResult result : root->getResults())
      if (Value replacement = tiled->replacements.lookup(result))
        rewriter.replaceAllUsesWith(result, replacement);
    if (root->use_empty())
      rewriter.eraseOp(root);
  }
};

} // namespace
} // namespace onnxc
