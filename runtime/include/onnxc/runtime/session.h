/* Loads a compiled model and runs it:
 *
 *   onnxc::Session session("resnet50.so");
 *   std::vector<float> image(1 * 3 * 224 * 224);
 *   auto outputs = session.run({{"input", onnxc::Value::tensor<float>({1, 3, 224, 224}, image.data())}});
 *   const float *scores = outputs[0].data<float>();
 *
 * Functions throw onnxc::Error (or std::bad_alloc). A Session may be used by many threads at
 * once; each concurrent run takes its own instance of the model's working memory,
 * which is kept for the next run.
 */
#ifndef ONNXC_RUNTIME_SESSION_H
#define ONNXC_RUNTIME_SESSION_H

#include "onnxc/runtime/value.h"

#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace onnxc {

/// A dimension of an input or output: a size, or a name that stands for the same
/// size wherever it occurs, or neither.
struct Dimension {
  int64_t size = -1; // -1: not fixed
  std::string symbol;
};

struct ValueInfo {
  std::string name;
  std::string type; // "tensor(float)", "seq(map(int64,tensor(float)))", ...
  ElementType elementType = ElementType::Undefined; // of a tensor
  bool hasRank = true;                              // false: any shape
  std::vector<Dimension> shape;
  bool isTensor() const { return type.starts_with("tensor("); }
  bool isOptional() const { return type.starts_with("optional("); }
};

struct ModelMetadata {
  std::string producer, graphName, domain, description;
  int64_t modelVersion = 0;
  int64_t irVersion = 0;
  std::map<std::string, int64_t> opsets;
  std::map<std::string, std::string> custom; // the model's metadata_props
  std::string compiler, targetTriple;
  std::vector<std::string> targetCpus;
  int64_t weightsBytes = 0;
  int64_t arenaBytes = 0;    // working memory of one instance, planned
  bool arenaIsDynamic = false; // more is needed, depending on the inputs' shapes
};

struct SessionOptions {
  /// The most threads that a run takes part of, the caller's included; 0: all of
  /// the process's pool; 1: the caller alone.
  int threads = 0;
  /// If set, used instead of the process's pool. See onnxc_host in abi.h.
  void (*parallelFor)(void *user, void (*body)(void *arg, int64_t begin, int64_t end), void *arg,
                      int64_t n, double costNs) = nullptr;
  void *parallelForUser = nullptr;
  /// Times each region of each run; see Session::takeProfile.
  bool profile = false;
  /// Shared libraries of custom operators (docs/custom-operators.md), for models that load theirs: taken by file name,
  /// before what lies beside the model or where the system looks.
  std::vector<std::string> customOpLibraries = {};
};

/// Options of one run; may be shared by runs that are to be ended together.
class RunOptions {
public:
  RunOptions() = default;
  /// Options that read a flag of the caller's instead of their own.
  explicit RunOptions(const volatile int32_t *flag) : external(flag) {}

  /// Ends the runs that use these options at their next node, with
  /// ErrorCode::Cancelled. From any thread.
  void setTerminate() { cancel.store(1, std::memory_order_relaxed); }
  void unsetTerminate() { cancel.store(0, std::memory_order_relaxed); }
  bool terminated() const { return __atomic_load_n(flag(), __ATOMIC_RELAXED) != 0; }
  const volatile int32_t *flag() const {
    static_assert(sizeof cancel == sizeof(int32_t));
    return external ? external : reinterpret_cast<const volatile int32_t *>(&cancel);
  }

private:
  std::atomic<int32_t> cancel{0};
  const volatile int32_t *external = nullptr;
};

class ONNXC_API Session {
public:
  using Feeds = std::vector<std::pair<std::string, Value>>;
  using Outputs = std::vector<std::pair<std::string, Value>>;

  explicit Session(const std::string &path, const SessionOptions &options = {});
  /// Loads a model.so that is in memory; the data is not needed afterwards.
  Session(const void *data, size_t size, const SessionOptions &options = {});
  ~Session();
  Session(Session &&) noexcept;
  Session &operator=(Session &&) noexcept;

  const std::vector<ValueInfo> &inputs() const;
  const std::vector<ValueInfo> &outputs() const;
  const ModelMetadata &metadata() const;
  /// The metadata as stored in the model (JSON, see docs/runtime.md).
  const std::string &metadataJson() const;
  const SessionOptions &options() const;

  /// What the runs took that have ended since the last call, as JSON in the format of
  /// chrome://tracing: an event for each run ("cat": "Session") and each region of it ("cat": "Node", with the
  /// names and types of the ONNX nodes that it computes). Times are in microseconds since
  /// profileStart(). Throws InvalidArgument without SessionOptions::profile.
  std::string takeProfile();
  /// Nanoseconds on the monotonic clock.
  int64_t profileStart() const;

  /// Runs with inputs by name; returns the outputs named, or all in the model's
  /// order. Numeric tensors own memory that the model wrote to directly.
  std::vector<Value> run(const Feeds &feeds, const std::vector<std::string> &outputNames = {},
                         const RunOptions *options = nullptr);
  /// As above with the caller's buffers: an output that is a tensor is written to
  /// in place (type, rank and sizes must fit), one that is None is allocated.
  void run(const Feeds &feeds, Outputs &outputs, const RunOptions *options = nullptr);
  /// The same with all inputs and outputs in the model's order.
  void run(const std::vector<Value> &inputs, std::vector<Value> &outputs,
           const RunOptions *options = nullptr);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace onnxc
#endif
