// From object code and weights to a model's shared object.
#ifndef ONNXC_TARGET_SHAREDOBJECT_SHAREDOBJECT_H
#define ONNXC_TARGET_SHAREDOBJECT_SHAREDOBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "onnxc/Target/LLVM/ObjectCode.h"
#include "onnxc/Target/SharedObject/CustomLibraries.h"

namespace onnxc {

/// The code for one CPU of an artefact.
struct Variant {
  TargetSpec target;
  std::string suffix; ///< of its functions' names
  int64_t arenaBytes;
  mlir::ArrayAttr regions; ///< of onnxc-mark-regions
};

/// The metadata of the artefact (docs/architecture.md), JSON. `module` carries the attributes of the
/// import and those that onnxc-build-entry and onnxc-plan-memory left.
std::string writeMetadata(mlir::ModuleOp module, llvm::ArrayRef<Variant> variants, llvm::StringRef options,
                          const CustomTable &customs = {});

/// Object code that defines onnxc_generated_desc: the metadata, the signature in the form that
/// runtime/model checks inputs against, and the table of variants; and onnxc_generated_custom if there are
/// custom operators.
mlir::LogicalResult emitDescriptor(mlir::ModuleOp module, llvm::StringRef metadata,
                                   llvm::ArrayRef<Variant> variants, std::string &object,
                                   const CustomTable &customs = {});

/// Writes an ELF object that holds the module's weights in .lrodata as `onnxc_weights`.
mlir::LogicalResult writeWeights(mlir::ModuleOp module, const TargetSpec &target,
                                 llvm::StringRef path);

/// Refuses, at the operations, calls of kernels whose archive was not built for the target.
mlir::LogicalResult checkKernelArchives(mlir::ModuleOp module, const TargetSpec &target);

enum class LinkKind {
  SharedObject, ///< a model.so, with the model runtime
  Object,       ///< one relocatable object: code, descriptor and weights
};

/// Links the objects and the weights of `module` into `output`, by way of a temporary file. With `foreignCode` the
/// objects may need the C++ library, and must find all that they need.
mlir::LogicalResult linkModel(mlir::Location loc, llvm::ArrayRef<std::string> objects,
                              mlir::ModuleOp module, const TargetSpec &target,
                              llvm::StringRef output, LinkKind kind, bool foreignCode = false);

} // namespace onnxc

#endif
