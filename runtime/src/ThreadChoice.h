// Whether a session's runs are worth several threads. The cost model knows what each region computes, but not what
// moving its data between the cores' caches costs, which can be more than a short run gains. So both ways
// are tried, now and then, and the faster one is kept. Results are the same either way.
#ifndef ONNXC_RUNTIME_SRC_THREADCHOICE_H
#define ONNXC_RUNTIME_SRC_THREADCHOICE_H

#include <algorithm>
#include <cstdint>
#include <limits>
#include <mutex>

namespace onnxc {

class ThreadChoice {
public:
  /// Whether the run that begins may use the pool.
  bool begin() {
    std::lock_guard<std::mutex> lock(mutex);
    if (number == period)
      number = 0;
    int64_t at = number++;
    if (at >= 2 * kTrials)
      return !alone;
    return at < kTrials;
  }

  /// A run took `ns` and had `work`, estimated in nanoseconds, for the pool, used or not.
  void end(bool shared, int64_t ns, int64_t work) {
    std::lock_guard<std::mutex> lock(mutex);
    if (work == 0 || ns > kLongRunNs) { // nothing to choose
      alone = false;
      number = 2 * kTrials;
      return;
    }
    if (number > 2 * kTrials)
      return;
    // By the work, as runs may differ in their inputs' sizes.
    double &best = shared ? sharedBest : aloneBest;
    best = std::min(best, static_cast<double>(ns) / static_cast<double>(work));
    if (number < 2 * kTrials)
      return;
    bool before = alone;
    alone = aloneBest < sharedBest;
    period = alone == before ? std::min(2 * period, kMostRuns) : kLeastRuns;
    sharedBest = aloneBest = std::numeric_limits<double>::infinity();
  }

private:
  static constexpr int64_t kTrials = 4; // each way
  static constexpr int64_t kLeastRuns = 64, kMostRuns = 4096; // from one trial to the next
  static constexpr int64_t kLongRunNs = 2000000;

  std::mutex mutex;
  int64_t number = 0, period = kLeastRuns;
  double sharedBest = std::numeric_limits<double>::infinity(), aloneBest = sharedBest;
  bool alone = false;
};

} // namespace onnxc

#endif
