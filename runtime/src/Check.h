// Checks values against a model's signature.
#ifndef ONNXC_RUNTIME_SRC_CHECK_H
#define ONNXC_RUNTIME_SRC_CHECK_H

#include "onnxc/runtime/session.h"

namespace onnxc {

/// "[batch,3,?,224]", or "[...]" if any rank will do.
std::string shapeString(const ValueInfo &info);

/// The type of a value as ValueInfo::type writes it.
std::string typeString(const Value &value);

/// Checks kinds, types, ranks, fixed sizes, and that equal symbols have equal
/// sizes across all inputs. Throws InvalidArgument, which names the input.
void checkInputs(const std::vector<ValueInfo> &infos, const std::vector<Value> &values);

} // namespace onnxc
#endif
