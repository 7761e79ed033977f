#include "CpuLimit.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace onnxc;
namespace fs = std::filesystem;

namespace {

struct CpuLimit : testing::Test {
  fs::path root = fs::path(testing::TempDir()) / ("onnxc-cgroup-" + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(root); }
  void TearDown() override { fs::remove_all(root); }
  void write(const std::string &file, const std::string &text) {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  }
  double cpus() { return cgroupCpus(root / "cgroup", root / "fs"); }
};

TEST_F(CpuLimit, NoCgroups) { EXPECT_EQ(cpus(), 0); }

TEST_F(CpuLimit, Version2TakesTheLeastOfAllAncestors) {
  write("cgroup", "0::/a/b\n");
  write("fs/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 0);
  write("fs/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpus(), 1.5);
  write("fs/a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(cpus(), 1.5);
  write("fs/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 0.5);
}

TEST_F(CpuLimit, Version1) {
  write("cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/x\n");
  write("fs/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "-1\n");
  write("fs/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 0);
  write("fs/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(cpus(), 3);
}

TEST_F(CpuLimit, InAContainerTheLimitIsAtTheMount) {
  write("cgroup", "0::/../../host/path\n");
  write("fs/cpu.max", "200000 100000\n");
  EXPECT_EQ(cpus(), 2);
}

TEST(Affinity, AtLeastOne) { EXPECT_GE(affinityCpus(), 1); }

} // namespace
