// Passes that leave the onnx dialect (Passes.td).
#ifndef ONNXC_CONVERSION_PASSES_H
#define ONNXC_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace onnxc {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "onnxc/Conversion/Passes.h.inc"
} // namespace onnxc
#endif
