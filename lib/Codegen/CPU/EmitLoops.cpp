// onnxc-emit-loops: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_EMITLOOPSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct EmitLoops : impl::EmitLoopsPassBase<EmitLoops> {
  using EmitLoopsPassBase::EmitLoopsPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    VectorTarget target{vectorBits, numRegisters};
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitError("is not on buffers");
        return signalPassFailure();
      }
      LoopSchedule schedule = chooseLoopSchedule(op, target);
      if (succeeded(emitLoops(rewriter, op, schedule)))
        continue;
      LoopSchedule scalar;
      scalar.unroll.assign(op.getNumLoops(), 1);
      if (failed(emitLoops(rewriter, op, scalar))) {
        op.emitError("cannot be written as loops");
        return signalPassFailure();
      }
    }
  }
};

} // namespace
} // namespace onnxc
