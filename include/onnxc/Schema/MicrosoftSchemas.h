// Schemas of ONNX Runtime's own operators (domain com.microsoft), so far as
// onnxc lowers them: what import needs to infer their results' types.
#ifndef ONNXC_SCHEMA_MICROSOFTSCHEMAS_H
#define ONNXC_SCHEMA_MICROSOFTSCHEMAS_H

namespace onnxc {

inline constexpr const char *microsoftDomain = "com.microsoft";

/// Adds the schemas to onnx's registry, once; may be called from any thread.
void registerMicrosoftSchemas();

} // namespace onnxc

#endif
