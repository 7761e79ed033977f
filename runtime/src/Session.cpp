// A session: a model, its signature, and a stack of idle instances.
#include "onnxc/runtime/session.h"

#include "Check.h"
#include "Metadata.h"
#include "Model.h"
#include "OutputMemory.h"
#include "Profile.h"
#include "ThreadChoice.h"
#include "Types.h"
#include "onnxc/runtime/thread_pool.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <unordered_map>

using namespace onnxc;

namespace {

/// Waking a worker costs the caller a system call, and the worker comes 5 to 50 us later.
constexpr int64_t kWakeAboveNs = 30000;

/// The memory given to the outputs of a run while it is under way.
struct RunState {
  std::vector<std::shared_ptr<void>> allocated;
  size_t bytes = 0;
};

/// What the regions of the run on this thread may do, and the work, in nanoseconds, that they had for the pool.
struct Sharing {
  bool allowed = true;
  double work = 0;
};
thread_local Sharing sharing;

ErrorCode errorCodeOf(onnxc_status status) {
  switch (status) {
  case ONNXC_INVALID_ARGUMENT:
  case ONNXC_OUT_OF_MEMORY:
  case ONNXC_UNSUPPORTED:
  case ONNXC_CANCELLED:
  case ONNXC_LOAD_FAILED:
    return static_cast<ErrorCode>(status);
  default:
    return ErrorCode::RuntimeError;
  }
}

} // namespace

struct Session::Impl {
  SessionOptions options;
  LoadedModel model;
  std::string json;
  ParsedMetadata parsed;
  std::unordered_map<std::string_view, size_t> inputIndex, outputIndex;
  onnxc_host host{};
  std::vector<const char *> libraries; // of options, for host
  std::optional<Profile> profile;
  OutputMemory outputMemory;
  // The work, in nanoseconds, that the last run had for the pool: it tells whether to wake the
  // pool's workers ahead of the first region.
  std::atomic<int64_t> workBefore{0};
  ThreadChoice choice;
  std::mutex mutex;
  // Guarded by mutex. There is room for all instances, so that giving one back cannot fail.
  std::vector<onnxc_instance *> idle;
  size_t numInstances = 0;

  template <typename... Args>
  explicit Impl(const SessionOptions &options, Args &&...args)
      : options(options), model(std::forward<Args>(args)...),
        json(model->metadata, model->metadata_size), parsed(parseMetadata(json)) {
    if (options.threads < 0)
      throw Error(ErrorCode::InvalidArgument,
                  "threads is " + std::to_string(options.threads) + "; 0 or more is expected");
    if (static_cast<int64_t>(parsed.inputs.size()) != model->num_inputs ||
        static_cast<int64_t>(parsed.outputs.size()) != model->num_outputs)
      throw Error(ErrorCode::LoadFailed, model.name() + ": the metadata does not fit the model");
    for (size_t i = 0; i < parsed.inputs.size(); ++i)
      inputIndex.emplace(parsed.inputs[i].name, i);
    for (size_t i = 0; i < parsed.outputs.size(); ++i)
      outputIndex.emplace(parsed.outputs[i].name, i);

    if (options.profile) {
      if (model->struct_size < sizeof(onnxc_model))
        throw Error(ErrorCode::Unsupported,
                    model.name() + ": compiled by a version without profiling; compile the model again");
      profile.emplace();
    }
    host.struct_size = sizeof host;
    host.user = this;
    host.allocate_output = allocateOutput;
    for (const std::string &library : this->options.customOpLibraries)
      libraries.push_back(library.c_str());
    host.custom_op_libraries = libraries.data();
    host.num_custom_op_libraries = static_cast<int32_t>(libraries.size());
    if (options.parallelFor)
      host.parallel_for = customParallelFor;
    else if (maxThreads() > 1)
      host.parallel_for = poolParallelFor;
    // Made now so that a machine that cannot run the model is told at load.
    giveBack(takeInstance());
  }

  ~Impl() {
    for (onnxc_instance *instance : idle)
      model->destroy(instance);
  }

  int maxThreads() const {
    int size = ThreadPool::process().size();
    return options.threads ? std::min(options.threads, size) : size;
  }

  static void customParallelFor(void *user, ThreadPool::Body body, void *arg, int64_t n,
                                double cost) {
    const SessionOptions &options = static_cast<Impl *>(user)->options;
    options.parallelFor(options.parallelForUser, body, arg, n, cost);
  }

  static void poolParallelFor(void *user, ThreadPool::Body body, void *arg, int64_t n,
                              double cost) {
    auto *self = static_cast<Impl *>(user);
    Sharing &mine = sharing;
    if (mine.allowed) {
      mine.work += ThreadPool::process().parallelFor(n, cost, body, arg, self->maxThreads());
      return;
    }
    mine.work += ThreadPool::workToShare(n, cost);
    body(arg, 0, n);
  }

  /// Called from C, so nothing may be thrown; null means out of memory.
  static void *allocateOutput(void *user, void *runUser, int32_t index, const DLTensor *desc) {
    auto *state = static_cast<RunState *>(runUser);
    int64_t count;
    size_t size = (desc->dtype.bits * desc->dtype.lanes + 7) / 8;
    if (!countElements(desc->shape, desc->ndim, size, count))
      return nullptr;
    try {
      std::shared_ptr<void> &memory = state->allocated[index];
      memory = static_cast<Impl *>(user)->outputMemory.allocate(static_cast<size_t>(count) * size);
      state->bytes += static_cast<size_t>(count) * size;
      return memory.get();
    } catch (...) {
      return nullptr;
    }
  }

  onnxc_instance *createInstance() {
    onnxc_instance *instance = nullptr;
    onnxc_status status = model->create(&host, &instance);
    if (status == ONNXC_OK && instance)
      return instance;
    const char *why = model->last_error(nullptr);
    throw Error(errorCodeOf(status),
                model.name() + ": " + (why && *why ? why : "the model cannot be started"));
  }

  onnxc_instance *takeInstance() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (!idle.empty()) {
        onnxc_instance *instance = idle.back();
        idle.pop_back();
        return instance;
      }
      idle.reserve(++numInstances);
    }
    return createInstance();
  }

  void giveBack(onnxc_instance *instance) noexcept {
    std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(instance);
  }

  void run(const std::vector<Value> &inputs, std::vector<Value> &outputs,
           const RunOptions *runOptions) {
    checkInputs(parsed.inputs, inputs);
    if (runOptions && runOptions->terminated())
      throw Error(ErrorCode::Cancelled, "the run was cancelled before it began");
    std::vector<onnxc_value> in, out(outputs.size());
    in.reserve(inputs.size());
    for (const Value &value : inputs)
      in.push_back(value.abi());
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].isNone())
        continue;
      if (!outputs[i].isTensor() || outputs[i].elementType() == ElementType::String)
        throw Error(ErrorCode::InvalidArgument,
                    "output '" + parsed.outputs[i].name +
                        "': only tensors of numbers can be written in place");
      out[i] = outputs[i].abi();
    }

    struct Lease {
      Impl &self;
      onnxc_instance *instance;
      ~Lease() { self.giveBack(instance); }
    } lease{*this, takeInstance()};
    RunState state{std::vector<std::shared_ptr<void>>(outputs.size())};
    onnxc_run_options abiOptions{};
    abiOptions.struct_size = sizeof abiOptions;
    abiOptions.run_user = &state;
    if (runOptions)
      abiOptions.cancel = runOptions->flag();

    onnxc_status status;
    {
      bool usesPool = host.parallel_for == poolParallelFor;
      Sharing outer = sharing;
      sharing = {!usesPool || choice.begin(), 0};
      int64_t begin = usesPool ? ThreadPool::clockNs() : 0;
      ThreadPool::Run scope(ThreadPool::process(), sharing.allowed ? maxThreads() : 1,
                            sharing.allowed && workBefore.load(std::memory_order_relaxed) >= kWakeAboveNs);
      std::optional<Profile::Run> record;
      if (profile)
        record.emplace(*profile, abiOptions);
      status = model->run(lease.instance, in.data(), out.data(), &abiOptions);
      if (usesPool) {
        auto work = static_cast<int64_t>(sharing.work);
        workBefore.store(work, std::memory_order_relaxed);
        choice.end(sharing.allowed, ThreadPool::clockNs() - begin, work);
      }
      sharing = outer;
    }
    if (status != ONNXC_OK) {
      const char *why = model->last_error(lease.instance);
      throw Error(errorCodeOf(status), why && *why ? why : "the run failed");
    }
    if (state.bytes)
      outputMemory.noteRun(state.bytes);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].isNone())
        continue;
      // What did not come from allocateOutput belongs to the instance.
      std::shared_ptr<void> &mine = state.allocated[i];
      const DLTensor &t = out[i].tensor;
      if (out[i].kind == ONNXC_TENSOR && mine && mine.get() == t.data)
        outputs[i] = Value::tensor(static_cast<ElementType>(out[i].elem_type),
                                   std::vector<int64_t>(t.shape, t.shape + t.ndim), t.data, mine);
      else
        outputs[i] = Value::copy(out[i]);
    }
  }

  Profile &requireProfile() {
    if (!profile)
      throw Error(ErrorCode::InvalidArgument, "the session was opened without profiling");
    return *profile;
  }

  /// The fed values in the model's order.
  std::vector<Value> order(const Feeds &feeds) const {
    std::vector<Value> inputs(parsed.inputs.size());
    std::vector<bool> given(inputs.size());
    for (const auto &[name, value] : feeds) {
      auto at = inputIndex.find(name);
      if (at == inputIndex.end())
        throw Error(ErrorCode::InvalidArgument, "the model has no input '" + name +
                                                    "'; its inputs: " + nameList(parsed.inputs));
      if (given[at->second])
        throw Error(ErrorCode::InvalidArgument, "input '" + name + "' is given twice");
      inputs[at->second] = value;
      given[at->second] = true;
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueInfo &info = parsed.inputs[i];
      if (!given[i] && !info.isOptional())
        throw Error(ErrorCode::InvalidArgument, "input '" + info.name + "' (" + info.type + " " +
                                                    shapeString(info) + ") is missing");
    }
    return inputs;
  }

  size_t outputNamed(const std::string &name) const {
    auto at = outputIndex.find(name);
    if (at == outputIndex.end())
      throw Error(ErrorCode::InvalidArgument, "the model has no output '" + name +
                                                  "'; its outputs: " + nameList(parsed.outputs));
    return at->second;
  }

  static std::string nameList(const std::vector<ValueInfo> &infos) {
    std::string names;
    for (const ValueInfo &info : infos)
      names += (names.empty() ? "'" : ", '") + info.name + "'";
    return infos.empty() ? "none" : names;
  }
};

Session::Session(const std::string &path, const SessionOptions &options)
    : impl(std::make_unique<Impl>(options, path)) {}
Session::Session(const void *data, size_t size, const SessionOptions &options)
    : impl(std::make_unique<Impl>(options, data, size)) {}
Session::~Session() = default;
Session::Session(Session &&) noexcept = default;
Session &Session::operator=(Session &&) noexcept = default;

const std::vector<ValueInfo> &Session::inputs() const { return impl->parsed.inputs; }
const std::vector<ValueInfo> &Session::outputs() const { return impl->parsed.outputs; }
const ModelMetadata &Session::metadata() const { return impl->parsed.model; }
const std::string &Session::metadataJson() const { return impl->json; }
const SessionOptions &Session::options() const { return impl->options; }

std::string Session::takeProfile() { return impl->requireProfile().take(*impl->model.operator->()); }
int64_t Session::profileStart() const { return impl->requireProfile().startNs(); }

void Session::run(const std::vector<Value> &inputs, std::vector<Value> &outputs,
                  const RunOptions *options) {
  if (inputs.size() != impl->parsed.inputs.size() || outputs.size() != impl->parsed.outputs.size())
    throw Error(ErrorCode::InvalidArgument,
                "the model has " + std::to_string(impl->parsed.inputs.size()) + " inputs and " +
                    std::to_string(impl->parsed.outputs.size()) + " outputs, got " +
                    std::to_string(inputs.size()) + " and " + std::to_string(outputs.size()));
  impl->run(inputs, outputs, options);
}

void Session::run(const Feeds &feeds, Outputs &outputs, const RunOptions *options) {
  std::vector<Value> inputs = impl->order(feeds);
  std::vector<Value> all(impl->parsed.outputs.size());
  std::vector<size_t> index;
  for (const auto &[name, value] : outputs) {
    index.push_back(impl->outputNamed(name));
    if (!value.isNone())
      all[index.back()] = value;
  }
  impl->run(inputs, all, options);
  for (size_t i = 0; i < outputs.size(); ++i)
    outputs[i].second = all[index[i]];
}

std::vector<Value> Session::run(const Feeds &feeds, const std::vector<std::string> &outputNames,
                                const RunOptions *options) {
  std::vector<Value> inputs = impl->order(feeds);
  std::vector<size_t> wanted;
  for (const std::string &name : outputNames)
    wanted.push_back(impl->outputNamed(name));
  std::vector<Value> outputs(impl->parsed.outputs.size());
  impl->run(inputs, outputs, options);
  if (outputNames.empty())
    return outputs;
  std::vector<Value> result;
  for (size_t index : wanted)
    result.push_back(outputs[index]);
  return result;
}
