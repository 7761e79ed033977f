// Fork-join of the runtime's pool beside libomp's: the time of an empty region after serial gaps, and the
// speed-up of regions of a given length, both on two threads.
// benchmarks/forkjoin.py builds it, runs it and writes its table into docs/performance.md.
#include "onnxc/runtime/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <omp.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double nowUs() {
  return std::chrono::duration<double, std::micro>(Clock::now().time_since_epoch()).count();
}

/// Work of a given length: a chain of dependent multiply-adds.
volatile double start = 1, sink;
void work(int64_t steps) {
  double x = start;
  for (int64_t i = 0; i < steps; ++i)
    x = x * 0.999999 + 1e-6;
  sink = x;
}

double stepsPerUs() {
  double begin = nowUs();
  work(2000000);
  return 2000000 / (nowUs() - begin);
}

constexpr int64_t chunks = 8;

struct Region {
  int64_t steps; // of one chunk
};

void ours(const Region &region, double us) {
  onnxc::ThreadPool::process().parallelFor(
      chunks, us * 1000 / chunks,
      [](void *arg, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          work(static_cast<Region *>(arg)->steps);
      },
      const_cast<Region *>(&region), 2);
}

void openmp(const Region &region, double) {
#pragma omp parallel for num_threads(2) schedule(static)
  for (int64_t i = 0; i < chunks; ++i)
    work(region.steps);
}

template <typename Run> double medianUs(Run run, const Region &region, double us, double gapUs) {
  std::vector<double> times;
  for (int i = 0; i < 300; ++i) {
    double end = nowUs() + gapUs;
    while (nowUs() < end)
      ;
    double begin = nowUs();
    run(region, us);
    times.push_back(nowUs() - begin);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

} // namespace

int main() {
  // As in a session's run: workers may spin.
  onnxc::ThreadPool::Run run(onnxc::ThreadPool::process(), 2, true);
  double perUs = stepsPerUs();
  std::printf("| region, us | gap, us | serial | pool | libomp | pool's speed-up | libomp's |\n|---|---|---|---|---|---|---|\n");
  for (double gap : {0.0, 20.0, 100.0, 1000.0})
    for (double us : {5.0, 10.0, 20.0, 50.0, 100.0, 500.0}) {
      Region region{static_cast<int64_t>(us * perUs / chunks)};
      double serial = medianUs([](const Region &r, double) { for (int64_t i = 0; i < chunks; ++i) work(r.steps); },
                               region, us, gap);
      double pool = medianUs(ours, region, us, gap), omp = medianUs(openmp, region, us, gap);
      std::printf("| %.0f | %.0f | %.1f | %.1f | %.1f | %.2f | %.2f |\n", us, gap, serial, pool, omp, serial / pool,
                  serial / omp);
    }
}
