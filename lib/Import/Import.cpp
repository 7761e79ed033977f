#include "onnxc/Import/Import.h"

#include "Builder.h"
#include "Check.h"
#include "FunctionDefaults.h"
#include "Functions.h"
#include "Load.h"
#include "TypeInference.h"
#include "Upgrade.h"

#include "onnxc/Schema/MicrosoftSchemas.h"

#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "onnx/inliner/inliner.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

#include <filesystem>
#include <new>
#include <unordered_set>

using namespace mlir;

namespace onnxc {

using namespace importer;

namespace {

void setModuleAttributes(ModuleOp module, const ModelProto &model, const OpsetMap &opsets, StringRef file) {
  Builder b(module.getContext());
  auto set = [&](const char *name, Attribute value) { module->setAttr(name, value); };
  NamedAttrList imports, metadata;
  for (const auto &[domain, version] : opsets)
    imports.set(domain.empty() ? "ai.onnx" : domain, b.getI64IntegerAttr(version));
  for (const auto &entry : model.metadata_props())
    metadata.set(entry.key(), b.getStringAttr(entry.value()));
  set("onnx.opset_imports", imports.getDictionary(b.getContext()));
  set("onnx.metadata_props", metadata.getDictionary(b.getContext()));
  set("onnx.ir_version", b.getI64IntegerAttr(model.ir_version()));
  set("onnx.model_version", b.getI64IntegerAttr(model.model_version()));
  set("onnx.producer_name", b.getStringAttr(model.producer_name()));
  set("onnx.producer_version", b.getStringAttr(model.producer_version()));
  set("onnx.domain", b.getStringAttr(model.domain()));
  set("onnx.doc_string", b.getStringAttr(model.doc_string()));
  set("onnx.graph_name", b.getStringAttr(model.graph().name()));
  set("onnx.file", b.getStringAttr(file));
}

void collectCustomNodes(const GraphProto &graph, const OpsetMap &opsets, const Schemas &schemas, bool &untyped,
                        std::vector<std::string> &found) {
  std::unordered_set<std::string> typed;
  for (const ValueInfoProto &value : graph.value_info())
    typed.insert(value.name());
  for (const NodeProto &node : graph.node()) {
    for (const AttributeProto &attr : node.attribute())
      if (attr.has_g())
        collectCustomNodes(attr.g(), opsets, schemas, untyped, found);
    if (isStandardDomain(node.domain()) || schemas.newest(node))
      continue;
    found.push_back(describe(node, opsets));
    for (const std::string &output : node.output())
      untyped |= !output.empty() && !typed.count(output);
  }
}

// What ONNX Runtime wrote and nobody else can run.
void collectRefused(const GraphProto &graph, const OpsetMap &opsets, const Schemas &schemas,
                    std::vector<std::string> &found) {
  for (const NodeProto &node : graph.node()) {
    for (const AttributeProto &attr : node.attribute())
      if (attr.has_g())
        collectRefused(attr.g(), opsets, schemas, found);
    std::string advice;
    if (schemas.custom(node))
      continue;
    if (node.domain() == microsoftDomain)
      advice = adviceForMicrosoft(node.op_type());
    else if (node.domain() == "com.microsoft.nchwc" || node.domain() == "com.ms.internal.nhwc")
      advice = "it is laid out for the machine on which ONNX Runtime optimized the model: write the model with at "
               "most ORT_ENABLE_EXTENDED";
    if (!advice.empty())
      found.push_back(describe(node, opsets) + ": " + advice);
  }
}

void checkRefused(const GraphProto &graph, const OpsetMap &opsets, const Schemas &schemas) {
  std::vector<std::string> found;
  collectRefused(graph, opsets, schemas, found);
  if (!found.empty())
    throw ImportError("the model has operators of ONNX Runtime that are not supported", found);
}

// Nothing can be built after an operator that ONNX does not define unless the
// model gives the types of its outputs.
void checkCustomNodes(const GraphProto &graph, const OpsetMap &opsets, const Schemas &schemas) {
  bool untyped = false;
  std::vector<std::string> found;
  collectCustomNodes(graph, opsets, schemas, untyped, found);
  if (!untyped)
    return;
  const CustomOperators *customs = schemas.customOperators();
  if (customs && !customs->empty())
    throw ImportError("the model has operators that neither ONNX nor " + customs->paths() +
                          " (--custom-ops) nor a function (--function) declares",
                      found);
  throw ImportError("the model has operators that ONNX does not define, and does not give the types of "
                    "their outputs (value_info): a library can implement them (--custom-ops), or an ONNX function "
                    "(--function)",
                    found);
}

// What a function's file imports of other domains, where the model does not.
void addFunctionOpsets(const ModelProto &model, OpsetMap &opsets) {
  for (const FunctionProto &function : model.functions())
    for (const auto &import : function.opset_import())
      if (!isStandardDomain(import.domain()))
        opsets.emplace(import.domain(), import.version());
}

OwningOpRef<ModuleOp> buildModule(ModelProto &model, StringRef file, const std::string &folder,
                                  const ImportOptions &options, MLIRContext &context) {
  ExternalDataReader external(folder);
  addFunctions(model, options.functionFiles);
  const CustomOperators *customs = customOperators(&context);
  OpsetMap opsets = checkAndNormalise(model, options, external, customs);
  OpsetMap versions = opsets;
  addFunctionOpsets(model, versions);
  Schemas schemas(customs, versions);
  pinDimensions(model, options);

  auto fileAttr = StringAttr::get(&context, file);
  OwningOpRef<ModuleOp> module = ModuleOp::create(FileLineColLoc::get(fileAttr, 0, 0));
  setModuleAttributes(*module, model, opsets, file);

  upgradeModel(model, opsets, schemas);
  if (model.functions_size()) {
    giveFunctionDefaults(model);
    ::onnx::inliner::InlineLocalFunctions(model);
  }
  checkRefused(model.graph(), opsets, schemas);
  inferTypes(model, newestOpsets(), schemas);
  checkCustomNodes(model.graph(), opsets, schemas);
  GraphBuilder(&context, fileAttr, opsets, external, schemas).buildMain(*model.mutable_graph(), *module);
  return module;
}

template <typename Load>
OwningOpRef<ModuleOp> importWith(Load load, StringRef file, const std::string &folder,
                                 const ImportOptions &options, MLIRContext &context) {
  context.loadDialect<onnx::OnnxDialect, func::FuncDialect>();
  Location loc = FileLineColLoc::get(&context, file, 0, 0);
  try {
    registerMicrosoftSchemas();
    ModelProto model = load();
    OwningOpRef<ModuleOp> module = buildModule(model, file, folder, options, context);
    if (failed(verify(*module)))
      return {};
    return module;
  } catch (const ImportError &error) {
    InFlightDiagnostic diagnostic = emitError(loc, error.what());
    for (const std::string &note : error.notes)
      diagnostic.attachNote(loc) << note;
  } catch (const std::bad_alloc &) {
    emitError(loc, "the model needs more memory than there is");
  } catch (const std::exception &error) {
    emitError(loc, "cannot import the model: ") << error.what();
  }
  return {};
}

} // namespace

OwningOpRef<ModuleOp> importModel(StringRef path, const ImportOptions &options, MLIRContext &context) {
  std::string folder = options.externalDataFolder;
  if (folder.empty()) {
    folder = std::filesystem::path(path.str()).parent_path().string();
    if (folder.empty())
      folder = ".";
  }
  return importWith([&] { return loadModelFile(path.str()); }, path, folder, options, context);
}

OwningOpRef<ModuleOp> importModel(llvm::MemoryBufferRef buffer, const ImportOptions &options,
                                  MLIRContext &context) {
  StringRef bytes = buffer.getBuffer();
  return importWith([&] { return parseModel({bytes.data(), bytes.size()}); },
                    buffer.getBufferIdentifier(), options.externalDataFolder, options, context);
}

} // namespace onnxc
