// See TimeKernel.h.
#include "TimeKernel.h"

#include "onnxc/runtime/c_api.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

namespace onnxc {
namespace {

using Clock = std::chrono::steady_clock;

/// What pushes a kernel's data out of the second-level cache between runs.
constexpr size_t kSweepBytes = 8 << 20;
/// Runs, and what they may take together once there are a few.
constexpr int kMostRuns = 40, kLeastRuns = 5;
constexpr std::chrono::milliseconds kLongest(60);

size_t elementBytes(int32_t type) {
  switch (type) {
  case ONNXC_DOUBLE:
  case ONNXC_INT64:
    return 8;
  case ONNXC_FLOAT:
  case ONNXC_INT32:
    return 4;
  case ONNXC_FLOAT16:
  case ONNXC_BFLOAT16:
  case ONNXC_INT16:
    return 2;
  default:
    return 1;
  }
}

void fill(void *data, int32_t type, int64_t count) {
  // Numbers that arithmetic takes no longer for than for others: no zeros, no denormals, no
  // infinities.
  if (type == ONNXC_FLOAT)
    std::fill_n(static_cast<float *>(data), count, 0.01f);
  else if (type == ONNXC_DOUBLE)
    std::fill_n(static_cast<double *>(data), count, 0.01);
  else if (type == ONNXC_FLOAT16)
    std::fill_n(static_cast<uint16_t *>(data), count, 0x2400);
  else if (type == ONNXC_BFLOAT16)
    std::fill_n(static_cast<uint16_t *>(data), count, 0x3c00);
  else
    std::memset(data, 1, count * elementBytes(type));
}

struct Close {
  void operator()(onnxc_session *session) const { onnxc_session_close(session); }
};

/// A tensor of the caller's for an input or output; all sizes are known.
onnxc_value makeTensor(const onnxc_value_info &info, std::vector<std::unique_ptr<char[]>> &memory) {
  int64_t count = 1;
  for (int32_t i = 0; i < info.rank; ++i)
    count *= info.dims[i];
  constexpr size_t kAlignment = 64;
  memory.push_back(std::make_unique<char[]>(count * elementBytes(info.elem_type) + kAlignment));
  void *data = memory.back().get();
  size_t space = count * elementBytes(info.elem_type) + kAlignment;
  data = std::align(kAlignment, space - kAlignment, data, space);
  fill(data, info.elem_type, count);
  return onnxc_tensor_value(static_cast<onnxc_elem_type>(info.elem_type), info.rank, info.dims,
                            data);
}

} // namespace

std::optional<double> timeKernel(const std::string &path, int threads) {
  onnxc_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = threads;
  onnxc_session *opened = nullptr;
  if (onnxc_session_open(path.c_str(), &options, &opened) != ONNXC_OK)
    return std::nullopt;
  std::unique_ptr<onnxc_session, Close> session(opened);
  std::vector<std::unique_ptr<char[]>> memory;
  std::vector<const char *> names;
  std::vector<onnxc_value> inputs, outputs;
  for (size_t i = 0, e = onnxc_session_num_inputs(opened); i < e; ++i) {
    const onnxc_value_info *info = onnxc_session_input(opened, i);
    names.push_back(info->name);
    inputs.push_back(makeTensor(*info, memory));
  }
  for (size_t i = 0, e = onnxc_session_num_outputs(opened); i < e; ++i)
    outputs.push_back(makeTensor(*onnxc_session_output(opened, i), memory));

  std::vector<char> sweep(kSweepBytes);
  std::optional<double> best;
  auto begin = Clock::now();
  for (int run = 0; run < kMostRuns; ++run) {
    for (size_t at = 0; at < kSweepBytes; at += 64)
      const_cast<volatile char &>(sweep[at]) = static_cast<char>(run);
    onnxc_result *result = nullptr;
    std::vector<onnxc_value> written = outputs; // what the result owns goes with it
    auto start = Clock::now();
    onnxc_status status =
        onnxc_session_run(opened, inputs.size(), names.data(), inputs.data(), written.size(),
                          nullptr, written.data(), nullptr, &result);
    double took = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    onnxc_result_free(result);
    if (status != ONNXC_OK)
      return std::nullopt;
    // The first run sets things up.
    if (run > 0)
      best = std::min(best.value_or(took), took);
    if (run >= kLeastRuns && Clock::now() - begin > kLongest)
      break;
  }
  return best;
}

} // namespace onnxc
