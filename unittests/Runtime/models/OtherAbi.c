/* A model of another ABI version. */
#include "onnxc/runtime/abi.h"

__attribute__((visibility("default"))) const onnxc_model *onnxc_model_entry(uint32_t version) {
  return 0;
}
