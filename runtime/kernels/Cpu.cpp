// See cpu.h.
#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

namespace {

int detect() {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  constexpr unsigned kOsxsave = 1u << 27, kFma = 1u << 12, kAvx = 1u << 28, kMovbe = 1u << 22, kF16c = 1u << 29;
  if ((c & (kOsxsave | kFma | kAvx | kMovbe | kF16c)) != (kOsxsave | kFma | kAvx | kMovbe | kF16c))
    return 0;
  unsigned low, high; // the registers that the system saves
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return 0;
  constexpr unsigned kBmi1 = 1u << 3, kAvx2 = 1u << 5, kBmi2 = 1u << 8;
  if ((b & (kBmi1 | kAvx2 | kBmi2)) != (kBmi1 | kAvx2 | kBmi2))
    return 0;
  unsigned extended = 0;
  if (!__get_cpuid(0x80000001, &a, &d, &extended, &d) || !(extended & 1u << 5)) // LZCNT
    return 0;
  constexpr unsigned kF = 1u << 16, kDq = 1u << 17, kCd = 1u << 28, kBw = 1u << 30, kVl = 1u << 31;
  bool wide = (b & (kF | kDq | kCd | kBw | kVl)) == (kF | kDq | kCd | kBw | kVl) && (low & 0xe6) == 0xe6;
  return wide ? 4 : 3;
}

} // namespace

int onnxc_k::cpuLevel() {
  static int level = -1; // every thread finds the same
  int known = __atomic_load_n(&level, __ATOMIC_RELAXED);
  if (known < 0)
    __atomic_store_n(&level, known = detect(), __ATOMIC_RELAXED);
  return known;
}
#else
int onnxc_k::cpuLevel() { return 0; }
#endif
