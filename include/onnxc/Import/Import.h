// Reads an ONNX model into the onnx dialect (docs/architecture.md gives the
// form): all operators at their newest version, model-local functions inlined,
// initializers as constants, value types from ONNX's own shape inference.
#ifndef ONNXC_IMPORT_IMPORT_H
#define ONNXC_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace onnxc {

struct ImportOptions {
  /// Shapes of graph inputs by name; -1 leaves a dimension dynamic.
  std::map<std::string, llvm::SmallVector<int64_t>> shapes;
  /// Sizes of symbolic dimensions by name.
  std::map<std::string, int64_t> dims;
  /// The folder of external data; by default the model file's folder. A model
  /// that is read from memory has none unless it is set here.
  std::string externalDataFolder;
  /// Files with ONNX functions: each defines an operator for the model, before what the model
  /// itself has under that name.
  std::vector<std::string> functionFiles;

  // Bounds on what a hostile model can make the importer do.
  /// Nodes in the model with all subgraphs, and after functions are inlined.
  int64_t maxNodes = 4'000'000;
  /// Depth of subgraphs in subgraphs.
  int64_t maxNesting = 16;
  /// Bytes of all tensors that the model holds, sparse ones made dense.
  int64_t maxTensorBytes = int64_t(1) << 40;
};

/// Imports a binary or textual model. Errors are reported through the context's
/// diagnostics; the result is then null. Loads the dialects it needs. Operators of customOperators(&context)
/// are known.
mlir::OwningOpRef<mlir::ModuleOp> importModel(llvm::StringRef path, const ImportOptions &options,
                                              mlir::MLIRContext &context);

/// The same from memory; the buffer's identifier is used as the file's name.
mlir::OwningOpRef<mlir::ModuleOp> importModel(llvm::MemoryBufferRef buffer,
                                              const ImportOptions &options,
                                              mlir::MLIRContext &context);

} // namespace onnxc

#endif
