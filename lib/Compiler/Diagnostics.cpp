// How diagnostics are shown to people: the node and the file instead of MLIR's
// nested locations.
#include "onnxc/Compiler/Compiler.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"

using namespace mlir;

namespace onnxc {
namespace {

/// The import gives each node NameLoc("<OpType>:<node name>", FileLineColLoc(file)).
void describe(Location loc, std::string &file, std::string &node) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    if (node.empty())
      node = name.getName().str();
    describe(name.getChildLoc(), file, node);
  } else if (auto position = dyn_cast<FileLineColLoc>(loc)) {
    if (file.empty())
      file = position.getFilename().str();
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location inner : fused.getLocations())
      describe(inner, file, node);
  } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    describe(call.getCallee(), file, node);
    describe(call.getCaller(), file, node);
  }
}

} // namespace

void printDiagnostic(llvm::raw_ostream &os, Diagnostic &diagnostic) {
  std::string file, node;
  describe(diagnostic.getLocation(), file, node);
  if (!file.empty())
    os << file << ": ";
  if (!node.empty()) {
    auto [type, name] = StringRef(node).split(':');
    os << "node '" << (name.empty() ? StringRef("(unnamed)") : name) << "' (" << type << "): ";
  }
  os << diagnostic.str();
  for (Diagnostic &note : diagnostic.getNotes()) {
    std::string text = note.str();
    // An operation's IR may be large, and says little beside its node's name.
    if (!StringRef(text).starts_with("see current operation"))
      os << "\n  note: " << text;
  }
}

} // namespace onnxc
