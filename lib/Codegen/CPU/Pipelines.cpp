// The pipelines from linalg on tensors to the LLVM dialect.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace onnxc {
using namespace mlir;

namespace {

/// Calls CodegenOptions::tune between other passes.
struct TunePass : PassWrapper<TunePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TunePass)
  TunePass(const CodegenOptions &options, TuneStage stage) : tune(options.tune), stage(stage) {}
  StringRef getName() const override { return "onnxc-tune"; }
  void runOnOperation() override {
    if (failed(tune(getOperation(), stage)))
      signalPassFailure();
  }
  decltype(CodegenOptions::tune) tune;
  TuneStage stage;
};

void addTuning(OpPassManager &pm, const CodegenOptions &options, TuneStage stage) {
  if (options.tune)
    pm.addPass(std::make_unique<TunePass>(options, stage));
}

/// Steps 1 to 5.
void buildLayoutPipeline(OpPassManager &pm, const CodegenOptions &options) {
  // 1. Clean up what the conversion left.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.optLevel == 0)
    return;
  // 2. Layouts: transpositions meet and cancel.
  pm.addNestedPass<func::FuncOp>(createPropagateTransposesPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  addTuning(pm, options, TuneStage::Methods);
  // 3. Convolutions by Winograd's method.
  WinogradPassOptions winograd;
  winograd.mode = options.winograd;
  winograd.vectorBits = options.vectors.vectorBits;
  winograd.numRegisters = options.vectors.numRegisters;
  winograd.cacheBytes = options.cacheBytes;
  pm.addNestedPass<func::FuncOp>(createWinogradPass(winograd));
  // 4. Weights in the order of the register tiles; elementwise chains become single operations.
  pm.addNestedPass<func::FuncOp>(createPackIntegerWeightsPass());
  pm.addNestedPass<func::FuncOp>(createPackWeightsPass());
  pm.addNestedPass<func::FuncOp>(createPackOperandsPass());
  pm.addNestedPass<func::FuncOp>(createTurnOperandsPass());
  pm.addNestedPass<func::FuncOp>(createFuseElementwisePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createWidenOperandsPass());
  pm.addNestedPass<func::FuncOp>(createStaggerRowsPass());
  pm.addNestedPass<func::FuncOp>(createFuseWinogradEpiloguePass());
  // 5. Groups become parallel loops over tiles.
  SeparateWindowsPassOptions windows;
  windows.cacheBytes = options.cacheBytes;
  pm.addNestedPass<func::FuncOp>(createSeparateWindowsPass(windows));
  SelectTilesPassOptions tiles;
  tiles.cacheBytes = options.cacheBytes;
  pm.addNestedPass<func::FuncOp>(createSelectTilesPass(tiles));
  addTuning(pm, options, TuneStage::Tiles);
}

} // namespace

void buildTilingPipeline(OpPassManager &pm, const CodegenOptions &options) {
  if (options.from == TuneStage::Methods)
    buildLayoutPipeline(pm, options);
  if (options.optLevel == 0)
    return;
  pm.addNestedPass<func::FuncOp>(createTileAndFusePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // 6. Fewer and smaller buffers.
  pm.addNestedPass<func::FuncOp>(createPadInTilePass());
  pm.addNestedPass<func::FuncOp>(createReuseOperandsPass());
}

void buildVectorPipeline(OpPassManager &pm, const CodegenOptions &options) {
  // 1. Tensors become memrefs, in place where possible.
  pm.addNestedPass<func::FuncOp>(createEliminateEmptyTensorsPass());
  pm.addPass(bufferization::createEmptyTensorToAllocTensorPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion = bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.allowReturnAllocsFromLoops = true;
  bufferize.unknownTypeConversion = bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.bufferAlignment = 64;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.optLevel > 0) {
    pm.addNestedPass<func::FuncOp>(createMergeBuffersPass());
    pm.addNestedPass<func::FuncOp>(createSinkBuffersPass());
  }
  // 2. The model's interface and the loops.
  pm.addPass(createBuildEntryPass());
  pm.addNestedPass<func::FuncOp>(createEmitWinogradPass());
  pm.addNestedPass<func::FuncOp>(createLowerCopiesPass());
  if (options.optLevel > 0)
    pm.addNestedPass<func::FuncOp>(createParallelizeLoopsPass());
  EmitLoopsPassOptions loops;
  loops.vectorBits = options.optLevel == 0 ? 0 : options.vectors.vectorBits;
  loops.numRegisters = options.vectors.numRegisters;
  loops.byteProducts = options.vectors.byteProducts;
  loops.fusedMultiplyAdd = options.vectors.fusedMultiplyAdd;
  loops.bfloatDots = options.vectors.bfloatDots;
  loops.byteTiles = options.vectors.byteTiles;
  loops.bfloatTiles = options.vectors.bfloatTiles;
  pm.addNestedPass<func::FuncOp>(createEmitLoopsPass(loops));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void buildBufferPipeline(OpPassManager &pm, const CodegenOptions &) {
  // A place for every buffer.
  pm.addPass(createPlanMemoryPass());
}

void buildLLVMPipeline(OpPassManager &pm, const CodegenOptions &options) {
  // 1. Small functions, spread over modules that are compiled at the same time.
  pm.addPass(createMarkRegionsPass());
  pm.addPass(createOutlineKernelsPass());
  PartitionPassOptions partition;
  pm.addPass(createPartitionPass(partition));
  OpPassManager &part = pm.nest<ModuleOp>();
  part.addPass(createCanonicalizerPass());
  part.addPass(createDivideByConstantsPass());
  part.addPass(createRoundToIntegerPass());
  if (options.vectors.byteProducts == ByteProducts::Quads) {
    FuseShortProductsPassOptions products;
    products.vectorBits = options.vectors.vectorBits;
    part.addPass(createFuseShortProductsPass(products));
  }
  ApproximateMathPassOptions functions;
  functions.fused = options.vectors.fusedMultiplyAdd;
  part.addPass(createApproximateMathPass(functions));
  part.addPass(createLoopInvariantCodeMotionPass());
  // 2. Down to LLVM.
  part.addPass(createConvertVectorToSCFPass());
  part.addPass(createSCFToControlFlowPass());
  part.addPass(createExpandReshapesPass());
  part.addPass(memref::createExpandStridedMetadataPass());
  part.addPass(createLowerAffinePass());
  part.addPass(arith::createArithExpandOpsPass());
  part.addPass(createCSEPass());
  ConvertVectorToLLVMPassOptions vectors;
  vectors.reassociateFPReductions = true;
  part.addPass(createConvertVectorToLLVMPass(vectors));
  part.addPass(createConvertToLLVMPass());
  part.addPass(createReconcileUnrealizedCastsPass());
}

void registerCodegenPasses() {
  registerOnnxcCodegenPasses();
  PassPipelineRegistration<>("onnxc-tiling-pipeline", "linalg on tensors, fused and tiled",
                             [](OpPassManager &pm) { buildTilingPipeline(pm, {}); });
  PassPipelineRegistration<>("onnxc-vector-pipeline", "Tensors to memrefs and loops of vectors",
                             [](OpPassManager &pm) { buildVectorPipeline(pm, {}); });
  PassPipelineRegistration<>("onnxc-buffer-pipeline", "A place for every buffer",
                             [](OpPassManager &pm) { buildBufferPipeline(pm, {}); });
  PassPipelineRegistration<>("onnxc-llvm-pipeline", "Buffers and loops to the LLVM dialect",
                             [](OpPassManager &pm) { buildLLVMPipeline(pm, {}); });
}

} // namespace onnxc
