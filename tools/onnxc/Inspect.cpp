// onnxc inspect: what a compiled model or an .onnx file says about itself.
#include "ModelFile.h"
#include "OnnxFile.h"
#include "SubCommands.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace onnxc;
using llvm::StringRef;
namespace json = llvm::json;

namespace {

constexpr const char *usage = R"(usage: onnxc inspect <model.so|model.onnx> [--json]

Prints the inputs and outputs, where the model comes from, its opsets, and
  of a .so:    the target and the planned memory;
  of a .onnx:  the operators and the size of the weights.
)";

std::string scalar(const json::Value &value) {
  if (auto text = value.getAsString())
    return text->str();
  std::string out;
  llvm::raw_string_ostream os(out);
  os << value;
  return out;
}

/// A list or dictionary of scalars on one line.
std::string inLine(const json::Value &value) {
  std::string out;
  auto add = [&](const std::string &item) { out += (out.empty() ? "" : ", ") + item; };
  if (const json::Array *array = value.getAsArray()) {
    for (const json::Value &item : *array)
      add(scalar(item));
  } else if (const json::Object *object = value.getAsObject()) {
    std::map<std::string, std::string> sorted;
    for (const auto &item : *object)
      sorted[item.first.str()] = scalar(item.second);
    for (const auto &[key, item] : sorted)
      add(key + " " + item);
  } else {
    return scalar(value);
  }
  return out;
}

std::string megabytes(int64_t bytes) {
  std::string out;
  llvm::raw_string_ostream os(out);
  os << llvm::format("%.2f MB", static_cast<double>(bytes) / 1e6);
  return out;
}

void printValues(const json::Object &summary, StringRef key) {
  const json::Array *values = summary.getArray(key);
  if (!values)
    return;
  llvm::outs() << key << ":\n";
  for (const json::Value &item : *values) {
    const json::Object *value = item.getAsObject();
    if (!value)
      continue;
    std::string shape;
    if (const json::Array *dims = value->getArray("shape")) {
      for (const json::Value &dim : *dims)
        shape += (shape.empty() ? " [" : ",") + (dim.getAsNull() ? "?" : scalar(dim));
      shape += shape.empty() ? " []" : "]";
    }
    llvm::outs() << "  " << value->getString("name").value_or("") << ": "
                 << value->getString("type").value_or("") << shape << "\n";
  }
}

void printText(const json::Object &summary) {
  auto line = [](StringRef title, const std::string &content) {
    if (!content.empty())
      llvm::outs() << llvm::left_justify((title + ":").str(), 14) << content << "\n";
  };
  auto entry = [&](StringRef title, StringRef key) {
    if (const json::Value *value = summary.get(key))
      line(title, inLine(*value));
  };
  printValues(summary, "inputs");
  printValues(summary, "outputs");
  entry("graph", "graph_name");
  entry("producer", "producer");
  entry("domain", "domain");
  entry("description", "description");
  entry("version", "model_version");
  entry("IR version", "ir_version");
  entry("opsets", "opsets");
  entry("properties", "metadata_props");
  if (const json::Object *target = summary.getObject("target")) {
    line("target", target->getString("triple").value_or("").str());
    if (const json::Value *cpus = target->get("cpus"))
      line("CPUs", inLine(*cpus));
  }
  entry("compiler", "compiler");
  entry("options", "options");
  if (const json::Object *memory = summary.getObject("planned_memory")) {
    line("weights", megabytes(memory->getInteger("weights_bytes").value_or(0)));
    line("arena", megabytes(memory->getInteger("arena_bytes").value_or(0)) +
                      (memory->getBoolean("dynamic").value_or(false)
                           ? ", and more as the inputs' shapes need"
                           : ""));
  }
  if (auto weights = summary.getInteger("weights_bytes"))
    line("weights", megabytes(*weights) +
                        (summary.getBoolean("external_data").value_or(false) ? ", in other files" : ""));
  entry("operators", "operators");
}

} // namespace

int onnxc::inspectMain(int argc, char **argv) {
  std::string path;
  bool asJson = false;
  for (int i = 1; i < argc; ++i) {
    StringRef arg = argv[i];
    if (arg == "--help" || arg == "-h") {
      llvm::outs() << usage;
      return 0;
    }
    if (arg == "--json")
      asJson = true;
    else if (arg.starts_with("-"))
      return fail("unknown option '" + arg + "'; see onnxc inspect --help", 2);
    else if (!path.empty())
      return fail("more than one model is given; see onnxc inspect --help", 2);
    else
      path = arg.str();
  }
  if (path.empty())
    return fail("no model is given; see onnxc inspect --help", 2);

  json::Object summary;
  if (isSharedObject(path) || StringRef(path).ends_with(".so")) {
    onnxc_session_options options{};
    options.struct_size = sizeof options;
    onnxc_session *session = openModel(path, {}, options);
    if (!session)
      return 1;
    llvm::Expected<json::Value> parsed = json::parse(onnxc_session_metadata(session));
    onnxc_session_close(session);
    if (!parsed)
      return fail(path + ": " + llvm::toString(parsed.takeError()));
    summary = std::move(*parsed->getAsObject());
  } else {
    auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!file)
      return fail(path + ": " + file.getError().message());
    if (!summariseOnnx((*file)->getBuffer(), summary))
      return fail(path + ": not a binary ONNX file (ONNX's text format can be compiled, then inspected)");
  }
  if (asJson)
    llvm::outs() << llvm::formatv("{0:2}\n", json::Value(std::move(summary)));
  else
    printText(summary);
  return 0;
}
