// What a user says of tuning. See Tuner.h.
#ifndef ONNXC_TUNE_TUNEOPTIONS_H
#define ONNXC_TUNE_TUNEOPTIONS_H

#include <functional>
#include <optional>
#include <string>

namespace onnxc {

/// Nanoseconds of a run of the model in a file, on `threads` threads (0: all that there are); none:
/// it does not run here. The compiler has no runtime of its own: the tool gives it.
using KernelTimer = std::function<std::optional<double>(const std::string &path, int threads)>;

struct TuneOptions {
  double seconds = 0;    ///< for measuring; 0: only what the cache holds is used
  std::string cacheFile; ///< empty: none
  int threads = 0;       ///< measured beside one thread; 0: all
  KernelTimer time;
};

} // namespace onnxc

#endif
