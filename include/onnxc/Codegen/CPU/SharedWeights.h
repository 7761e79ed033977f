// The weights of a model that is compiled for several CPUs: what is equal in several of them
// is stored once.
#ifndef ONNXC_CODEGEN_CPU_SHAREDWEIGHTS_H
#define ONNXC_CODEGEN_CPU_SHAREDWEIGHTS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

namespace onnxc {

/// A copy of the module whose constants own their data: passes that pack weights free the
/// data they read.
mlir::OwningOpRef<mlir::ModuleOp> cloneWithData(mlir::ModuleOp module);

class SharedWeights {
public:
  /// After onnxc-plan-memory: takes the module's weights over, and lets its rt.weight
  /// operations refer to the common place. Data that is here already is freed.
  void take(mlir::ModuleOp module);
  /// Sets the attributes of onnxc-plan-memory to all weights.
  void give(mlir::ModuleOp module) const;

private:
  struct Entry {
    mlir::ElementsAttr value;
    int64_t offset;
  };
  llvm::SmallVector<Entry> entries;
  llvm::DenseMap<uint64_t, llvm::SmallVector<unsigned>> byHash;
  int64_t end = 0;
};

} // namespace onnxc

#endif
