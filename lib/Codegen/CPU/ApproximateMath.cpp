// onnxc-approximate-math: see Passes.td. The polynomials are upstream's; sin, cos and pow are
// left to libm because upstream's lose accuracy on large arguments.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"

namespace onnxc {
#define GEN_PASS_DEF_APPROXIMATEMATHPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct ApproximateMath : impl::ApproximateMathPassBase<ApproximateMath> {
  using ApproximateMathPassBase::ApproximateMathPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    auto expand = [](StringRef name) {
      return llvm::is_contained({math::ExpOp::getOperationName(), math::ExpM1Op::getOperationName(),
                                 math::TanhOp::getOperationName(), math::ErfOp::getOperationName(),
                                 math::LogOp::getOperationName(), math::Log1pOp::getOperationName(),
                                 math::Log2Op::getOperationName()},
                                name);
    };
    populateMathPolynomialApproximationPatterns(patterns, expand);
    arith::populateArithExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace onnxc
