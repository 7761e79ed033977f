#include "Functions.h"

#include "Load.h"

#include <set>
#include <tuple>

namespace onnxc::importer {

namespace {

using Name = std::tuple<std::string, std::string, std::string>; // domain, name, overload

Name nameOf(const FunctionProto &function) {
  return {canonicalDomain(function.domain()), function.name(), function.overload()};
}

std::string textOf(const FunctionProto &function) { return function.domain() + "::" + function.name(); }

// A model that has functions says which version of their domains they are.
void checkVersions(const ModelProto &file, const ModelProto &model) {
  for (const FunctionProto &function : file.functions())
    for (const auto &defined : file.opset_import())
      for (const auto &wanted : model.opset_import())
        if (defined.domain() == function.domain() && wanted.domain() == function.domain() &&
            defined.version() != wanted.version())
          fail(textOf(function) + " is of version " + std::to_string(defined.version()) +
               " of its domain, the model imports version " + std::to_string(wanted.version()));
}

} // namespace

void addFunctions(ModelProto &model, const std::vector<std::string> &files) {
  std::set<Name> names;
  std::vector<FunctionProto> added;
  for (const std::string &path : files) {
    try {
      ModelProto file = loadFunctionFile(path);
      if (file.functions_size() == 0)
        fail("it defines no functions");
      checkVersions(file, model);
      for (FunctionProto &function : *file.mutable_functions()) {
        if (function.name().empty() || function.node_size() == 0)
          fail("it has a function without a name or without nodes");
        if (!names.insert(nameOf(function)).second)
          fail(textOf(function) + " is defined twice");
        added.push_back(std::move(function));
      }
    } catch (const ImportError &error) {
      throw ImportError(path + ": " + error.what(), error.notes);
    }
  }
  if (added.empty())
    return;
  for (FunctionProto &function : *model.mutable_functions())
    if (!names.count(nameOf(function)))
      added.push_back(std::move(function));
  model.clear_functions();
  for (FunctionProto &function : added)
    *model.add_functions() = std::move(function);
}

} // namespace onnxc::importer
