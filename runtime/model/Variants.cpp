// Which of the variants that the model was compiled for this CPU can run. Nothing here may use
// more than the architecture's baseline.
#include <stdio.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "context.h"

using namespace onnxc_rt;

namespace {

#if defined(__x86_64__)

struct Registers {
  uint32_t values[4];
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  asm volatile("cpuid"
               : "=a"(r.values[0]), "=b"(r.values[1]), "=c"(r.values[2]), "=d"(r.values[3])
               : "a"(leaf), "c"(subleaf));
  return r;
}

// The registers that the operating system saves; 0 where it can't be asked.
uint64_t savedState() {
  constexpr uint32_t osxsave = 1u << 27;
  if (!(cpuid(1, 0).values[2] & osxsave))
    return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

// Linux gives the tiles of AMX only to processes that ask for them, before the first use; it refuses where
// it does not save them. One permission holds for all threads, and asking again changes nothing.
constexpr uint64_t kTileState = 0x60000;
bool mayUseTiles() {
  constexpr long requestPermission = 0x1023, tileData = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

bool savesState(uint64_t state) {
  uint64_t asked = state & ~kTileState;
  return (savedState() & asked) == asked && (!(state & kTileState) || mayUseTiles());
}

bool hasFeature(const onnxc_cpu_feature &feature) {
  // The highest leaf of a range is told by its first.
  if (cpuid(feature.leaf & 0x80000000u, 0).values[0] < feature.leaf)
    return false;
  if (feature.subleaf && cpuid(feature.leaf, 0).values[0] < feature.subleaf)
    return false;
  return cpuid(feature.leaf, feature.subleaf).values[feature.reg] >> feature.bit & 1;
}

#elif defined(__aarch64__)

constexpr uint64_t kTileState = 0;
bool savesState(uint64_t) { return true; }
bool hasFeature(const onnxc_cpu_feature &feature) { return getauxval(feature.leaf) >> feature.bit & 1; }

#else

constexpr uint64_t kTileState = 0;
bool savesState(uint64_t) { return true; }
bool hasFeature(const onnxc_cpu_feature &) { return true; }

#endif

bool fits(const onnxc_variant &variant) {
  for (int64_t i = 0; i < variant.num_features; ++i)
    if (!hasFeature(variant.features[i]))
      return false;
  return savesState(variant.saved_state);
}

const onnxc_variant *findVariant() {
  const onnxc_variant *best = nullptr;
  for (int64_t i = 0; i < onnxc_generated_desc.num_variants; ++i) {
    const onnxc_variant &variant = onnxc_generated_desc.variants[i];
    if (fits(variant) && (!best || variant.num_features >= best->num_features))
      best = &variant;
  }
  return best;
}

} // namespace

const onnxc_variant *onnxc_rt::chosenVariant() {
  // cpuid is slow in virtual machines. Every thread finds the same.
  static const onnxc_variant *chosen;
  static bool known;
  if (!__atomic_load_n(&known, __ATOMIC_ACQUIRE)) {
    __atomic_store_n(&chosen, findVariant(), __ATOMIC_RELAXED);
    __atomic_store_n(&known, true, __ATOMIC_RELEASE);
  }
  return __atomic_load_n(&chosen, __ATOMIC_RELAXED);
}

const char *onnxc_rt::missingFeatures() {
  // Of the variant that asks for least. Every thread writes the same text.
  static __thread char text[512];
  const onnxc_variant *least = nullptr;
  for (int64_t i = 0; i < onnxc_generated_desc.num_variants; ++i) {
    const onnxc_variant &variant = onnxc_generated_desc.variants[i];
    if (!least || variant.num_features < least->num_features)
      least = &variant;
  }
  if (!least)
    return "the model holds no code";
  int used = snprintf(text, sizeof text, "the model was compiled for %s, and this CPU or its operating system lacks",
                      least->cpu);
  bool found = false;
  for (int64_t i = 0; i < least->num_features && used < static_cast<int>(sizeof text) - 32; ++i)
    if (!hasFeature(least->features[i])) {
      used += snprintf(text + used, sizeof text - static_cast<size_t>(used), "%s %.24s", found ? "," : "",
                       least->features[i].name);
      found = true;
    }
  const char *state = found                                          ? ""
                      : savesState(least->saved_state & ~kTileState) ? " the system's permission to use tiles (AMX)"
                                                                     : " saving of the vector registers";
  snprintf(text + used, sizeof text - static_cast<size_t>(used), "%s; compile it with --march for this machine",
           state);
  return text;
}
