// The pass: runs all families in one dialect conversion and lists every operator
// that none of them converts.
#include "Microsoft.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "onnxc/Conversion/Passes.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace onnxc {
#define GEN_PASS_DEF_CONVERTONNXTOLINALG
#include "onnxc/Conversion/Passes.h.inc"

namespace {

PopulateFn *const kFamilies[] = {
    populateConstantPatterns, populateElementwiseUnaryPatterns, populateElementwiseBinaryPatterns,
    populateActivationPatterns, populateCastPatterns,
    populateReshapePatterns, populateSlicePatterns, populateConcatPatterns,
    populateShapePatterns, populateGeneratorPatterns, populatePadPatterns,
    populateControlFlowPatterns, populateSequencePatterns, populateKernelPatterns,
    populateGatherPatterns, populateScatterPatterns, populateScanPatterns,
    populateResizePatterns, populateQuantizationPatterns,
    // Contractions, windows, reductions, recurrence.
    populateContractionPatterns, populateConvPatterns, populatePoolPatterns,
    populateReducePatterns, populateNormalizationPatterns, populateRecurrentPatterns,
    populateAttentionPatterns, populateLossPatterns, populateTrainingPatterns,
    populateSignalPatterns, populateMicrosoftPatterns,
};

struct ConvertOnnxToLinalg : impl::ConvertOnnxToLinalgBase<ConvertOnnxToLinalg> {
  // Writes the ONNX types of a function's arguments and results into it.
  static void keepTypes(func::FuncOp function) {
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      function.setArgAttr(i, "onnx.type", TypeAttr::get(type));
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      function.setResultAttr(i, "onnx.type", TypeAttr::get(type));
  }

  // Every value has a rank, else no lowering can say what to do.
  LogicalResult checkRanks() {
    bool ok = true;
    getOperation()->walk([&](Operation *op) {
      if (isa<onnx::OnnxDialect>(op->getDialect()) &&
          llvm::any_of(op->getResultTypes(), llvm::IsaPred<UnrankedTensorType>)) {
        op->emitOpError("has a result whose rank is not known");
        ok = false;
      }
    });
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
        if (isa<UnrankedTensorType>(type)) {
          function.emitError("the rank of input ") << i << " is not known";
          ok = false;
        }
    return success(ok);
  }

  void runOnOperation() override {
    if (failed(checkRanks()))
      return signalPassFailure();
    MLIRContext *ctx = &getContext();
    OnnxTypeConverter types(ctx);
    types.analyse(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      keepTypes(function);

    RewritePatternSet patterns(ctx);
    for (PopulateFn *populate : kFamilies)
      populate(patterns, types);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns, types);
    populateReturnOpTypeConversionPattern(patterns, types);

    ConversionTarget target(*ctx);
    target.addLegalDialect<affine::AffineDialect, arith::ArithDialect, complex::ComplexDialect,
                           linalg::LinalgDialect, math::MathDialect, scf::SCFDialect,
                           tensor::TensorDialect, rt::RtDialect>();
    target.addLegalOp<ModuleOp, onnx::NoneOp>();
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return types.isSignatureLegal(op.getFunctionType()) && types.isLegal(&op.getBody());
    });
    target.addDynamicallyLegalOp<func::ReturnOp>([&](Operation *op) { return types.isLegal(op); });

    // onnx ops are left "unknown", so that one failure does not hide the others.
    ConversionConfig config;
    config.foldingMode = DialectConversionFoldingMode::Never;
    // Values between a converted operator and one that is not are reported below, by the latter's name.
    config.buildMaterializations = false;
    DenseSet<Operation *> left;
    config.unlegalizedOps = &left;
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns), config)))
      return signalPassFailure();

    bool complete = true;
    getOperation()->walk([&](Operation *op) {
      if (!isa_and_nonnull<onnx::OnnxDialect>(op->getDialect()) || isa<onnx::NoneOp>(op))
        return;
      // A terminator stays only because its parent does.
      if (op->hasTrait<OpTrait::IsTerminator>())
        return;
      StringRef reason = types.reasonFor(op);
      op->emitOpError(reason.empty() ? StringRef("is not supported") : reason);
      complete = false;
    });
    if (!complete)
      return signalPassFailure();
    getOperation()->walk([](onnx::NoneOp none) {
      if (none->use_empty())
        none->erase();
    });
  }
};

} // namespace
} // namespace onnxc
