// onnxc-emit-loops: see Passes.td.
#include "CollapseLoops.h"
#include "onnxc/Codegen/CPU/DotEmitter.h"
#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_EMITLOOPSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// One loop nest to be.
struct Nest {
  linalg::LinalgOp op;
  LoopSchedule schedule;
  LoopFusion fusion;
  bool isPackedDot = false;
};

struct EmitLoops : impl::EmitLoopsPassBase<EmitLoops> {
  using EmitLoopsPassBase::EmitLoopsPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    VectorTarget target{vectorBits, numRegisters, byteProducts, fusedMultiplyAdd,
                        bfloatDots, byteTiles,    bfloatTiles};
    std::vector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    std::vector<Nest> nests;
    for (linalg::LinalgOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitError("is not on buffers");
        return signalPassFailure();
      }
      // Products of packed bytes have an emitter of their own.
      if (auto columns = vectorBits > 0 ? packedDotColumns(op) : std::nullopt) {
        if (cg::LoweringConfig(op).hasSchedule()) {
          op.emitError("is a product of packed bytes: its strategy can give tile sizes only");
          return signalPassFailure();
        }
        nests.push_back({op, {}, {}, /*isPackedDot=*/true});
        nests.back().schedule.vectorDim = columns;
        continue;
      }
      // Here the loops of sums only, of which what joins the nest knows nothing. A strategy speaks of
      // the loops as they are.
      if (!cg::LoweringConfig(op).hasSchedule())
        if (linalg::LinalgOp merged = collapseLoops(rewriter, op, utils::IteratorType::reduction))
          op = merged;
      FailureOr<LoopSchedule> schedule = decideLoopSchedule(op, target);
      if (failed(schedule))
        return signalPassFailure();
      nests.push_back({op, *schedule, {}});
    }
    // All fusions are found before anything is rewritten: loops tell less about what they touch.
    llvm::SmallPtrSet<Operation *, 16> taken;
    for (Nest &nest : nests) {
      // A product whose depth is done in blocks meets each element several times.
      if (taken.contains(nest.op) ||
          (nest.schedule.product && nest.schedule.product->depthBlock > 0))
        continue;
      nest.fusion = findLoopFusion(nest.op, nest.schedule.vectorDim,
                                   [&](Operation *op) { return taken.contains(op); });
      if (nest.fusion.fill)
        taken.insert(nest.fusion.fill);
      for (Epilogue &epilogue : nest.fusion.epilogues)
        taken.insert(epilogue.op);
    }
    for (Nest &nest : nests) {
      if (nest.isPackedDot) {
        emitPackedDot(rewriter, nest.op, target, nest.fusion);
        continue;
      }
      if (taken.contains(nest.op))
        continue;
      // Elementwise work that no nest has taken.
      if (nest.op.getNumReductionLoops() == 0 && !cg::LoweringConfig(nest.op).hasSchedule()) {
        if (linalg::LinalgOp merged = collapseLoops(rewriter, nest.op, utils::IteratorType::parallel))
          nest = {merged, chooseLoopSchedule(merged, target), {}};
      }
      if (succeeded(emitLoops(rewriter, nest.op, nest.schedule, nest.fusion)))
        continue;
      if (cg::LoweringConfig(nest.op).vector) {
        nest.op.emitError("has a strategy with vectors along a loop whose reduction has no vector form");
        return signalPassFailure();
      }
      LoopSchedule scalar;
      scalar.unroll.assign(nest.op.getNumLoops(), 1);
      if (failed(emitLoops(rewriter, nest.op, scalar, nest.fusion))) {
        nest.op.emitError("cannot be written as loops");
        return signalPassFailure();
      }
    }
  }
};

} // namespace
} // namespace onnxc
