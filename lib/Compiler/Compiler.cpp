// The way of a model through the phases.
#include "onnxc/Compiler/Compiler.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "onnxc-c/compiler.h"
#include "onnxc/Codegen/CPU/SharedWeights.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Compiler/InitAll.h"
#include "onnxc/Conversion/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Import/Import.h"
#include "onnxc/Target/SharedObject/OutputFile.h"
#include "onnxc/Target/SharedObject/SharedObject.h"
#include "onnxc/Tune/Tuner.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

namespace onnxc {
namespace {

LogicalResult writeText(Location loc, StringRef output, llvm::function_ref<void(llvm::raw_ostream &)> write) {
  if (output == "-") {
    write(llvm::outs());
    return success();
  }
  llvm::SmallString<256> temporary;
  int descriptor;
  std::error_code error =
      llvm::sys::fs::createUniqueFile(temporaryPrefix(output) + ".%%%%%%.tmp", descriptor, temporary);
  if (error)
    return emitError(loc) << "cannot write " << output << ": " << error.message();
  {
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    write(os);
    os.close();
    error = os.error();
    os.clear_error();
  }
  if (!error)
    error = moveToOutput(temporary, output);
  if (!error)
    return success();
  (void)llvm::sys::fs::remove(temporary);
  return emitError(loc) << "cannot write " << output << ": " << error.message();
}

/// One pass manager a phase, so that each can be timed and shown.
class Driver {
public:
  explicit Driver(const CompileOptions &options) : options(options) {
    if (options.timePasses) {
      manager.setEnabled(true);
      timing = manager.getRootScope();
    }
  }

  LogicalResult run(ModuleOp module, StringRef name,
                    llvm::function_ref<void(OpPassManager &)> build) {
    if (options.progress)
      options.progress(name);
    PassManager pm(module->getContext());
    TimingScope scope = timing.nest(name);
    pm.enableTiming(scope);
    if (options.printAfterChange) {
      OpPrintingFlags flags;
      flags.elideLargeElementsAttrs().elideLargeResourceString();
      pm.enableIRPrinting([](Pass *, Operation *) { return false; },
                          [](Pass *, Operation *) { return true; },
                          /*printModuleScope=*/false, /*printAfterOnlyOnChange=*/true,
                          /*printAfterOnlyOnFailure=*/false, llvm::errs(), flags);
    }
    build(pm);
    return pm.run(module);
  }

  TimingScope stage(StringRef name) {
    if (options.progress)
      options.progress(name);
    return timing.nest(name);
  }

private:
  const CompileOptions &options;
  DefaultTimingManager manager;
  TimingScope timing;
};

/// What tuning changes in the making of code.
struct Hooks {
  TuneStage from = TuneStage::Methods;
  decltype(CodegenOptions::tune) tune;
};

/// From linalg on tensors to objects for one CPU. `isDone`: the options end compilation at a phase on the way.
LogicalResult generateCode(Driver &driver, ModuleOp module, const TargetSpec &target,
                           const CompileOptions &options, SharedWeights *weights, StringRef suffix,
                           SmallVectorImpl<std::string> &objects, bool &isDone,
                           const Hooks &hooks = {}) {
  CodegenOptions codegen;
  codegen.optLevel = options.optLevel;
  codegen.vectors = describeVectors(target);
  codegen.winograd = options.winograd;
  codegen.from = hooks.from;
  codegen.tune = hooks.tune;
  auto endsAt = [&](Phase phase) { return isDone = options.phase == phase; };

  // 4. Fusion and tiling, 5. buffers and register tiles.
  if (failed(driver.run(module, "tiled", [&](OpPassManager &pm) { buildTilingPipeline(pm, codegen); })))
    return failure();
  if (endsAt(Phase::Tiled))
    return success();
  if (failed(driver.run(module, "vector", [&](OpPassManager &pm) { buildVectorPipeline(pm, codegen); })))
    return failure();
  if (endsAt(Phase::Vector))
    return success();
  if (failed(driver.run(module, "buffers", [&](OpPassManager &pm) { buildBufferPipeline(pm, codegen); })))
    return failure();
  if (endsAt(Phase::Buffers))
    return success();
  if (weights)
    weights->take(module);

  // 6. The LLVM dialect.
  if (failed(driver.run(module, "llvm", [&](OpPassManager &pm) { buildLLVMPipeline(pm, codegen); })))
    return failure();
  if (endsAt(Phase::LLVM))
    return success();

  // 7. Object code.
  TimingScope scope = driver.stage("code");
  CodeFormat format = options.phase == Phase::LLVMIR     ? CodeFormat::LLVMIR
                      : options.phase == Phase::Assembly ? CodeFormat::Assembly
                                                         : CodeFormat::Object;
  return emitCode(module, target, options.optLevel, format, objects, suffix);
}

/// A kernel of the tuner's, from one of its stages on, as a model.so.
LogicalResult buildKernel(ModuleOp kernel, TuneStage from, const TargetSpec &target,
                          const CompileOptions &options, StringRef path) {
  CompileOptions plain;
  plain.optLevel = options.optLevel;
  plain.winograd = options.winograd;
  Driver driver(plain);
  SmallVector<std::string> objects;
  bool isDone = false;
  if (failed(generateCode(driver, kernel, target, plain, nullptr, "", objects, isDone, {from, {}})))
    return failure();
  Variant variant{target, "", 0, kernel->getAttrOfType<ArrayAttr>("onnxc.regions")};
  if (auto bytes = kernel->getAttrOfType<IntegerAttr>("onnxc.arena_bytes"))
    variant.arenaBytes = bytes.getInt();
  std::string descriptor;
  if (failed(emitDescriptor(kernel, writeMetadata(kernel, variant, ""), variant, descriptor)))
    return failure();
  objects.push_back(std::move(descriptor));
  return linkModel(kernel.getLoc(), objects, kernel, target, path, LinkKind::SharedObject);
}

std::string describeOptions(const CompileOptions &options) {
  std::string text = "-O" + std::to_string(options.optLevel) + " --march=" + options.march;
  if (options.winograd != "auto")
    text += " --winograd=" + options.winograd;
  if (options.tune)
    text += " --tune";
  return text;
}

/// What the speed of a kernel depends on beside itself.
std::string describeMachine(const TargetSpec &target, const CompileOptions &options) {
  return target.cpu + " " + target.features + " " + describeOptions(options) + " onnxc " +
         onnxc_version();
}

} // namespace

std::unique_ptr<MLIRContext> makeContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  context->loadAllAvailableDialects();
  return context;
}

LogicalResult compileModel(StringRef path, std::optional<llvm::MemoryBufferRef> buffer,
                           StringRef output, const CompileOptions &options,
                           MLIRContext &context) {
  Location fileLoc = FileLineColLoc::get(&context, buffer ? "<model>" : path, 0, 0);
  SmallVector<TargetSpec> targets;
  SmallVector<StringRef> cpus;
  StringRef(options.march).split(cpus, ',');
  for (StringRef cpu : cpus) {
    if (cpu.empty() && cpus.size() > 1)
      return emitError(fileLoc) << "--march has an empty name in its list of CPUs";
    FailureOr<TargetSpec> target = resolveTarget(fileLoc, options.target, cpu);
    if (failed(target))
      return failure();
    if (llvm::any_of(targets, [&](const TargetSpec &other) { return other.cpu == target->cpu; }))
      return emitError(fileLoc) << "--march names the CPU '" << target->cpu << "' twice";
    targets.push_back(*target);
  }
  if (targets.size() > 1 && options.phase >= Phase::Tiled && options.phase < Phase::Object)
    return emitError(fileLoc) << "--compile-to shows the code for one CPU from phase tiled on; give one --march";

  // Loaded as long as something may ask for shapes.
  CustomLibraries customs;
  for (const std::string &library : options.customOps)
    if (failed(customs.load(fileLoc, library)))
      return failure();
  setCustomOperators(context, options.customOps.empty() ? nullptr : customs.operators());
  auto forget = llvm::scope_exit([&] { setCustomOperators(context, nullptr); });

  // 1. Import.
  if (options.progress)
    options.progress("import");
  ImportOptions importOptions;
  importOptions.functionFiles = options.functions;
  for (const auto &shape : options.shapes)
    importOptions.shapes[shape.getKey().str()] = {shape.getValue().begin(), shape.getValue().end()};
  for (const auto &dim : options.dims)
    importOptions.dims[dim.getKey().str()] = dim.getValue();
  OwningOpRef<ModuleOp> module;
  if (buffer)
    module = importModel(*buffer, importOptions, context);
  else if (path.ends_with(".mlir"))
    module = parseSourceFile<ModuleOp>(path, &context); // what --compile-to printed, or a test's IR
  else
    module = importModel(path, importOptions, context);
  if (!module)
    return failure();
  if (!module->lookupSymbol("main_graph"))
    return emitError(fileLoc) << "holds no @main_graph";
  Driver driver(options);
  auto print = [&] {
    return writeText(fileLoc, output, [&](llvm::raw_ostream &os) {
      OpPrintingFlags flags;
      flags.elideLargeResourceString(64).elideLargeElementsAttrs(64);
      module->print(os, flags);
      os << "\n";
    });
  };
  if (options.phase == Phase::Import)
    return print();

  // 2. Graph passes on the onnx dialect.
  if (failed(driver.run(*module, "onnx", [&](OpPassManager &pm) {
        onnx::OnnxPipelineOptions graph;
        graph.optimize = options.optLevel > 0;
        onnx::buildOnnxPipeline(pm, graph);
      })))
    return failure();
  if (options.phase == Phase::Onnx)
    return print();

  // 3. linalg on tensors.
  if (failed(driver.run(*module, "linalg", [&](OpPassManager &pm) {
        pm.addPass(createConvertOnnxToLinalg());
        pm.addPass(createCanonicalizerPass());
      })))
    return failure();
  if (options.phase == Phase::Linalg)
    return print();
  if (options.phase == Phase::SharedObject && failed(checkKernelArchives(*module, targets.front())))
    return failure();

  // 4. to 7. for each CPU; the last one works on the module itself.
  SmallVector<std::string> objects;
  SmallVector<Variant> variants;
  SharedWeights weights;
  for (auto [i, target] : llvm::enumerate(targets)) {
    OwningOpRef<ModuleOp> copy;
    bool isLast = i + 1 == targets.size();
    if (!isLast)
      copy = cloneWithData(*module);
    ModuleOp current = isLast ? *module : *copy;
    Variant variant{target, i == 0 ? "" : "." + target.cpu, 0, nullptr};
    bool isDone = false;
    std::optional<Tuner> tuner;
    Hooks hooks;
    if (options.tune) {
      tuner.emplace(
          *options.tune, describeVectors(target), describeMachine(target, options),
          [&](ModuleOp kernel, TuneStage from, StringRef so) {
            return buildKernel(kernel, from, target, options, so);
          },
          fileLoc);
      hooks.tune = [&](ModuleOp module, TuneStage stage) {
        LogicalResult result = tuner->tune(module, stage);
        tuner->save(fileLoc);
        return result;
      };
    }
    if (failed(generateCode(driver, current, target, options, targets.size() > 1 ? &weights : nullptr,
                            variant.suffix, objects, isDone, hooks)))
      return failure();
    if (isDone)
      return print();
    if (auto bytes = current->getAttrOfType<IntegerAttr>("onnxc.arena_bytes"))
      variant.arenaBytes = bytes.getInt();
    variant.regions = current->getAttrOfType<ArrayAttr>("onnxc.regions");
    variants.push_back(variant);
  }
  if (options.phase == Phase::LLVMIR || options.phase == Phase::Assembly)
    return writeText(fileLoc, output, [&](llvm::raw_ostream &os) {
      for (const std::string &text : objects)
        os << text;
    });

  // 8. The artefact.
  TimingScope scope = driver.stage("link");
  if (targets.size() > 1)
    weights.give(*module);
  CustomTable table;
  size_t numObjects = objects.size();
  if (failed(customs.collect(*module, targets.front(), table, objects)))
    return failure();
  bool foreignCode = objects.size() > numObjects;
  std::string metadata = writeMetadata(*module, variants, describeOptions(options), table);
  std::string descriptor;
  if (failed(emitDescriptor(*module, metadata, variants, descriptor, table)))
    return failure();
  objects.push_back(std::move(descriptor));
  return linkModel(fileLoc, objects, *module, targets.front(), output,
                   options.phase == Phase::Object ? LinkKind::Object : LinkKind::SharedObject, foreignCode);
}

} // namespace onnxc
