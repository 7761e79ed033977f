// From the LLVM dialect to object code, in process.
#ifndef ONNXC_TARGET_LLVM_OBJECTCODE_H
#define ONNXC_TARGET_LLVM_OBJECTCODE_H

#include "mlir/IR/BuiltinOps.h"
#include "onnxc/Codegen/CPU/LoopEmitter.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace onnxc {

/// A machine to compile for, as LLVM names it.
struct TargetSpec {
  std::string triple;
  std::string cpu;
  std::string features; ///< "+avx2,-avx512f,..."
};

enum class CodeFormat { LLVMIR, Assembly, Object };

/// Makes LLVM's back ends known; from then on it does nothing.
void initializeTargets();

/// Resolves `--target` (a triple such as aarch64-linux-gnu, or an architecture; "" for this machine) and
/// `--march` ("native", an x86-64 level, or a CPU name). Reports what is unknown at `loc`.
mlir::FailureOr<TargetSpec> resolveTarget(mlir::Location loc, llvm::StringRef target,
                                          llvm::StringRef march);

/// The vector registers of the target.
VectorTarget describeVectors(const TargetSpec &target);

/// Something that code for a target may use and a CPU may lack: a bit of x86's cpuid, or of AArch64's hardware
/// capabilities (onnxc_cpu_feature in runtime/model/generated.h).
struct CpuFeature {
  const char *name;
  uint32_t leaf, subleaf;
  int32_t reg, bit;
};

/// What a CPU must have to run code for the target, beside the least of its architecture.
llvm::SmallVector<CpuFeature> requiredFeatures(const TargetSpec &target);
/// The bits of XCR0 that the operating system must have set for these.
uint64_t requiredState(llvm::ArrayRef<CpuFeature> features);

/// Compiles each nested module of `module` (LLVM dialect), or `module` itself if there is none, on the
/// context's threads. Appends one buffer a module, in their order. optLevel: 0 to 3. `suffix` is appended to the
/// names of functions that other objects can see.
mlir::LogicalResult emitCode(mlir::ModuleOp module, const TargetSpec &target, unsigned optLevel,
                             CodeFormat format, llvm::SmallVectorImpl<std::string> &buffers,
                             llvm::StringRef suffix = "");

} // namespace onnxc

#endif
