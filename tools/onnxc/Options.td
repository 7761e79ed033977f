include "llvm/Option/OptParser.td"

class F<string letter, string help> : Flag<["-"], letter>, HelpText<help>;
class FF<string name, string help> : Flag<["--"], name>, HelpText<help>;
multiclass Eq<string name, string meta, string help> {
  def NAME #_EQ : Joined<["--", "-"], name #"=">, HelpText<help>, MetaVarName<meta>;
  def : Separate<["--"], name>, Alias<!cast<Joined>(NAME #_EQ)>;
}

def output : Separate<["-"], "o">, MetaVarName<"<file>">, HelpText<"Where to write (default: the model's name with .so); - is standard output">;
def opt_level : Joined<["-"], "O">, MetaVarName<"<0-3>">, HelpText<"Optimisation level (default 3)">;
def object : F<"c", "Stop at a relocatable object">;
def assembly : F<"S", "Stop at assembly">;
def verbose : F<"v", "Show the phases, what they took, and the target">;
def help : FF<"help", "Show this">;
def help_short : Flag<["-"], "h">, Alias<help>;
def version : FF<"version", "Show the version">;
defm compile_to : Eq<"compile-to", "<phase>", "Stop after a phase: import, onnx, linalg, tiled, vector, buffers, llvm, llvmir, asm, obj, so">;
defm march : Eq<"march", "<cpu>", "CPU to compile for: native (default), x86-64-v2, x86-64-v3, x86-64-v4, or a CPU's name">;
defm target : Eq<"target", "<triple>", "Machine to compile for, e.g. aarch64-linux-gnu (default: this one)">;
defm shape : Eq<"shape", "<name:1x3x224x224>", "Fix the shape of an input (? leaves a dimension free)">;
defm dim : Eq<"dim", "<symbol=size>", "Fix a symbolic dimension">;
defm custom_ops : Eq<"custom-ops", "<library>", "Operators that a shared library or static archive declares; may be repeated">;
defm function : Eq<"function", "<file>", "Operators that ONNX functions define (a model with functions, or functions as text or binary); may be repeated">;
defm winograd : Eq<"winograd", "<mode>", "3x3 convolutions by Winograd's method: off, f2, f4 (tiles of 2x2, 4x4), auto (default)">;
def tune : FF<"tune", "Measure strategies on this machine, for up to a minute">;
def tune_EQ : Joined<["--"], "tune=">, MetaVarName<"<seconds>">, HelpText<"Measure strategies on this machine; 0: use what the cache holds">;
defm tune_cache : Eq<"tune-cache", "<file>", "Where measured strategies are kept (default with --tune: onnxc/tune.json in the user's cache folder)">;
defm tune_threads : Eq<"tune-threads", "<n>", "Threads to measure on beside one (default: all)">;
def time_passes : FF<"time-passes", "Report the time of every pass on standard error">;
def print_ir : FF<"mlir-print-ir-after-change", "Print the IR after each pass that changed it on standard error">;
