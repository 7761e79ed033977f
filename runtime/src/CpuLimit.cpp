// A pool larger than the quota is throttled for most of every period, so the
// quota counts as much as the affinity mask (docs/runtime.md).
#include "CpuLimit.h"

#include "onnxc/runtime/thread_pool.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <vector>

using namespace onnxc;

int onnxc::affinityCpus() {
  // The kernel's mask may be wider than cpu_set_t; it says EINVAL until ours fits.
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (!set)
      return 1;
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    int rc = sched_getaffinity(0, bytes, set);
    int count = rc == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (rc == 0)
      return std::max(1, count);
    if (errno != EINVAL)
      return 1;
  }
  return 1;
}

namespace {

/// Reads one folder's limit; returns 0 if there is none.
double quotaOf(const std::string &folder, bool v2) {
  if (v2) {
    std::ifstream file(folder + "/cpu.max");
    std::string quota;
    double period = 0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0)
      return 0;
    return std::strtod(quota.c_str(), nullptr) / period;
  }
  std::ifstream quotaFile(folder + "/cpu.cfs_quota_us"), periodFile(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quotaFile >> quota) || !(periodFile >> period) || quota <= 0 || period <= 0)
    return 0;
  return quota / period;
}

bool hasController(const std::string &controllers, const std::string &name) {
  std::stringstream stream(controllers);
  for (std::string item; std::getline(stream, item, ',');)
    if (item == name)
      return true;
  return false;
}

} // namespace

double onnxc::cgroupCpus(const std::string &procCgroup, const std::string &cgroupRoot) {
  double least = 0;
  auto take = [&](double cpus) {
    if (cpus > 0)
      least = least == 0 ? cpus : std::min(least, cpus);
  };
  std::ifstream file(procCgroup);
  for (std::string line; std::getline(file, line);) {
    // "hierarchy:controllers:path"; version 2 has no controllers.
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    bool v2 = controllers.empty();
    std::vector<std::string> mounts;
    if (v2)
      mounts = {cgroupRoot, cgroupRoot + "/unified"};
    else if (hasController(controllers, "cpu"))
      mounts = {cgroupRoot + "/cpu", cgroupRoot + "/" + controllers};
    for (const std::string &mount : mounts) {
      // In a container the path may be the host's; then only the mount's root exists here.
      for (std::string at = path; !at.empty() && at != "/";
           at = at.substr(0, at.find_last_of('/')))
        if (at.find("..") == std::string::npos)
          take(quotaOf(mount + at, v2));
      take(quotaOf(mount, v2));
    }
  }
  return least;
}

int onnxc::availableThreads() {
  if (const char *env = std::getenv("ONNXC_NUM_THREADS")) {
    int threads = std::atoi(env);
    if (threads > 0)
      return threads;
  }
  int threads = affinityCpus();
  double quota = cgroupCpus("/proc/self/cgroup", "/sys/fs/cgroup");
  if (quota > 0)
    threads = std::min(threads, std::max(1, static_cast<int>(quota)));
  return threads;
}
