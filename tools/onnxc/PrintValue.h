// Elements of tensors as numbers and text.
#ifndef ONNXC_TOOLS_PRINTVALUE_H
#define ONNXC_TOOLS_PRINTVALUE_H

#include "onnxc/runtime/c_api.h"

namespace llvm {
class raw_ostream;
}

namespace onnxc {

bool isFloating(onnxc_elem_type type);

/// Sets element i of a tensor of numbers; `number` is rounded to the type.
void fillElement(onnxc_value &value, int64_t i, double number);

/// Type, shape and the elements; of a large tensor the first ones and the range.
void printValue(const onnxc_value &value, llvm::raw_ostream &os);

} // namespace onnxc
#endif
