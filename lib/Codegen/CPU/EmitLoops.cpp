// onnxc-emit-loops: see Passes.td.
#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_EMITLOOPSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;

Value withoutCasts(Value value) {
  while (auto castOp = value.getDefiningOp<memref::CastOp>())
    value = castOp.getSource();
  return value;
}

namespace {

bool isContiguous(Value value) {
  return cast<MemRefType>(value.getType()).getLayout().isIdentity();
}

struct EmitLoops : impl::EmitLoopsPassBase<EmitLoops> {
  using EmitLoopsPassBase::EmitLoopsPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) {
      op.getSourceMutable().assign(withoutCasts(op.getSource()));
      op.getTargetMutable().assign(withoutCasts(op.getTarget()));
      // Of a tile that was computed in place.
      if (op.getSource() == op.getTarget())
        return rewriter.eraseOp(op);
      if (!isContiguous(op.getSource()) || !isContiguous(op.getTarget()))
        copies.push_back(op);
    });
    for (memref::CopyOp copy : copies) {
      rewriter.setInsertionPoint(copy);
      linalg::makeMemRefCopyOp(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget());
      rewriter.eraseOp(copy);
    }

    VectorTarget target{vectorBits, numRegisters};
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitError("is not on buffers");
        return signalPassFailure();
      }
      LoopSchedule schedule = chooseLoopSchedule(op, target);
      refineProductSchedule(op, target, schedule);
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
