// onnxc-convert-to-llvm: see Passes.td. One full conversion with upstream's patterns and those of
// the rt dialect, after control flow, affine expressions and vectors are lowered.
#include "onnxc/Codegen/CPU/RtToLLVM.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ComplexToLLVM/ComplexToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"

namespace onnxc {
#define GEN_PASS_DEF_CONVERTTOLLVMPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct ConvertToLLVM : impl::ConvertToLLVMPassBase<ConvertToLLVM> {
  using ConvertToLLVMPassBase::ConvertToLLVMPassBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    options.allocLowering = LowerToLLVMOptions::AllocLowering::AlignedAlloc;
    LLVMTypeConverter converter(context, options);
    {
      // Vectors of what only libm has are taken apart, and libm's functions declared, before
      // signatures change.
      RewritePatternSet patterns(context);
      populateMathToLibmConversionPatterns(patterns);
      ConversionTarget target(*context);
      target.addLegalDialect<arith::ArithDialect, func::FuncDialect, vector::VectorDialect,
                             LLVM::LLVMDialect, math::MathDialect>();
      target.addDynamicallyLegalDialect<math::MathDialect>([](Operation *op) {
        return !isa<math::AcosOp, math::AcoshOp, math::AsinOp, math::AsinhOp, math::AtanOp,
                    math::Atan2Op, math::AtanhOp, math::CbrtOp, math::CoshOp, math::SinhOp,
                    math::TanOp, math::TanhOp, math::ErfOp, math::ErfcOp, math::ExpM1Op,
                    math::Log1pOp, math::SinOp, math::CosOp, math::ExpOp, math::LogOp,
                    math::PowFOp, math::Exp2Op, math::Log10Op, math::Log2Op>(op);
      });
      target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
      if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
        return signalPassFailure();
    }
    RewritePatternSet patterns(context);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    populateComplexToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns); // from vectors taken apart above
    populateRtToLLVMPatterns(converter, patterns);
    LLVMConversionTarget target(*context);
    target.addLegalOp<ModuleOp>();
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    getOperation().walk([](LLVM::LLVMFuncOp function) {
      // The model's own functions are called from its other objects only; what is left comes
      // from the C library.
      if (function.getLinkage() == LLVM::Linkage::External &&
          (!function.isExternal() || function.getName().starts_with("onnxc_")))
        function.setVisibility_(LLVM::Visibility::Hidden);
    });
  }
};

} // namespace
} // namespace onnxc
