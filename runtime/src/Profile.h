// What runs took, region by region, as a Chrome trace.
#ifndef ONNXC_RUNTIME_SRC_PROFILE_H
#define ONNXC_RUNTIME_SRC_PROFILE_H

#include "onnxc/runtime/abi.h"

#include <mutex>
#include <string>
#include <vector>

namespace onnxc {

/// Thread-safe: each run records for itself and is added when it ends.
class Profile {
public:
  Profile();

  class Run {
  public:
    Run(Profile &profile, onnxc_run_options &options);
    ~Run(); ///< adds what was recorded

  private:
    static void beginRegion(void *run, int32_t region) noexcept;

    struct Mark {
      int32_t region;
      int64_t ns;
    };
    Profile &profile;
    int64_t begin;
    std::vector<Mark> marks;
  };

  /// Nanoseconds on the system's monotonic clock at which the profile began.
  int64_t startNs() const { return start; }
  /// The JSON of all runs that have ended since the last call (the format of chrome://tracing, an array
  /// of complete events; times in microseconds since the start).
  std::string take(const onnxc_model &model);

private:
  struct Event {
    int32_t region; // -1: a whole run
    int32_t thread;
    int64_t begin, end;
  };
  const int64_t start;
  std::mutex mutex;
  std::vector<Event> events; // guarded by mutex
};

} // namespace onnxc
#endif
