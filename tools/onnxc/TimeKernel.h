// Times a small compiled model, for --tune.
#ifndef ONNXC_TOOLS_ONNXC_TIMEKERNEL_H
#define ONNXC_TOOLS_ONNXC_TIMEKERNEL_H

#include <optional>
#include <string>

namespace onnxc {

/// Nanoseconds of the fastest of several runs, each with its data out of the second-level cache, as in a
/// network. `threads`: 0: all. None: the model cannot be run here.
std::optional<double> timeKernel(const std::string &path, int threads);

} // namespace onnxc
#endif
