// TensorProtos as MLIR attributes and back.
#ifndef ONNXC_LIB_IMPORT_CONSTANTS_H
#define ONNXC_LIB_IMPORT_CONSTANTS_H

#include "ExternalData.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace onnxc::importer {

/// The tensor's value; see docs/architecture.md for its form. Takes the raw
/// data out of `tensor` where that saves memory.
mlir::ElementsAttr toElementsAttr(TensorProto &tensor, ExternalDataReader &external,
                                  mlir::MLIRContext *context);

/// Throws ImportError for elements that are not present in memory.
TensorProto fromElementsAttr(mlir::ElementsAttr value, const std::string &name);

} // namespace onnxc::importer

#endif
