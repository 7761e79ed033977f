// Large pieces of memory. A first run touches megabytes of it: with pages of 4 KB that is thousands of page
// faults, which take longer than many a model's computation.
#include <sys/mman.h>

#include "context.h"

using namespace onnxc_rt;

namespace {
constexpr int64_t kHugePage = int64_t(2) << 20;
constexpr int64_t kPage = 4096;
} // namespace

void *onnxc_rt::mapMemory(int64_t *bytes, void **base) {
  int64_t wanted = (*bytes + kPage - 1) / kPage * kPage;
  // From half a huge page on; aligned to one, or the kernel would not use it.
  bool huge = wanted >= kHugePage / 2;
  int64_t mapped = huge ? (wanted + kHugePage - 1) / kHugePage * kHugePage + kHugePage : wanted;
  void *memory = mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  *base = memory;
  *bytes = mapped;
  if (!huge)
    return memory;
  auto address = reinterpret_cast<uintptr_t>(memory);
  uintptr_t aligned = (address + kHugePage - 1) / kHugePage * kHugePage;
  void *result = static_cast<char *>(memory) + (aligned - address);
  madvise(result, static_cast<size_t>(mapped - kHugePage), MADV_HUGEPAGE);
  return result;
}

void onnxc_rt::unmapMemory(void *base, int64_t bytes) {
  if (base)
    munmap(base, static_cast<size_t>(bytes));
}
