// Options of the compiler from their textual form, shared by the command line and the C API.
#include "onnxc/Compiler/Compiler.h"
#include "onnxc/Tune/TuneCache.h"

#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace onnxc {

std::optional<Phase> parsePhase(StringRef name) {
  return StringSwitch<std::optional<Phase>>(name)
      .Case("import", Phase::Import)
      .Case("onnx", Phase::Onnx)
      .Case("linalg", Phase::Linalg)
      .Case("tiled", Phase::Tiled)
      .Case("vector", Phase::Vector)
      .Case("buffers", Phase::Buffers)
      .Case("llvm", Phase::LLVM)
      .Case("llvmir", Phase::LLVMIR)
      .Case("asm", Phase::Assembly)
      .Case("obj", Phase::Object)
      .Case("so", Phase::SharedObject)
      .Default(std::nullopt);
}

namespace {

/// For measuring, where --tune does not say.
constexpr double kTuneSeconds = 60;

/// "1x3x224x224"; a part that is '?' or '-1' leaves the dimension free.
bool parseShape(StringRef text, std::vector<int64_t> &dims) {
  SmallVector<StringRef> parts;
  if (!text.empty())
    text.split(parts, 'x');
  for (StringRef part : parts) {
    int64_t size = -1;
    if (part != "?" && (part.getAsInteger(10, size) || size < -1))
      return false;
    dims.push_back(size);
  }
  return true;
}

bool parseFlag(StringRef value, bool &flag) {
  if (value == "true" || value == "1" || value.empty())
    flag = true;
  else if (value == "false" || value == "0")
    flag = false;
  else
    return false;
  return true;
}

} // namespace

std::string setOption(CompileOptions &options, StringRef key, StringRef value) {
  auto wrong = [&](const Twine &expected) {
    return ("option " + key + ": '" + value + "' is not " + expected).str();
  };
  if (key == "O") {
    if (value.getAsInteger(10, options.optLevel) || options.optLevel > 3)
      return wrong("a level from 0 to 3");
  } else if (key == "march") {
    options.march = value.str();
  } else if (key == "target") {
    options.target = value.str();
  } else if (key == "compile-to") {
    std::optional<Phase> phase = parsePhase(value);
    if (!phase)
      return wrong("a phase: import, onnx, linalg, tiled, vector, buffers, llvm, llvmir, asm, obj, so");
    options.phase = *phase;
  } else if (key == "shape") {
    // A name may hold ':', a shape cannot.
    auto [name, shape] = value.rsplit(':');
    std::vector<int64_t> dims;
    if (!value.contains(':') || name.empty() || !parseShape(shape, dims))
      return wrong("of the form name:1x3x224x224");
    options.shapes[name] = dims;
  } else if (key == "dim") {
    auto [name, size] = value.rsplit('=');
    int64_t number;
    if (!value.contains('=') || name.empty() || size.getAsInteger(10, number) || number < 0)
      return wrong("of the form symbol=size");
    options.dims[name] = number;
  } else if (key == "custom-ops" || key == "function") {
    if (value.empty())
      return wrong("a file");
    (key == "function" ? options.functions : options.customOps).push_back(value.str());
  } else if (key == "winograd") {
    if (!is_contained({"off", "f2", "f4", "auto"}, value))
      return wrong("off, f2, f4 or auto");
    options.winograd = value.str();
  } else if (key == "tune") {
    TuneOptions &tune = options.tune.emplace(options.tune.value_or(TuneOptions()));
    if (value.empty())
      tune.seconds = kTuneSeconds;
    else if (value.getAsDouble(tune.seconds) || !(tune.seconds >= 0) || tune.seconds > 1e6)
      return wrong("a number of seconds");
    if (tune.cacheFile.empty())
      tune.cacheFile = defaultTuneCache();
  } else if (key == "tune-cache") {
    options.tune.emplace(options.tune.value_or(TuneOptions())).cacheFile = value.str();
  } else if (key == "tune-threads") {
    if (value.getAsInteger(10, options.tune.emplace(options.tune.value_or(TuneOptions())).threads) ||
        options.tune->threads < 0)
      return wrong("a number of threads");
  } else if (key == "time-passes") {
    if (!parseFlag(value, options.timePasses))
      return wrong("true or false");
  } else if (key == "mlir-print-ir-after-change") {
    if (!parseFlag(value, options.printAfterChange))
      return wrong("true or false");
  } else {
    return ("unknown option '" + key + "'").str();
  }
  return "";
}

} // namespace onnxc
