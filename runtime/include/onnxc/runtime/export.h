/* Marks what libonnxc_runtime exports; all else is hidden. */
#ifndef ONNXC_RUNTIME_EXPORT_H
#define ONNXC_RUNTIME_EXPORT_H

#define ONNXC_API __attribute__((visibility("default")))

#endif
