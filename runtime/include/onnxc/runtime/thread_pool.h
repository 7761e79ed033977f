/* The thread pool that all models of a process share. A parallel region costs
 * about a microsecond when workers are awake, so regions of a few tens of
 * microseconds gain; smaller ones run on the caller alone. Safe from any number
 * of threads; made again in a child after fork().
 */
#ifndef ONNXC_RUNTIME_THREAD_POOL_H
#define ONNXC_RUNTIME_THREAD_POOL_H

#include "onnxc/runtime/export.h"

#include <climits>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace onnxc {

/// The number of threads that this process can run at once: the CPUs of its
/// affinity mask, less where a cgroup quota gives less time. The environment
/// variable ONNXC_NUM_THREADS overrides it. At least 1.
ONNXC_API int availableThreads();

class ONNXC_API ThreadPool {
public:
  using Body = void (*)(void *arg, int64_t begin, int64_t end);

  /// The process-wide pool of availableThreads() threads; never destroyed.
  static ThreadPool &process();

  /// A pool that runs regions on up to `threads` threads, the caller's included.
  /// Workers start when a region first needs them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int size() const;

  /// Calls body(arg, begin, end) for ranges that cover [0, n) once each and
  /// returns when all are done. `costNs` is the estimated time of one iteration in
  /// nanoseconds (<= 0: unknown, taken as worth a chunk); it decides how many
  /// ranges there are and whether sleeping workers are woken. At most
  /// `maxThreads` threads take part. Called from inside a body it runs serially.
  /// The body must not throw. Returns the estimated time, in nanoseconds, of what was
  /// offered to workers: 0 if the caller did all.
  double parallelFor(int64_t n, double costNs, Body body, void *arg, int maxThreads = INT_MAX);

  /// The estimated time of a region, in nanoseconds, or 0 where parallelFor would do it on the
  /// caller's thread even if workers are free.
  static double workToShare(int64_t n, double costNs);

  /// The monotonic clock.
  static int64_t clockNs();

  template <typename F>
  double parallelFor(int64_t n, double costNs, F &&body, int maxThreads = INT_MAX) {
    using Fn = std::remove_reference_t<F>;
    return parallelFor(
        n, costNs,
        [](void *arg, int64_t begin, int64_t end) { (*static_cast<Fn *>(arg))(begin, end); },
        const_cast<void *>(static_cast<const void *>(&body)), maxThreads);
  }

  /// Surrounds one run of a model. Workers share themselves out among concurrent runs, and
  /// where runs follow each other closely they stay awake between them. With
  /// `wakeEarly` they are woken now, ahead of the first region.
  class ONNXC_API Run {
  public:
    Run(ThreadPool &pool, int maxThreads, bool wakeEarly);
    ~Run();
    Run(const Run &) = delete;
    Run &operator=(const Run &) = delete;

  private:
    ThreadPool &pool;
  };

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace onnxc
#endif
