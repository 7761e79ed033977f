// Libraries of custom operators (onnxc/runtime/custom_op.h) while a model is compiled: shared ones, which the model
// loads when it is loaded, and static archives, which become part of it.
#ifndef ONNXC_TARGET_SHAREDOBJECT_CUSTOMLIBRARIES_H
#define ONNXC_TARGET_SHAREDOBJECT_CUSTOMLIBRARIES_H

#include "mlir/IR/BuiltinOps.h"
#include "onnxc/Schema/CustomOperators.h"
#include "onnxc/Target/LLVM/ObjectCode.h"
#include "llvm/TargetParser/Triple.h"

namespace onnxc {

/// What a model has to say of its libraries: onnxc_custom_desc (runtime/model/generated.h).
struct CustomTable {
  struct Library {
    std::string name;  ///< the file's
    std::string entry; ///< symbol, if it is part of the model
  };
  struct Operator {
    int64_t library, sinceVersion;
    std::string domain, name;
  };
  llvm::SmallVector<Library> libraries;
  llvm::SmallVector<Operator> operators;
};

class CustomLibraries {
public:
  CustomLibraries() : declared(std::make_shared<CustomOperators>()) {}
  CustomLibraries(const CustomLibraries &) = delete;
  ~CustomLibraries();

  /// Loads a library into this process and reads what it declares; an archive is linked to a temporary
  /// shared object for that. An archive for another architecture is not loaded: it is the code that the library given
  /// before it has there. Diagnostics at `loc` name the file.
  mlir::LogicalResult load(mlir::Location loc, llvm::StringRef path);

  std::shared_ptr<const CustomOperators> operators() const { return declared; }

  /// The libraries that the module's operators (kCustomOperatorsAttr) come from; archives of them are added to
  /// `objects` for the link.
  mlir::LogicalResult collect(mlir::ModuleOp module, const TargetSpec &target, CustomTable &table,
                              llvm::SmallVectorImpl<std::string> &objects) const;

private:
  struct Library {
    std::string path;
    void *handle;
    bool isArchive;
    llvm::SmallVector<std::pair<llvm::Triple::ArchType, std::string>, 1> elsewhere; ///< archives for other architectures
  };
  llvm::SmallVector<Library> libraries;

  mlir::LogicalResult addElsewhere(mlir::Location loc, llvm::StringRef path, llvm::Triple::ArchType arch);
  std::shared_ptr<CustomOperators> declared;
};

} // namespace onnxc

#endif
