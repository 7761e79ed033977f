// Hot loops of kernels in several versions. Kernels are compiled for the least CPU; a loop that wide
// vectors make much faster is written once, always inlined, and compiled for wider ones too:
//
//   ONNXC_VERSIONS(void, sumRows, (const double *x, int64_t n, double *to), (x, n, to))
//
// makes sumRows() of an inline function sumRowsBody(), choosing by the CPU at run time. Results may
// differ in the last bits between CPUs (fused multiply-add), not between threads.
#ifndef ONNXC_KERNELS_CPU_H
#define ONNXC_KERNELS_CPU_H

#include "common.h"

namespace onnxc_k {

// 4: AVX-512 (x86-64-v4), 3: AVX2 and FMA (x86-64-v3), 0: the least (Cpu.cpp).
int cpuLevel();

} // namespace onnxc_k

#if defined(__x86_64__)
#define ONNXC_VERSIONS(result, name, parameters, arguments)                                                  \
  __attribute__((target("arch=x86-64-v4"))) static result name##V4 parameters { return name##Body arguments; } \
  __attribute__((target("arch=x86-64-v3"))) static result name##V3 parameters { return name##Body arguments; } \
  static result name parameters {                                                                            \
    int level = onnxc_k::cpuLevel();                                                                         \
    return level >= 4 ? name##V4 arguments : level >= 3 ? name##V3 arguments : name##Body arguments;         \
  }
#else
#define ONNXC_VERSIONS(result, name, parameters, arguments)                                                  \
  static result name parameters { return name##Body arguments; }
#endif

#endif
