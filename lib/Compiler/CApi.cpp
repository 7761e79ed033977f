// The C API of the compiler (onnxc-c/compiler.h).
#include "onnxc-c/compiler.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "onnxc/Compiler/Compiler.h"

using namespace mlir;

int onnxc_compile(const char *path, const void *data, size_t size, const char *output,
                  const char *const *options, onnxc_diagnostic_fn diagnostic, void *user) {
  auto report = [&](int severity, const std::string &message) {
    if (diagnostic)
      diagnostic(user, severity, message.c_str());
  };
  if ((!path && !data) || !output) {
    report(0, "onnxc_compile needs a path or data, and an output");
    return 2;
  }
  onnxc::CompileOptions compile;
  for (; options && *options; ++options) {
    auto [key, value] = StringRef(*options).split('=');
    std::string error = onnxc::setOption(compile, key, value);
    if (!error.empty()) {
      report(0, error);
      return 2;
    }
  }
  std::unique_ptr<MLIRContext> context = onnxc::makeContext();
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &d) {
    std::string message;
    llvm::raw_string_ostream os(message);
    onnxc::printDiagnostic(os, d);
    report(d.getSeverity() == DiagnosticSeverity::Error     ? 0
           : d.getSeverity() == DiagnosticSeverity::Warning ? 1
                                                            : 2,
           message);
    return success();
  });
  std::optional<llvm::MemoryBufferRef> buffer;
  if (!path)
    buffer = llvm::MemoryBufferRef(StringRef(static_cast<const char *>(data), size), "<model>");
  return succeeded(onnxc::compileModel(path ? path : "", buffer, output, compile, *context)) ? 0 : 1;
}

const char *onnxc_version(void) { return "0.1.0"; }
