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
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>

using namespace mlir;

namespace onnxc {
namespace {

void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
}

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
    function.addFnAttr("target-features", target.features);
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

FailureOr<TargetSpec> resolveTarget(Location loc, StringRef target, StringRef march) {
  initializeTargets();
  TargetSpec spec;
  llvm::Triple host(llvm::sys::getDefaultTargetTriple());
  llvm::Triple triple(target.empty() ? host.str() : llvm::Triple::normalize(target));
  spec.triple = triple.str();
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found || !triple.isOSLinux() || !triple.isArch64Bit()) {
    emitError(loc) << "cannot compile for target '" << target
                   << "': known are 64-bit Linux on x86-64 and AArch64, e.g. "
                      "x86_64-linux-gnu, aarch64-linux-gnu";
    return failure();
  }
  bool native = triple.getArch() == host.getArch();
  if (march.empty() || march == "native") {
    if (!native) {
      spec.cpu = "generic";
      return spec;
    }
    spec.cpu = llvm::sys::getHostCPUName().str();
    llvm::SubtargetFeatures features;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.getKey(), feature.getValue());
    spec.features = features.getString();
    return spec;
  }
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      found->createMCSubtargetInfo(triple, "", ""));
  if (!info || !info->isCPUStringValid(march)) {
    emitError(loc) << "unknown CPU '" << march << "' for " << spec.triple
                   << "; use native, x86-64-v2, x86-64-v3, x86-64-v4 or a CPU's name";
    return failure();
  }
  spec.cpu = march.str();
  return spec;
}

VectorTarget describeVectors(const TargetSpec &target) {
  initializeTargets();
  llvm::Triple triple(target.triple);
  if (triple.isAArch64())
    return {128, 32, ByteProducts::Portable};
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      found ? found->createMCSubtargetInfo(triple, target.cpu, target.features) : nullptr);
  auto has = [&](StringRef features) { return info && info->checkFeatures(features.str()); };
  if (has("+avx512f,+avx512vl,+avx512bw"))
    return {512, 32, has("+avx512vnni") ? ByteProducts::Quads : ByteProducts::Pairs};
  if (has("+avx2"))
    return {256, 16, has("+avxvnni") ? ByteProducts::Quads : ByteProducts::Pairs, has("+fma")};
  return {128, 16, ByteProducts::Pairs, has("+fma")};
}

SmallVector<CpuFeature> requiredFeatures(const TargetSpec &target) {
  // What LLVM may use without being asked for it, by its names. System instructions are left out.
  static const CpuFeature known[] = {
      {"sse3", 1, 0, 2, 0},          {"pclmul", 1, 0, 2, 1},        {"ssse3", 1, 0, 2, 9},
      {"fma", 1, 0, 2, 12},          {"cx16", 1, 0, 2, 13},         {"sse4.1", 1, 0, 2, 19},
      {"sse4.2", 1, 0, 2, 20},       {"movbe", 1, 0, 2, 22},        {"popcnt", 1, 0, 2, 23},
      {"aes", 1, 0, 2, 25},          {"avx", 1, 0, 2, 28},          {"f16c", 1, 0, 2, 29},
      {"bmi", 7, 0, 1, 3},           {"avx2", 7, 0, 1, 5},          {"bmi2", 7, 0, 1, 8},
      {"avx512f", 7, 0, 1, 16},      {"avx512dq", 7, 0, 1, 17},     {"adx", 7, 0, 1, 19},
      {"avx512ifma", 7, 0, 1, 21},   {"avx512cd", 7, 0, 1, 28},     {"sha", 7, 0, 1, 29},
      {"avx512bw", 7, 0, 1, 30},     {"avx512vl", 7, 0, 1, 31},     {"avx512vbmi", 7, 0, 2, 1},
      {"avx512vbmi2", 7, 0, 2, 6},   {"gfni", 7, 0, 2, 8},          {"vaes", 7, 0, 2, 9},
      {"vpclmulqdq", 7, 0, 2, 10},   {"avx512vnni", 7, 0, 2, 11},   {"avx512bitalg", 7, 0, 2, 12},
      {"avx512vpopcntdq", 7, 0, 2, 14}, {"avx512vp2intersect", 7, 0, 3, 8}, {"amx-bf16", 7, 0, 3, 22},
      {"avx512fp16", 7, 0, 3, 23},   {"amx-tile", 7, 0, 3, 24},     {"amx-int8", 7, 0, 3, 25},
      {"avxvnni", 7, 1, 0, 4},       {"avx512bf16", 7, 1, 0, 5},    {"amx-fp16", 7, 1, 0, 21},
      {"avxifma", 7, 1, 0, 23},      {"avxvnniint8", 7, 1, 3, 4},   {"avxneconvert", 7, 1, 3, 5},
      {"avxvnniint16", 7, 1, 3, 10}, {"sahf", 0x80000001, 0, 2, 0}, {"lzcnt", 0x80000001, 0, 2, 5},
      {"sse4a", 0x80000001, 0, 2, 6}, {"xop", 0x80000001, 0, 2, 11}, {"fma4", 0x80000001, 0, 2, 16},
      {"tbm", 0x80000001, 0, 2, 21}};
  initializeTargets();
  SmallVector<CpuFeature> required;
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found || !triple.isX86())
    return required;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      found->createMCSubtargetInfo(triple, target.cpu, target.features));
  for (const CpuFeature &feature : known)
    if (info->checkFeatures(std::string("+") + feature.name))
      required.push_back(feature);
  return required;
}

uint64_t requiredState(ArrayRef<CpuFeature> features) {
  constexpr uint64_t avx = 0x6, avx512 = 0xe0, amx = 0x60000;
  uint64_t state = 0;
  for (const CpuFeature &feature : features) {
    StringRef name = feature.name;
    state |= name == "avx" ? avx : name == "avx512f" ? avx512 : name == "amx-tile" ? amx : 0;
  }
  return state;
}

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
