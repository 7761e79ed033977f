// The passes from linalg on tensors to LLVM functions, and the pipelines made of them.
#ifndef ONNXC_CODEGEN_PASSES_H
#define ONNXC_CODEGEN_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "onnxc/Codegen/CPU/LoopEmitter.h"

namespace onnxc {

#define GEN_PASS_DECL
#include "onnxc/Codegen/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "onnxc/Codegen/Passes.h.inc"

/// Where strategies can be measured: before weights are packed, and when groups have their tiles.
enum class TuneStage { Methods, Tiles };

struct CodegenOptions {
  unsigned optLevel = 3;
  VectorTarget vectors;
  int64_t cacheBytes = 512 * 1024;
  std::string winograd = "auto"; ///< off, f2, f4 or auto
  /// If set, called at each stage to write strategies (#cg.lowering_config) onto operations.
  std::function<mlir::LogicalResult(mlir::ModuleOp, TuneStage)> tune;
  /// The first stage whose decisions are still to be made.
  TuneStage from = TuneStage::Methods;
};

/// linalg on tensors -> the same, fused and tiled (phase `tiled`).
void buildTilingPipeline(mlir::OpPassManager &pm, const CodegenOptions &options);
/// tensors -> memrefs, loops with register tiles (phase `vector`).
void buildVectorPipeline(mlir::OpPassManager &pm, const CodegenOptions &options);
/// memrefs -> memrefs in their planned places (phase `buffers`).
void buildBufferPipeline(mlir::OpPassManager &pm, const CodegenOptions &options);
/// memrefs -> the LLVM dialect (phase `llvm`).
void buildLLVMPipeline(mlir::OpPassManager &pm, const CodegenOptions &options);

/// Registers the passes and pipelines of this folder for onnx-mlir-opt.
void registerCodegenPasses();

} // namespace onnxc

#endif
