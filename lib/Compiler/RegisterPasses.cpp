// Registers the passes and pipelines for tools that parse them.
#include "onnxc/Compiler/InitAll.h"
#include "onnxc/Conversion/Passes.h"

#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Conversion/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

void onnxc::registerAllPasses() {
  registerConversionPasses();
  mlir::affine::registerAffinePasses();
  mlir::arith::registerArithPasses();
  mlir::bufferization::registerBufferizationPasses();
  mlir::func::registerFuncPasses();
  mlir::LLVM::registerLLVMPasses();
  mlir::memref::registerMemRefPasses();
  mlir::registerLinalgPasses();
  mlir::math::registerMathPasses();
  mlir::registerConversionPasses();
  mlir::registerSCFPasses();
  mlir::registerTransformsPasses();
  mlir::tensor::registerTensorPasses();
  mlir::vector::registerVectorPasses();

  onnx::registerOnnxTransforms();
  registerCodegenPasses();
  registerConvertOnnxToLinalg();
}
