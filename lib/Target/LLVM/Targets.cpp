// Which machines onnxc compiles for, and what it needs to know of them.
#include "onnxc/Target/LLVM/ObjectCode.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace mlir;

namespace onnxc {
namespace {

std::unique_ptr<llvm::MCSubtargetInfo> describeCpu(const TargetSpec &target) {
  initializeTargets();
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  return std::unique_ptr<llvm::MCSubtargetInfo>(
      found ? found->createMCSubtargetInfo(triple, target.cpu, target.features) : nullptr);
}

// What LLVM may use without being asked for it, by its names. System instructions are left out.
const CpuFeature x86Features[] = {
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

// The same for AArch64: bits of AT_HWCAP and AT_HWCAP2, which Linux tells each process.
constexpr uint32_t hwcap = 16, hwcap2 = 26;
const CpuFeature armFeatures[] = {
    {"aes", hwcap, 0, 0, 3},       {"sha2", hwcap, 0, 0, 6},      {"crc", hwcap, 0, 0, 7},
    {"lse", hwcap, 0, 0, 8},       {"fullfp16", hwcap, 0, 0, 10}, {"rdm", hwcap, 0, 0, 12},
    {"jsconv", hwcap, 0, 0, 13},   {"complxnum", hwcap, 0, 0, 14}, {"rcpc", hwcap, 0, 0, 15},
    {"sha3", hwcap, 0, 0, 17},     {"sm4", hwcap, 0, 0, 19},      {"dotprod", hwcap, 0, 0, 20},
    {"sve", hwcap, 0, 0, 22},      {"fp16fml", hwcap, 0, 0, 23},  {"lse2", hwcap, 0, 0, 25},
    {"rcpc-immo", hwcap, 0, 0, 26}, {"flagm", hwcap, 0, 0, 27},   {"sve2", hwcap2, 0, 0, 1},
    {"altnzcv", hwcap2, 0, 0, 7},  {"fptoint", hwcap2, 0, 0, 8},  {"i8mm", hwcap2, 0, 0, 13},
    {"bf16", hwcap2, 0, 0, 14},    {"sme", hwcap2, 0, 0, 23},     {"cssc", hwcap2, 0, 0, 34},
    {"sme2", hwcap2, 0, 0, 37},    {"sve2p1", hwcap2, 0, 0, 36},  {"mops", hwcap2, 0, 0, 43}};

/// Whether the system lets a process use the tiles of AMX: a model for this machine must run on it.
bool mayUseTiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long requestPermission = 0x1023, tileData = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
  return false;
#endif
}

} // namespace

void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
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

FailureOr<TargetSpec> resolveTarget(Location loc, StringRef target, StringRef march) {
  initializeTargets();
  TargetSpec spec;
  llvm::Triple host(llvm::sys::getDefaultTargetTriple());
  llvm::Triple triple(target.empty()         ? host.str()
                      : target.contains('-') ? llvm::Triple::normalize(target)
                                             : llvm::Triple::normalize((target + "-linux-gnu").str()));
  spec.triple = triple.str();
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  bool isKnown = triple.getArch() == llvm::Triple::x86_64 || triple.getArch() == llvm::Triple::aarch64;
  if (!found || !isKnown || !triple.isOSLinux() || triple.isX32()) {
    emitError(loc) << "cannot compile for target '" << (target.empty() ? StringRef(spec.triple) : target)
                   << "': known are 64-bit Linux on x86-64 and AArch64, e.g. "
                      "x86_64-linux-gnu, aarch64-linux-gnu";
    return failure();
  }
  bool native = triple.getArch() == host.getArch();
  if (march.empty() || march == "native") {
    if (!native) {
      spec.cpu = triple.isX86() ? "x86-64" : "generic";
      return spec;
    }
    spec.cpu = llvm::sys::getHostCPUName().str();
    llvm::SubtargetFeatures features;
    auto ofHost = llvm::sys::getHostCPUFeatures();
    bool withoutTiles = ofHost.lookup("amx-tile") && !mayUseTiles();
    for (const auto &feature : ofHost)
      features.AddFeature(feature.getKey(),
                          feature.getValue() && !(withoutTiles && feature.getKey().starts_with("amx-")));
    spec.features = features.getString();
    return spec;
  }
  std::unique_ptr<llvm::MCSubtargetInfo> info(found->createMCSubtargetInfo(triple, "", ""));
  bool is64Bit = info && info->isCPUStringValid(march);
  if (is64Bit && triple.isX86()) // LLVM knows the names of 32-bit ones too
    is64Bit = describeCpu({spec.triple, march.str(), ""})->checkFeatures("+64bit");
  if (!is64Bit) {
    emitError(loc) << "unknown CPU '" << march << "' for " << spec.triple << "; use native, "
                   << (triple.isX86() ? "x86-64-v2, x86-64-v3, x86-64-v4 or a CPU's name (haswell, znver4, "
                                        "sapphirerapids, ...)"
                                      : "generic or a CPU's name (cortex-a53, neoverse-n1, neoverse-v1, "
                                        "apple-m1, ...)");
    return failure();
  }
  spec.cpu = march.str();
  return spec;
}

VectorTarget describeVectors(const TargetSpec &target) {
  std::unique_ptr<llvm::MCSubtargetInfo> info = describeCpu(target);
  auto has = [&](StringRef features) { return info && info->checkFeatures(features.str()); };
  if (llvm::Triple(target.triple).isAArch64())
    return {128, 32, has("+i8mm") ? ByteProducts::MixedDots
                     : has("+dotprod") ? ByteProducts::SignedDots
                                       : ByteProducts::Portable};
  if (has("+avx512f,+avx512vl,+avx512bw"))
    return {512, 32, has("+avx512vnni") ? ByteProducts::Quads : ByteProducts::Pairs,
            /*fusedMultiplyAdd=*/true, has("+avx512bf16"), has("+amx-tile,+amx-int8"),
            has("+amx-tile,+amx-bf16")};
  if (has("+avx2"))
    return {256, 16, has("+avxvnni") ? ByteProducts::Quads : ByteProducts::Pairs, has("+fma")};
  return {128, 16, ByteProducts::Pairs, has("+fma")};
}

SmallVector<CpuFeature> requiredFeatures(const TargetSpec &target) {
  SmallVector<CpuFeature> required;
  std::unique_ptr<llvm::MCSubtargetInfo> info = describeCpu(target);
  if (!info)
    return required;
  bool isX86 = llvm::Triple(target.triple).isX86();
  for (const CpuFeature &feature : isX86 ? ArrayRef(x86Features) : ArrayRef(armFeatures))
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

} // namespace onnxc
