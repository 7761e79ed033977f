// onnxc-convert-to-llvm: see Passes.td. One full conversion with upstream's patterns and those of
// the rt dialect, after control flow, affine expressions and vectors are lowered.
#include "CgToLLVM.h"
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
    populateCgToLLVMPatterns(converter, patterns);
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
