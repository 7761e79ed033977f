// The C interface over onnxc::Session.
#include "onnxc/runtime/c_api.h"

#include "Types.h"
#include "onnxc/runtime/session.h"

#include <cstddef>
#include <new>

using namespace onnxc;

namespace {

thread_local std::string lastError;

/// Runs body and turns what it throws into a status.
template <typename F> onnxc_status guarded(F &&body) noexcept {
  try {
    body();
    return ONNXC_OK;
  } catch (const Error &e) {
    lastError = e.what();
    return static_cast<onnxc_status>(e.code());
  } catch (const std::bad_alloc &) {
    lastError = "out of memory";
    return ONNXC_OUT_OF_MEMORY;
  } catch (const std::exception &e) {
    lastError = e.what();
    return ONNXC_RUNTIME_ERROR;
  }
}

void require(bool condition, const char *message) {
  if (!condition)
    throw Error(ErrorCode::InvalidArgument, message);
}

SessionOptions convert(const onnxc_session_options *options) {
  SessionOptions result;
  if (!options)
    return result;
  require(options->struct_size >= offsetof(onnxc_session_options, profile),
          "onnxc_session_options::struct_size is not set");
  result.threads = options->threads;
  result.parallelFor = options->parallel_for;
  result.parallelForUser = options->parallel_for_user;
  // Members that came later.
  if (options->struct_size >= offsetof(onnxc_session_options, num_custom_op_libraries))
    result.profile = options->profile != 0;
  if (options->struct_size >= sizeof(onnxc_session_options))
    for (int32_t i = 0; i < options->num_custom_op_libraries; ++i)
      result.customOpLibraries.emplace_back(options->custom_op_libraries[i]);
  return result;
}

struct InfoStorage {
  onnxc_value_info info;
  std::vector<int64_t> dims;
  std::vector<const char *> symbols;
};

std::vector<InfoStorage> convert(const std::vector<ValueInfo> &infos) {
  std::vector<InfoStorage> result;
  for (const ValueInfo &from : infos) {
    InfoStorage &to = result.emplace_back();
    for (const Dimension &d : from.shape) {
      to.dims.push_back(d.size);
      to.symbols.push_back(d.symbol.c_str());
    }
    to.info = {from.name.c_str(), from.type.c_str(), static_cast<int32_t>(from.elementType),
               from.hasRank ? static_cast<int32_t>(from.shape.size()) : -1, to.dims.data(),
               to.symbols.data()};
  }
  return result;
}

} // namespace

struct onnxc_session {
  Session session;
  std::vector<InfoStorage> inputs, outputs;
  std::string profile;

  template <typename... Args>
  explicit onnxc_session(Args &&...args)
      : session(std::forward<Args>(args)...), inputs(convert(session.inputs())),
        outputs(convert(session.outputs())) {}
};

struct onnxc_result {
  std::vector<Value> values;
};

const char *onnxc_last_error(void) { return lastError.c_str(); }
const char *onnxc_runtime_version(void) { return ONNXC_VERSION; }

onnxc_status onnxc_session_open(const char *path, const onnxc_session_options *options,
                                onnxc_session **session) {
  return guarded([&] {
    require(path && session, "path and session must not be NULL");
    *session = nullptr;
    *session = new onnxc_session(std::string(path), convert(options));
  });
}

onnxc_status onnxc_session_open_memory(const void *data, size_t size,
                                       const onnxc_session_options *options,
                                       onnxc_session **session) {
  return guarded([&] {
    require(data && session, "data and session must not be NULL");
    *session = nullptr;
    *session = new onnxc_session(data, size, convert(options));
  });
}

void onnxc_session_close(onnxc_session *session) { delete session; }

size_t onnxc_session_num_inputs(const onnxc_session *s) { return s->inputs.size(); }
size_t onnxc_session_num_outputs(const onnxc_session *s) { return s->outputs.size(); }

const onnxc_value_info *onnxc_session_input(const onnxc_session *s, size_t index) {
  return index < s->inputs.size() ? &s->inputs[index].info : nullptr;
}
const onnxc_value_info *onnxc_session_output(const onnxc_session *s, size_t index) {
  return index < s->outputs.size() ? &s->outputs[index].info : nullptr;
}
const char *onnxc_session_metadata(const onnxc_session *s) {
  return s->session.metadataJson().c_str();
}

onnxc_status onnxc_session_profile(onnxc_session *session, const char **json) {
  return guarded([&] {
    require(session && json, "session and json must not be NULL");
    session->profile = session->session.takeProfile();
    *json = session->profile.c_str();
  });
}

onnxc_status onnxc_session_run(onnxc_session *session, size_t numInputs,
                               const char *const *inputNames, const onnxc_value *inputs,
                               size_t numOutputs, const char *const *outputNames,
                               onnxc_value *outputs, const onnxc_run_options *options,
                               onnxc_result **result) {
  return guarded([&] {
    require(session && result && (!numInputs || (inputNames && inputs)) && (!numOutputs || outputs),
            "session, inputs, outputs and result must not be NULL");
    *result = nullptr;
    Session &s = session->session;
    Session::Feeds feeds;
    for (size_t i = 0; i < numInputs; ++i) {
      require(inputNames[i], "an input's name is NULL");
      feeds.emplace_back(inputNames[i], Value::borrow(inputs[i]));
    }
    std::vector<std::string> names;
    if (outputNames)
      for (size_t i = 0; i < numOutputs; ++i) {
        require(outputNames[i], "an output's name is NULL");
        names.push_back(outputNames[i]);
      }
    else
      for (const ValueInfo &info : s.outputs())
        names.push_back(info.name);
    require(names.size() == numOutputs, "num_outputs is not the model's number of outputs");
    Session::Outputs targets;
    for (size_t i = 0; i < numOutputs; ++i)
      targets.emplace_back(names[i], Value::borrow(outputs[i]));
    RunOptions runOptions(options ? options->cancel : nullptr);
    s.run(feeds, targets, &runOptions);
    auto owned = std::make_unique<onnxc_result>();
    for (size_t i = 0; i < numOutputs; ++i) {
      owned->values.push_back(targets[i].second);
      outputs[i] = owned->values[i].abi();
    }
    *result = owned.release();
  });
}

void onnxc_result_free(onnxc_result *result) { delete result; }

onnxc_value onnxc_tensor_value(onnxc_elem_type elemType, int32_t rank, const int64_t *shape,
                               void *data) {
  onnxc_value value{};
  value.kind = ONNXC_TENSOR;
  value.elem_type = elemType;
  value.tensor.data = data;
  value.tensor.device = {kDLCPU, 0};
  value.tensor.ndim = rank;
  value.tensor.dtype = toDLDataType(static_cast<ElementType>(elemType));
  value.tensor.shape = const_cast<int64_t *>(shape);
  return value;
}
