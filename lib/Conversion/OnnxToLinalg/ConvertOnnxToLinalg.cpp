// The pass: runs all families in one dialect conversion and lists every operator
// that none of them converts.
#include "Microsoft.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/CustomOperators.h"
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
    populateActivationPatterns, populateCastPatterns, populateCausalConvPatterns,
    populateReshapePatterns, populateSlicePatterns, populateConcatPatterns,
    populateShapePatterns, populateGeneratorPatterns, populatePadPatterns,
    populateControlFlowPatterns, populateSequencePatterns, populateKernelPatterns,
    populateGatherPatterns, populateScatterPatterns, populateScanPatterns,
    populateResizePatterns, populateQuantizationPatterns,
    // Contractions, windows, reductions, recurrence.
    populateContractionPatterns, populateConvPatterns, populatePoolPatterns,
    populateReducePatterns, populateNormalizationPatterns, populateRecurrentPatterns,
    populateAttentionPatterns, populateLossPatterns, populateTrainingPatterns,
    populateSignalPatterns, populateMicrosoftPatterns, populateCustomPatterns,
};

struct ConvertOnnxToLinalg : impl::ConvertOnnxToLinalgBase<ConvertOnnxToLinalg> {
  // Writes the ONNX types of a function's arguments and results into it, and for bufferization that
  // the inputs are the caller's, not to be written to.
  static void keepTypes(func::FuncOp function) {
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      function.setArgAttr(i, "onnx.type", TypeAttr::get(type));
      function.setArgAttr(i, "bufferization.writable",
                          BoolAttr::get(function.getContext(), false));
    }
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

  // Gives results the sizes that the analysis found to be constant. Values that meet declared types
  // (returned, or passed to regions) keep theirs.
  void refineTypes(const DimAnalysis &dims) {
    getOperation()->walk([&](Operation *op) {
      if (!isa_and_nonnull<onnx::OnnxDialect>(op->getDialect()) || op->getNumRegions() > 0)
        return;
      for (Value result : op->getResults()) {
        auto type = dyn_cast<RankedTensorType>(result.getType());
        ArrayRef<DimAnalysis::Dim> known = dims.shapeOf(result);
        bool isFree = llvm::all_of(result.getUsers(), [](Operation *user) {
          return user->getNumRegions() == 0 && !user->hasTrait<OpTrait::IsTerminator>();
        });
        if (!type || !isFree || static_cast<int64_t>(known.size()) != type.getRank())
          continue;
        SmallVector<int64_t> shape(type.getShape());
        for (auto [size, dim] : llvm::zip(shape, known))
          if (ShapedType::isDynamic(size) && DimAnalysis::isConstant(dim) && dim >= 0)
            size = dim;
        result.setType(type.clone(shape));
      }
    });
  }

  void runOnOperation() override {
    if (failed(checkRanks()))
      return signalPassFailure();
    listCustomOperators(getOperation());
    MLIRContext *ctx = &getContext();
    OnnxTypeConverter types(ctx);
    types.analyse(getOperation());
    refineTypes(*types.dims());
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
