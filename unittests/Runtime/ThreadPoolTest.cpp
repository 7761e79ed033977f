#include "onnxc/runtime/thread_pool.h"

#include <atomic>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace onnxc;

namespace {

constexpr double bigCost = 1e5; // ns; each iteration is worth a chunk of its own

/// Every index of [0, n) is visited exactly once.
void expectCovers(ThreadPool &pool, int64_t n, double cost, int maxThreads = 64) {
  std::vector<std::atomic<int>> seen(n);
  pool.parallelFor(
      n, cost,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          seen[i].fetch_add(1, std::memory_order_relaxed);
      },
      maxThreads);
  for (int64_t i = 0; i < n; ++i)
    ASSERT_EQ(seen[i], 1) << "index " << i << " of " << n;
}

TEST(ThreadPool, CoversTheRangeOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (double cost : {0.0, 0.1, 100.0, bigCost})
      for (int64_t n : {0, 1, 2, 3, 7, 64, 1000, 4097})
        expectCovers(pool, n, cost);
  }
}

TEST(ThreadPool, ManyRegions) {
  ThreadPool pool(3);
  ThreadPool::Run run(pool, 3, true);
  for (int i = 0; i < 5000; ++i)
    expectCovers(pool, 16, 2000);
}

TEST(ThreadPool, SmallWorkStaysOnTheCaller) {
  ThreadPool pool(4);
  std::thread::id caller = std::this_thread::get_id();
  int calls = 0;
  pool.parallelFor(1000, 1, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(end - begin, 1000);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

TEST(ThreadPool, WorkersTakePart) {
  ThreadPool pool(2);
  // Both ranges are entered before either ends, or the test waits for ever.
  std::atomic<int> inside{0};
  pool.parallelFor(2, 1e7, [&](int64_t, int64_t) {
    inside.fetch_add(1);
    while (inside.load() < 2)
      std::this_thread::yield();
  });
  EXPECT_EQ(inside, 2);
}

TEST(ThreadPool, RespectsTheCap) {
  ThreadPool pool(8);
  std::atomic<int> inside{0}, most{0};
  pool.parallelFor(
      64, bigCost,
      [&](int64_t, int64_t) {
        int now = inside.fetch_add(1) + 1;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        usleep(200);
        inside.fetch_sub(1);
      },
      2);
  EXPECT_LE(most, 2);
}

TEST(ThreadPool, NestedRegionsAreSerial) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  pool.parallelFor(8, bigCost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::thread::id outer = std::this_thread::get_id();
      pool.parallelFor(100, bigCost, [&](int64_t b, int64_t e) {
        EXPECT_EQ(std::this_thread::get_id(), outer);
        sum += e - b;
      });
    }
  });
  EXPECT_EQ(sum, 800);
}

TEST(ThreadPool, ManyHostThreads) {
  ThreadPool pool(3);
  std::vector<std::thread> hosts;
  // More than the pool's 64 job slots.
  for (int h = 0; h < 80; ++h)
    hosts.emplace_back([&, h] {
      for (int i = 0; i < 20; ++i) {
        ThreadPool::Run run(pool, 3, h % 2);
        expectCovers(pool, 50 + h, 3000);
      }
    });
  for (std::thread &host : hosts)
    host.join();
}

TEST(ThreadPool, ParksAndWakesAgain) {
  ThreadPool pool(2);
  for (int i = 0; i < 20; ++i) {
    expectCovers(pool, 8, bigCost);
    usleep(1000);
  }
}

TEST(ThreadPool, WorksInAForkedChild) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "TSan does not allow threads in a forked child";
#endif
#endif
  ThreadPool pool(3);
  expectCovers(pool, 100, bigCost);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int64_t> sum{0};
    for (int i = 0; i < 100; ++i)
      pool.parallelFor(100, bigCost, [&](int64_t begin, int64_t end) { sum += end - begin; });
    _exit(sum == 10000 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  expectCovers(pool, 100, bigCost);
}

TEST(ThreadPool, ProcessPoolHasTheAvailableSize) {
  EXPECT_GE(availableThreads(), 1);
  setenv("ONNXC_NUM_THREADS", "5", 1);
  EXPECT_EQ(availableThreads(), 5);
  unsetenv("ONNXC_NUM_THREADS");
}

} // namespace
