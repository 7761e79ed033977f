/* The compiler as a library (libonnxc.so): compiles an ONNX model to a shared object.
 * Thread safety: calls may overlap. */
#ifndef ONNXC_C_COMPILER_H
#define ONNXC_C_COMPILER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ONNXC_EXPORT __attribute__((visibility("default")))
#else
#define ONNXC_EXPORT
#endif

/* severity: 0 error, 1 warning, 2 remark or note. The message is valid during the call. */
typedef void (*onnxc_diagnostic_fn)(void *user, int severity, const char *message);

/* Compiles the model in the file `path` or, if path is NULL, in data[0..size) and writes
 * `output`. options: NULL-terminated array of "key=value", the keys being those of
 * onnxc's command line (docs/cli.md): "O=3", "march=native", "target=", "compile-to=so",
 * "shape=name:1x3x224x224", "dim=batch=1", "custom-ops=lib.so", "function=gelu.onnxtxt", "winograd=off"; may be NULL. External data is looked for in the
 * folder of `path`. Returns 0, 1 if the model was refused (the diagnostics say why), 2 for
 * an unknown option. Nothing is written and no existing file is touched on failure. */
ONNXC_EXPORT int onnxc_compile(const char *path, const void *data, size_t size, const char *output,
                               const char *const *options, onnxc_diagnostic_fn diagnostic,
                               void *user);

/* The compiler's version, e.g. "0.1.0". */
ONNXC_EXPORT const char *onnxc_version(void);

#ifdef __cplusplus
}
#endif
#endif
