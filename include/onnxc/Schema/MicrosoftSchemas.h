// Schemas of ONNX Runtime's own operators (domain com.microsoft), so far as
// onnxc lowers them: what import needs to infer their results' types.
#ifndef ONNXC_SCHEMA_MICROSOFTSCHEMAS_H
#define ONNXC_SCHEMA_MICROSOFTSCHEMAS_H

#include <string>

namespace onnxc {

inline constexpr const char *microsoftDomain = "com.microsoft";

/// Whether MicrosoftOperators.def lists an operator as supported.
bool knowsMicrosoft(const std::string &name);
/// A sign for each input: + required, - optional, * any number; null if the operator is not supported.
const char *inputsOfMicrosoft(const std::string &name);
/// What to do instead of an operator that is refused; empty if there is no advice.
std::string adviceForMicrosoft(const std::string &name);

/// Adds the schemas to onnx's registry, once; may be called from any thread.
void registerMicrosoftSchemas();

} // namespace onnxc

#endif
