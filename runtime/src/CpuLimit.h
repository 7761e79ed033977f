// How much CPU time this process may use, from its affinity mask and cgroups.
#ifndef ONNXC_RUNTIME_SRC_CPULIMIT_H
#define ONNXC_RUNTIME_SRC_CPULIMIT_H

#include <string>

namespace onnxc {

/// CPUs in the calling thread's affinity mask, at least 1.
int affinityCpus();

/// The CPUs' worth of time that the cgroups of a process grant (quota / period,
/// the least over all ancestors), or 0 if unlimited. `procCgroup` is the process's
/// /proc/<pid>/cgroup, `cgroupRoot` where the hierarchies are mounted.
double cgroupCpus(const std::string &procCgroup, const std::string &cgroupRoot);

} // namespace onnxc
#endif
