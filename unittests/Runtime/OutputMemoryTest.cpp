#include "OutputMemory.h"

#include <gtest/gtest.h>

using namespace onnxc;

namespace {

constexpr size_t kBytes = 1 << 20;

TEST(OutputMemory, TakenAgain) {
  OutputMemory memory;
  std::shared_ptr<void> first = memory.allocate(kBytes);
  memory.noteRun(kBytes);
  void *at = first.get();
  std::shared_ptr<void> second = memory.allocate(kBytes);
  EXPECT_NE(second.get(), at);
  first.reset();
  // An output that has grown a little fits, too.
  first = memory.allocate(kBytes + 4096);
  EXPECT_EQ(first.get(), at);
}

TEST(OutputMemory, KeepsNoMoreThanOneRunUses) {
  OutputMemory memory;
  memory.noteRun(kBytes);
  std::shared_ptr<void> small = memory.allocate(kBytes / 2), large = memory.allocate(kBytes);
  void *at = large.get();
  small.reset();
  large.reset(); // the small one gives way
  EXPECT_EQ(memory.allocate(kBytes).get(), at);
  // Far larger than what is asked for: left to other outputs.
  EXPECT_NE(memory.allocate(kBytes / 4).get(), at);
}

TEST(OutputMemory, OutlivesItsOwner) {
  std::shared_ptr<void> block;
  {
    OutputMemory memory;
    block = memory.allocate(kBytes);
    memory.noteRun(kBytes);
  }
  static_cast<char *>(block.get())[kBytes - 1] = 1;
}

} // namespace
