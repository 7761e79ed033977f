// A fork-join pool for short regions. Callers publish a job in one of 64 slots and
// work on it themselves; workers that see it help and steal from one another's
// ranges. A caller never waits for a worker that has not entered, so a busy
// machine costs little. Workers spin for a short time after the last work that they
// found, across the ends of runs too, then park on a futex.
#include "onnxc/runtime/thread_pool.h"

#include "onnxc/runtime/abi.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <linux/futex.h>
#include <mutex>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

using namespace onnxc;

namespace {

// Waking a parked worker costs the caller a system call and takes 5-30 us.
constexpr double wakeAboveNs = 25000;
// Where runs follow each other closely, a worker that is woken once stays awake.
constexpr double wakeInSeriesAboveNs = 7000;
constexpr double chunkNs = 4000;
constexpr int chunksPerThread = 4;
// A worker that finds its clock jump this far was descheduled: it is in a rival's way.
constexpr int64_t preemptedNs = 20000;
constexpr int64_t joinSpinNs = 50000;
constexpr int numSlots = 64;
// The job's state word has 10 bits for each count.
constexpr int maxThreadsOfPool = 1023;

// State of a job: open | waiting | most helpers | helpers entered | helpers active.
// The three counts are one word because a helper may enter only by a single CAS
// that sees all of them.
constexpr uint32_t openBit = 1u << 31, waitingBit = 1u << 30, enteredOne = 1u << 10;
constexpr uint32_t countMask = 0x3ff;
constexpr uint32_t maxHelpersShift = 20, enteredShift = 10;

// Set in workers for good and in callers during a region: nested regions run serially.
thread_local bool insideRegion = false;

int64_t nowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t(1000000000) + t.tv_nsec;
}

void cpuRelax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void futexWake(std::atomic<uint32_t> &word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

double estimate(int64_t n, double costNs) { return static_cast<double>(n) * (costNs > 0 ? costNs : chunkNs); }

int64_t spinNs() {
  const char *env = std::getenv("ONNXC_SPIN_US");
  return env ? std::clamp(std::atoi(env), 0, 200) * int64_t(1000) : 50000;
}

struct alignas(64) Range {
  std::atomic<int> next{0};
  int end = 0;
};

struct alignas(64) Job {
  std::atomic<uint32_t> state{0};
  ThreadPool::Body body = nullptr;
  void *arg = nullptr;
  int64_t n = 0;
  int chunks = 0;
  int participants = 0;
  std::unique_ptr<Range[]> ranges;

  void runChunk(int chunk) {
    // Larger and smaller chunks alternate: each thread's chunks are the same share of the work.
    body(arg, n / chunks * chunk + n % chunks * chunk / chunks,
         n / chunks * (chunk + 1) + n % chunks * (chunk + 1) / chunks);
  }
  /// Works off range `home`, then steals from the others.
  void drain(int home) {
    for (int k = 0; k < participants; ++k) {
      Range &range = ranges[(home + k) % participants];
      while (range.next.load(std::memory_order_relaxed) < range.end) {
        int chunk = range.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= range.end)
          break;
        runChunk(chunk);
      }
    }
  }
};

struct Worker {
  pthread_t thread;
  std::atomic<pid_t> tid{0};
  std::atomic<int> parkedOn{-1}; // CPU, or -1 while awake
};

} // namespace

struct ThreadPool::Impl {
  const int size;
  const int64_t spin;
  alignas(64) std::atomic<uint64_t> openJobs{0};  // slots that want helpers
  alignas(64) std::atomic<uint64_t> usedSlots{0};
  alignas(64) std::atomic<uint32_t> epoch{0};     // the futex that workers park on
  alignas(64) std::atomic<int> sleepers{0};
  alignas(64) std::atomic<int> activeRuns{0};
  std::atomic<int64_t> lastRunEnd{0};
  std::atomic<bool> inSeries{false}; // the last run began soon after the one before it
  std::atomic<int64_t> missedNs{0};  // work of regions that no worker was awake for
  std::atomic<int> callerCpu{-1};
  std::atomic<bool> stop{false};
  std::atomic<int> started{0};
  std::mutex startMutex;
  cpu_set_t allowed;
  Job jobs[numSlots];
  std::unique_ptr<Worker[]> workers;

  explicit Impl(int threads)
      : size(std::clamp(threads, 1, maxThreadsOfPool)), spin(spinNs()),
        workers(std::make_unique<Worker[]>(size)) {
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
  }

  ~Impl() {
    stop = true;
    epoch.fetch_add(1);
    futexWake(epoch, INT_MAX);
    for (int i = 0; i < started; ++i)
      pthread_join(workers[i].thread, nullptr);
  }

  /// In a child of fork() only the forking thread is left.
  void resetAfterFork() {
    new (&startMutex) std::mutex;
    started = 0;
    sleepers = 0;
    activeRuns = 0;
    openJobs = 0;
    usedSlots = 0;
    for (Job &job : jobs)
      job.state = 0;
    for (int i = 0; i < size; ++i)
      workers[i].parkedOn = -1;
  }

  void startWorkers(int wanted) {
    wanted = std::min(wanted, size - 1);
    if (started.load(std::memory_order_acquire) >= wanted)
      return;
    std::lock_guard<std::mutex> lock(startMutex);
    for (int id = started; id < wanted; ++id) {
      struct Start {
        Impl *pool;
        int id;
      };
      auto *start = new Start{this, id};
      auto entry = [](void *p) -> void * {
        std::unique_ptr<Start> start(static_cast<Start *>(p));
        start->pool->workerMain(start->pool->workers[start->id]);
        return nullptr;
      };
      // Fewer workers than wanted is slower, not wrong: regions need no helper.
      if (pthread_create(&workers[id].thread, nullptr, entry, start) != 0) {
        delete start;
        return;
      }
      started.store(id + 1, std::memory_order_release);
    }
  }

  bool help(int slot) {
    Job &job = jobs[slot];
    uint32_t state = job.state.load(std::memory_order_acquire);
    while (state & openBit) {
      uint32_t entered = state >> enteredShift & countMask;
      uint32_t most = state >> maxHelpersShift & countMask;
      if (entered >= most)
        return false;
      if (!job.state.compare_exchange_weak(state, state + enteredOne + 1,
                                           std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      if (entered + 1 >= most)
        openJobs.fetch_and(~(uint64_t(1) << slot), std::memory_order_relaxed);
      job.drain(entered + 1);
      uint32_t before = job.state.fetch_sub(1, std::memory_order_acq_rel);
      if ((before & countMask) == 1 && (before & waitingBit))
        futexWake(job.state, 1);
      return true;
    }
    return false;
  }

  bool maySpin() const { return activeRuns.load(std::memory_order_relaxed) < size; }

  /// Looks for work for a short time; true if it did some.
  bool spinForWork() {
    // On the caller's CPU spinning only takes time from the caller.
    bool onCallersCpu = callerCpu.load(std::memory_order_relaxed) == sched_getcpu();
    int64_t begin = nowNs(), last = begin;
    for (;;) {
      for (uint64_t open = openJobs.load(std::memory_order_acquire); open; open &= open - 1)
        if (help(__builtin_ctzll(open)))
          return true;
      if (stop.load(std::memory_order_relaxed) || onCallersCpu || !maySpin())
        return false;
      cpuRelax();
      int64_t now = nowNs();
      if (now - begin > spin || now - last > preemptedNs)
        return false;
      last = now;
    }
  }

  void workerMain(Worker &self) {
    insideRegion = true;
    pthread_setname_np(pthread_self(), "onnxc");
    self.tid = static_cast<pid_t>(syscall(SYS_gettid));
    while (!stop) {
      if (spinForWork())
        continue;
      uint32_t seen = epoch.load();
      self.parkedOn = sched_getcpu();
      sleepers.fetch_add(1);
      // Pairs with publish(), which sets its bit before it reads sleepers.
      if (openJobs.load() == 0 && !stop)
        futexWait(epoch, seen);
      sleepers.fetch_sub(1);
      self.parkedOn = -1;
    }
  }

  /// A worker woken on the CPU it parked on, if that is the caller's, often stays
  /// there waiting for the caller. Moving it first halves a periodic run's time.
  void moveParkedFrom(int cpu) {
    if (cpu < 0 || cpu >= CPU_SETSIZE)
      return;
    for (int i = 0, n = started.load(std::memory_order_acquire); i < n; ++i) {
      if (workers[i].parkedOn.load(std::memory_order_relaxed) != cpu)
        continue;
      cpu_set_t others = allowed;
      CPU_CLR(cpu, &others);
      if (CPU_COUNT(&others))
        sched_setaffinity(workers[i].tid, sizeof others, &others);
    }
  }

  void wake(int count) {
    if (sleepers.load() == 0)
      return;
    moveParkedFrom(sched_getcpu());
    epoch.fetch_add(1);
    futexWake(epoch, count);
  }

  /// A free slot, or -1.
  int takeSlot() {
    uint64_t used = usedSlots.load(std::memory_order_relaxed);
    while (~used) {
      int slot = __builtin_ctzll(~used);
      if (usedSlots.compare_exchange_weak(used, used | uint64_t(1) << slot,
                                          std::memory_order_acquire, std::memory_order_relaxed))
        return slot;
    }
    return -1;
  }

  void publish(int slot, int helpers, bool wakeParked) {
    callerCpu.store(sched_getcpu(), std::memory_order_relaxed);
    jobs[slot].state.store(openBit | uint32_t(helpers) << maxHelpersShift,
                           std::memory_order_release);
    openJobs.fetch_or(uint64_t(1) << slot);
    if (wakeParked)
      wake(helpers);
  }

  void join(Job &job) {
    uint32_t state = job.state.fetch_and(~openBit, std::memory_order_acq_rel) & ~openBit;
    int64_t begin = 0;
    while (state & countMask) {
      cpuRelax();
      int64_t now = nowNs();
      begin = begin ? begin : now;
      if (now - begin > joinSpinNs) {
        state = job.state.fetch_or(waitingBit, std::memory_order_acq_rel) | waitingBit;
        while (state & countMask) {
          futexWait(job.state, state);
          state = job.state.load(std::memory_order_acquire);
        }
        return;
      }
      state = job.state.load(std::memory_order_acquire);
    }
  }

  double run(int64_t n, double costNs, Body body, void *arg, int maxThreads) {
    if (n <= 0)
      return 0;
    double total = estimate(n, costNs);
    int runs = std::max(1, activeRuns.load(std::memory_order_relaxed));
    int64_t chunks = std::min({static_cast<double>(n), std::max(2.0, total / chunkNs), 1e9});
    int helpers = static_cast<int>(
        std::min<int64_t>({int64_t(maxThreads) - 1, chunks - 1, int64_t(size) - runs}));
    int slot;
    if (insideRegion || total < ONNXC_SERIAL_BELOW_NS || helpers <= 0 || (slot = takeSlot()) < 0) {
      body(arg, 0, n);
      return 0;
    }

    bool wakeParked =
        total >= (inSeries.load(std::memory_order_relaxed) ? wakeInSeriesAboveNs : wakeAboveNs);
    // A run of many small regions is worth a wake too, though none of them is by itself.
    if (!wakeParked && (sleepers.load(std::memory_order_relaxed) > 0 ||
                        started.load(std::memory_order_relaxed) < helpers)) {
      auto work = static_cast<int64_t>(total);
      wakeParked = missedNs.fetch_add(work, std::memory_order_relaxed) + work >= wakeAboveNs;
    }
    if (wakeParked) {
      missedNs.store(0, std::memory_order_relaxed);
      startWorkers(helpers * runs);
    }
    Job &job = jobs[slot];
    if (!job.ranges)
      job.ranges.reset(new Range[size]);
    job.body = body;
    job.arg = arg;
    job.n = n;
    job.participants = helpers + 1;
    job.chunks = static_cast<int>(std::min<int64_t>(chunks, chunksPerThread * (helpers + 1)));
    for (int k = 0; k <= helpers; ++k) {
      job.ranges[k].next.store(job.chunks * k / (helpers + 1), std::memory_order_relaxed);
      job.ranges[k].end = job.chunks * (k + 1) / (helpers + 1);
    }
    publish(slot, helpers, wakeParked);
    insideRegion = true;
    job.drain(0);
    insideRegion = false;
    openJobs.fetch_and(~(uint64_t(1) << slot), std::memory_order_relaxed);
    join(job);
    usedSlots.fetch_and(~(uint64_t(1) << slot), std::memory_order_release);
    return total;
  }

  // The list of living pools, for fork(). Never destroyed: pools may outlive
  // static destruction.
  struct Registry {
    std::mutex mutex;
    std::vector<Impl *> pools;
  };
  static Registry &registry() {
    static Registry *registry = [] {
      pthread_atfork([] { Impl::registry().mutex.lock(); },
                     [] { Impl::registry().mutex.unlock(); },
                     [] {
                       for (Impl *pool : Impl::registry().pools)
                         pool->resetAfterFork();
                       Impl::registry().mutex.unlock();
                     });
      return new Registry;
    }();
    return *registry;
  }
};

ThreadPool::ThreadPool(int threads) : impl(std::make_unique<Impl>(threads)) {
  Impl::Registry &registry = Impl::registry();
  std::lock_guard<std::mutex> lock(registry.mutex);
  registry.pools.push_back(impl.get());
}

ThreadPool::~ThreadPool() {
  Impl::Registry &registry = Impl::registry();
  std::lock_guard<std::mutex> lock(registry.mutex);
  std::erase(registry.pools, impl.get());
}

ThreadPool &ThreadPool::process() {
  static ThreadPool *pool = new ThreadPool(availableThreads());
  return *pool;
}

int ThreadPool::size() const { return impl->size; }

double ThreadPool::parallelFor(int64_t n, double costNs, Body body, void *arg, int maxThreads) {
  return impl->run(n, costNs, body, arg, maxThreads);
}

double ThreadPool::workToShare(int64_t n, double costNs) {
  double total = estimate(n, costNs);
  return n > 1 && total >= ONNXC_SERIAL_BELOW_NS ? total : 0;
}

int64_t ThreadPool::clockNs() { return nowNs(); }

ThreadPool::Run::Run(ThreadPool &pool, int maxThreads, bool wakeEarly) : pool(pool) {
  int runs = pool.impl->activeRuns.fetch_add(1) + 1;
  int64_t pause = nowNs() - pool.impl->lastRunEnd.load(std::memory_order_relaxed);
  pool.impl->inSeries.store(pause < pool.impl->spin, std::memory_order_relaxed);
  if (pause >= pool.impl->spin)
    pool.impl->missedNs.store(0, std::memory_order_relaxed);
  int helpers = std::min(maxThreads - 1, pool.impl->size - runs);
  if (wakeEarly && helpers > 0)
    pool.impl->wake(helpers);
}

ThreadPool::Run::~Run() {
  pool.impl->lastRunEnd.store(nowNs(), std::memory_order_relaxed);
  pool.impl->activeRuns.fetch_sub(1);
}
