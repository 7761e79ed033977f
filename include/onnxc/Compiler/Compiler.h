// The compiler's driver: phases, options, and the way through them.
#ifndef ONNXC_COMPILER_COMPILER_H
#define ONNXC_COMPILER_COMPILER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "onnxc/Tune/TuneOptions.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBufferRef.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace onnxc {

/// Where compilation stops; in their order.
enum class Phase { Import, Onnx, Linalg, Tiled, Vector, Buffers, LLVM, LLVMIR, Assembly, Object, SharedObject };

/// "import", "onnx", "linalg", "tiled", "vector", "buffers", "llvm", "llvmir", "asm", "obj", "so".
std::optional<Phase> parsePhase(llvm::StringRef name);

struct CompileOptions {
  unsigned optLevel = 3;
  Phase phase = Phase::SharedObject;
  std::string target; ///< triple; empty: this machine
  std::string march = "native";
  /// Sizes that the user fixes: by input name, and by symbol.
  llvm::StringMap<std::vector<int64_t>> shapes;
  llvm::StringMap<int64_t> dims;
  std::vector<std::string> customOps; ///< libraries of custom operators
  std::vector<std::string> functions; ///< files that define operators by ONNX functions
  std::string winograd = "auto"; ///< 3x3 convolutions by Winograd's method: off, f2, f4, auto
  std::optional<TuneOptions> tune; ///< strategies are measured, or come from a cache
  bool timePasses = false;
  bool printAfterChange = false; ///< IR after each pass that changed it, to stderr
  /// Called at the start of each phase, for progress displays.
  std::function<void(llvm::StringRef)> progress;
};

/// Sets one option from its text, e.g. ("march", "x86-64-v3"). Returns an error
/// message, empty on success.
std::string setOption(CompileOptions &options, llvm::StringRef key, llvm::StringRef value);

/// Compiles the model in the file `path`, or in `buffer` if given, to `output` ("-": stdout, for
/// textual phases). Diagnostics go through `context`'s engine. The output is written under
/// another name and renamed: on failure an existing file stays as it was.
mlir::LogicalResult compileModel(llvm::StringRef path, std::optional<llvm::MemoryBufferRef> buffer,
                                 llvm::StringRef output, const CompileOptions &options,
                                 mlir::MLIRContext &context);

/// Writes a diagnostic for people: file, node, message, notes.
void printDiagnostic(llvm::raw_ostream &os, mlir::Diagnostic &diagnostic);

/// A context as compileModel wants it: all dialects registered, threads on.
std::unique_ptr<mlir::MLIRContext> makeContext();

} // namespace onnxc

#endif
