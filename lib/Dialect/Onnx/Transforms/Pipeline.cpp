// The order of the passes on the onnx dialect.
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace onnxc::onnx {

void buildOnnxPipeline(OpPassManager &pm, const OnnxPipelineOptions &options) {
  // 1. Types, so that the passes below see static shapes.
  pm.addNestedPass<func::FuncOp>(createOnnxShapeInference());
  pm.addNestedPass<func::FuncOp>(createOnnxSinkIntoBranches());
  pm.addNestedPass<func::FuncOp>(createOnnxExpandMicrosoft());
  // While the tensors that they name are all there.
  pm.addNestedPass<func::FuncOp>(createOnnxExpandGradients());
  // 2. Shape computations become constants; no-ops go.
  pm.addPass(createOnnxFoldConstants());
  pm.addNestedPass<func::FuncOp>(createOnnxCanonicalize());
  if (options.optimize) {
    // 3. Exporters' patterns back to operators, before anything is expanded.
    pm.addNestedPass<func::FuncOp>(createOnnxRecognizeOperators());
    pm.addNestedPass<func::FuncOp>(createOnnxRecognizeQuantized());
    pm.addPass(createOnnxFuseConvBatchNorm());
    pm.addNestedPass<func::FuncOp>(createCSEPass());
  }
  // 4. Operators that only their function body defines.
  pm.addNestedPass<func::FuncOp>(createOnnxExpandFunctions());
  // 5. Once more, for what 3 and 4 brought in.
  pm.addNestedPass<func::FuncOp>(createOnnxShapeInference());
  pm.addNestedPass<func::FuncOp>(createOnnxSinkIntoBranches());
  pm.addPass(createOnnxFoldConstants());
  pm.addNestedPass<func::FuncOp>(createOnnxCanonicalize());
  pm.addNestedPass<func::FuncOp>(createOnnxShapeInference());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
}

void registerOnnxTransforms() {
  registerOnnxPasses();
  PassPipelineRegistration<OnnxPipelineOptions>(
      "onnx-pipeline", "Everything between import and the lowering to linalg", buildOnnxPipeline);
}

} // namespace onnxc::onnx
