// The command line of the compiler: cc-like options over compileModel, and the
// sub-commands run and inspect.
#include "SubCommands.h"
#include "TimeKernel.h"

#include "mlir/IR/MLIRContext.h"
#include "onnxc-c/compiler.h"
#include "onnxc/Compiler/Compiler.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Option/Option.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/WithColor.h"
#include <chrono>

using namespace llvm;
using namespace llvm::opt;

namespace {

#define OPTTABLE_STR_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_STR_TABLE_CODE
#define OPTTABLE_PREFIXES_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_PREFIXES_TABLE_CODE

enum ID {
  OPT_INVALID = 0,
#define OPTION(...) LLVM_MAKE_OPT_ID(__VA_ARGS__),
#include "Options.inc"
#undef OPTION
};

const OptTable::Info infoTable[] = {
#define OPTION(...) LLVM_CONSTRUCT_OPT_INFO(__VA_ARGS__),
#include "Options.inc"
#undef OPTION
};

struct OnnxcOptTable : GenericOptTable {
  OnnxcOptTable() : GenericOptTable(OptionStrTable, OptionPrefixesTable, infoTable) {}
};

int usageError(const Twine &message) {
  WithColor::error(errs(), "onnxc") << message << "; see onnxc --help\n";
  return 2;
}

/// The phase on a terminal's last line, or with -v a line a phase and its time.
class Progress {
public:
  explicit Progress(bool verbose)
      : verbose(verbose), terminal(sys::Process::StandardErrIsDisplayed()) {}

  void operator()(StringRef phase) {
    finish();
    current = phase.str();
    start = std::chrono::steady_clock::now();
    if (terminal && !verbose)
      errs() << "\r\033[K" << "onnxc: " << phase << " ...";
  }

  void finish() {
    if (current.empty())
      return;
    if (verbose) {
      std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
      errs() << "onnxc: " << left_justify(current, 8) << format("%9.1f ms\n", took.count());
    } else if (terminal) {
      errs() << "\r\033[K";
    }
    current.clear();
  }

private:
  bool verbose, terminal;
  std::string current;
  std::chrono::steady_clock::time_point start;
};

int compileMain(int argc, char **argv) {
  OnnxcOptTable table;
  unsigned missingIndex, missingCount;
  InputArgList args =
      table.ParseArgs(ArrayRef<const char *>(argv + 1, argc - 1), missingIndex, missingCount);
  if (missingCount)
    return usageError(Twine("option ") + args.getArgString(missingIndex) + " needs a value");
  for (const Arg *unknown : args.filtered(OPT_UNKNOWN))
    return usageError(Twine("unknown option ") + unknown->getAsString(args));
  if (args.hasArg(OPT_help)) {
    table.printHelp(outs(),
                    "onnxc [options] model.onnx -o model.so\n"
                    "       onnxc run [options] model.so|model.onnx\n"
                    "       onnxc inspect [options] model.so|model.onnx",
                    "compiles ONNX models to shared objects");
    return 0;
  }
  if (args.hasArg(OPT_version)) {
    outs() << "onnxc " << onnxc_version() << "\n";
    return 0;
  }
  std::vector<std::string> inputs = args.getAllArgValues(OPT_INPUT);
  if (inputs.size() != 1)
    return usageError(inputs.empty() ? "no model is given" : "more than one model is given");

  onnxc::CompileOptions options;
  if (args.hasArg(OPT_object))
    options.phase = onnxc::Phase::Object;
  if (args.hasArg(OPT_assembly))
    options.phase = onnxc::Phase::Assembly;
  struct {
    unsigned id;
    const char *key;
  } keys[] = {{OPT_opt_level, "O"},     {OPT_compile_to_EQ, "compile-to"},
              {OPT_march_EQ, "march"},  {OPT_target_EQ, "target"},
              {OPT_shape_EQ, "shape"},  {OPT_dim_EQ, "dim"},
              {OPT_custom_ops_EQ, "custom-ops"}, {OPT_function_EQ, "function"},
              {OPT_winograd_EQ, "winograd"}, {OPT_tune_cache_EQ, "tune-cache"},
              {OPT_tune_threads_EQ, "tune-threads"}, {OPT_tune_EQ, "tune"}};
  for (auto [id, key] : keys)
    for (const std::string &value : args.getAllArgValues(id)) {
      std::string error = onnxc::setOption(options, key, value);
      if (!error.empty())
        return usageError(error);
    }
  if (args.hasArg(OPT_tune) && !args.hasArg(OPT_tune_EQ))
    (void)onnxc::setOption(options, "tune", "");
  if (options.tune)
    options.tune->time = onnxc::timeKernel;
  options.timePasses = args.hasArg(OPT_time_passes);
  options.printAfterChange = args.hasArg(OPT_print_ir);

  using onnxc::Phase;
  std::string output = args.getLastArgValue(OPT_output).str();
  if (output.empty()) {
    if (options.phase < Phase::LLVMIR) {
      output = "-";
    } else {
      SmallString<256> path(sys::path::filename(inputs[0]));
      sys::path::replace_extension(path, options.phase == Phase::SharedObject ? "so"
                                         : options.phase == Phase::Object     ? "o"
                                         : options.phase == Phase::Assembly   ? "s"
                                                                              : "ll");
      output = path.str().str();
    }
  }

  bool verbose = args.hasArg(OPT_verbose);
  Progress progress(verbose);
  options.progress = [&](StringRef phase) { progress(phase); };
  if (options.printAfterChange && !verbose)
    options.progress = nullptr;
  std::unique_ptr<mlir::MLIRContext> context = onnxc::makeContext();
  if (options.printAfterChange)
    context->disableMultithreading();
  mlir::ScopedDiagnosticHandler handler(context.get(), [&](mlir::Diagnostic &diagnostic) {
    progress.finish();
    raw_ostream &os = diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error
                          ? WithColor::error(errs(), "onnxc")
                      : diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning
                          ? WithColor::warning(errs(), "onnxc")
                          : WithColor::remark(errs(), "onnxc");
    onnxc::printDiagnostic(os, diagnostic);
    os << "\n";
    return mlir::success();
  });
  mlir::LogicalResult result =
      onnxc::compileModel(inputs[0], std::nullopt, output, options, *context);
  progress.finish();
  // What the context holds need not be taken apart piece by piece at exit.
  (void)context.release();
  return mlir::succeeded(result) ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  StringRef command = argc > 1 ? argv[1] : "";
  if (command == "run")
    return onnxc::runMain(argc - 1, argv + 1);
  if (command == "inspect")
    return onnxc::inspectMain(argc - 1, argv + 1);
  return compileMain(argc, argv);
}
