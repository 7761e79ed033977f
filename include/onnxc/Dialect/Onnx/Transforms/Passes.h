// Passes on the onnx dialect and the pipeline of them.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_PASSES_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

namespace onnxc::onnx {

#define GEN_PASS_DECL
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

struct OnnxPipelineOptions : mlir::PassPipelineOptions<OnnxPipelineOptions> {
  Option<bool> optimize{*this, "optimize", llvm::cl::init(true),
                        llvm::cl::desc("Also run the passes that make the graph smaller or faster")};
};

/// From a freshly imported module to one in which every operator has a lowering or
/// a kernel, ranks are known and constants are folded: the phase `onnx`.
void buildOnnxPipeline(mlir::OpPassManager &pm, const OnnxPipelineOptions &options);

/// Registers the passes and `onnx-pipeline`.
void registerOnnxTransforms();

} // namespace onnxc::onnx

#endif
