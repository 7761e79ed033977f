// The way of a model through the phases.
#include "onnxc/Compiler/Compiler.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Compiler/InitAll.h"
#include "onnxc/Conversion/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Import/Import.h"
#include "onnxc/Target/SharedObject/OutputFile.h"
#include "onnxc/Target/SharedObject/SharedObject.h"
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
  Driver(ModuleOp module, const CompileOptions &options) : module(module), options(options) {
    if (options.timePasses) {
      manager.setEnabled(true);
      timing = manager.getRootScope();
    }
  }

  LogicalResult run(StringRef name, llvm::function_ref<void(OpPassManager &)> build) {
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
  ModuleOp module;
  const CompileOptions &options;
  DefaultTimingManager manager;
  TimingScope timing;
};

std::string describeOptions(const CompileOptions &options) {
  std::string text = "-O" + std::to_string(options.optLevel) + " --march=" + options.march;
  if (options.winograd != "auto")
    text += " --winograd=" + options.winograd;
  return text;
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
  FailureOr<TargetSpec> target = resolveTarget(fileLoc, options.target, options.march);
  if (failed(target))
    return failure();

  // 1. Import.
  if (options.progress)
    options.progress("import");
  ImportOptions importOptions;
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
  Driver driver(*module, options);
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
  if (failed(driver.run("onnx", [&](OpPassManager &pm) {
        onnx::OnnxPipelineOptions graph;
        graph.optimize = options.optLevel > 0;
        onnx::buildOnnxPipeline(pm, graph);
      })))
    return failure();
  if (options.phase == Phase::Onnx)
    return print();

  // 3. linalg on tensors.
  if (failed(driver.run("linalg", [&](OpPassManager &pm) {
        pm.addPass(createConvertOnnxToLinalg());
        pm.addPass(createCanonicalizerPass());
      })))
    return failure();
  if (options.phase == Phase::Linalg)
    return print();

  // 4. Fusion and tiling, 5. buffers and register tiles.
  CodegenOptions codegen;
  codegen.optLevel = options.optLevel;
  codegen.vectors = describeVectors(*target);
  codegen.winograd = options.winograd;
  if (failed(driver.run("tiled", [&](OpPassManager &pm) { buildTilingPipeline(pm, codegen); })))
    return failure();
  if (options.phase == Phase::Tiled)
    return print();
  if (failed(driver.run("vector", [&](OpPassManager &pm) { buildVectorPipeline(pm, codegen); })))
    return failure();
  if (options.phase == Phase::Vector)
    return print();
  if (failed(driver.run("buffers", [&](OpPassManager &pm) { buildBufferPipeline(pm, codegen); })))
    return failure();
  if (options.phase == Phase::Buffers)
    return print();

  // 6. The LLVM dialect.
  if (failed(driver.run("llvm", [&](OpPassManager &pm) { buildLLVMPipeline(pm, codegen); })))
    return failure();
  if (options.phase == Phase::LLVM)
    return print();

  // 7. Object code.
  SmallVector<std::string> buffers;
  {
    TimingScope scope = driver.stage("code");
    CodeFormat format = options.phase == Phase::LLVMIR     ? CodeFormat::LLVMIR
                        : options.phase == Phase::Assembly ? CodeFormat::Assembly
                                                           : CodeFormat::Object;
    if (failed(emitCode(*module, *target, options.optLevel, format, buffers)))
      return failure();
  }
  if (options.phase == Phase::LLVMIR || options.phase == Phase::Assembly)
    return writeText(fileLoc, output, [&](llvm::raw_ostream &os) {
      for (const std::string &text : buffers)
        os << text;
    });

  // 8. The artefact.
  TimingScope scope = driver.stage("link");
  std::string metadata = writeMetadata(*module, *target, describeOptions(options));
  std::string descriptor;
  if (failed(emitDescriptor(*module, metadata, *target, descriptor)))
    return failure();
  buffers.push_back(std::move(descriptor));
  return linkModel(fileLoc, buffers, *module, *target, output,
                   options.phase == Phase::Object ? LinkKind::Object : LinkKind::SharedObject);
}

} // namespace onnxc
