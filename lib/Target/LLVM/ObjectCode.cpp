// From the LLVM dialect to object code. Every nested module has its own LLVM context,
// so they are translated, optimised and compiled at the same time.
#include "onnxc/Target/LLVM/ObjectCode.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Threading.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

namespace onnxc {
namespace {

std::unique_ptr<llvm::TargetMachine> makeMachine(const TargetSpec &target, unsigned optLevel,
                                                 std::string &error) {
  llvm::Triple triple(target.triple);
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  options.FunctionSections = true;
  auto level = optLevel == 0 ? llvm::CodeGenOptLevel::None
               : optLevel == 1 ? llvm::CodeGenOptLevel::Less
               : optLevel == 2 ? llvm::CodeGenOptLevel::Default
                               : llvm::CodeGenOptLevel::Aggressive;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, target.cpu, target.features, options, llvm::Reloc::PIC_, std::nullopt, level));
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine, unsigned optLevel) {
  if (optLevel == 0)
    return;
  llvm::PipelineTuningOptions tuning;
  // What should be vectors is vectors already, except for scalar fallbacks.
  tuning.SLPVectorization = false;
  tuning.LoopVectorization = optLevel >= 2;
  tuning.LoopInterleaving = optLevel >= 2;
  // The emitter unrolls what pays. LLVM's full unrolling of small copies and fills makes basic
  // blocks of thousands of stores, on which instruction selection takes seconds.
  tuning.LoopUnrolling = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  auto level = optLevel == 1 ? llvm::OptimizationLevel::O1
               : optLevel == 2 ? llvm::OptimizationLevel::O2
                               : llvm::OptimizationLevel::O2;
  builder.buildPerModuleDefaultPipeline(level).run(module, modules);
}

/// `renamed`: the functions that get the suffix.
LogicalResult emitOne(ModuleOp module, const TargetSpec &target, unsigned optLevel,
                      CodeFormat format, std::string &buffer, const llvm::StringSet<> &renamed,
                      StringRef suffix) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target, optLevel, error);
  if (!machine)
    return module.emitError("cannot compile for ") << target.triple << ": " << error;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context);
  if (!code)
    return module.emitError("the LLVM dialect could not be translated");
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  bool wide = llvm::StringRef(target.features).contains("+avx512f") ||
              target.cpu == "x86-64-v4";
  // Sums side by side hide how long vpdpwssd takes: LLVM would take it apart where one sum waits for it.
  std::string features = target.features;
  if (machine->getTargetTriple().isX86())
    features += std::string(features.empty() ? "" : ",") + "+fast-dpwssd";
  // The weights may lie more than 2 GB away from the code.
  if (llvm::GlobalVariable *weights = code->getGlobalVariable("onnxc_weights"))
    if (machine->getTargetTriple().isX86())
      weights->setCodeModel(llvm::CodeModel::Large);
  for (llvm::Function &function : *code) {
    if (renamed.contains(function.getName()))
      function.setName(function.getName() + suffix);
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", features);
    if (wide)
      function.addFnAttr("prefer-vector-width", "512");
  }
  optimize(*code, *machine, optLevel);

  llvm::raw_string_ostream os(buffer);
  if (format == CodeFormat::LLVMIR) {
    code->print(os, nullptr);
    return success();
  }
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  passes.add(llvm::createTargetTransformInfoWrapperPass(machine->getTargetIRAnalysis()));
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   format == CodeFormat::Assembly
                                       ? llvm::CodeGenFileType::AssemblyFile
                                       : llvm::CodeGenFileType::ObjectFile))
    return module.emitError("the target ") << target.triple << " cannot write this file";
  passes.run(*code);
  os << bytes;
  return success();
}

} // namespace

LogicalResult emitCode(ModuleOp module, const TargetSpec &target, unsigned optLevel,
                       CodeFormat format, SmallVectorImpl<std::string> &buffers, StringRef suffix) {
  initializeTargets();
  SmallVector<ModuleOp> parts(module.getOps<ModuleOp>());
  if (parts.empty())
    parts.push_back(module);
  llvm::StringSet<> renamed;
  if (!suffix.empty())
    for (ModuleOp part : parts)
      for (auto function : part.getOps<LLVM::LLVMFuncOp>())
        if (!function.isExternal() && function.getLinkage() == LLVM::Linkage::External)
          renamed.insert(function.getSymName());
  size_t first = buffers.size();
  buffers.resize(first + parts.size());
  auto indices = llvm::to_vector(llvm::seq<unsigned>(0, parts.size()));
  return failableParallelForEach(module.getContext(), indices, [&](unsigned i) {
    return emitOne(parts[i], target, optLevel, format, buffers[first + i], renamed, suffix);
  });
}

} // namespace onnxc
