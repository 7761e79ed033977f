// The extension module onnxc._onnxc: values and sessions of the runtime for the Python
// classes in onnxc/, and the call into the compiler's library. Conversions that depend
// on NumPy's types are done in Python (onnxc/_values.py).
#include "Compile.h"
#include "Value.h"

#include "onnxc/runtime/session.h"
#include "onnxc/runtime/thread_pool.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace onnxc;
namespace nb = nanobind;
using namespace nb::literals;

namespace {

/// Sizes as int, symbols as str, neither as None; a value of any rank has None.
nb::object shapeOf(const ValueInfo &info) {
  if (!info.hasRank)
    return nb::none();
  nb::list shape;
  for (const Dimension &d : info.shape) {
    if (d.size >= 0)
      shape.append(d.size);
    else if (!d.symbol.empty())
      shape.append(nb::str(d.symbol.c_str(), d.symbol.size()));
    else
      shape.append(nb::none());
  }
  return shape;
}

void raise(const Error &error) {
  nb::object classes = nb::module_::import_("onnxc.errors").attr("BY_CODE");
  nb::object type = classes[nb::int_(static_cast<int>(error.code()))];
  PyErr_SetString(type.ptr(), error.what());
}

SessionOptions makeOptions(int threads, bool profile, std::vector<std::string> customOps) {
  SessionOptions options;
  options.threads = threads;
  options.profile = profile;
  options.customOpLibraries = std::move(customOps);
  return options;
}

std::vector<Value> run(Session &session, const std::vector<std::string> &names,
                       const std::vector<Value> &values,
                       const std::optional<std::vector<std::string>> &outputNames,
                       const std::optional<std::vector<Value>> &buffers, const RunOptions *options) {
  Session::Feeds feeds;
  for (size_t i = 0; i < names.size() && i < values.size(); ++i)
    feeds.emplace_back(names[i], values[i]);
  Session::Outputs outputs;
  if (outputNames)
    for (const std::string &name : *outputNames)
      outputs.emplace_back(name, Value());
  else
    for (const ValueInfo &info : session.outputs())
      outputs.emplace_back(info.name, Value());
  if (buffers)
    for (size_t i = 0; i < outputs.size() && i < buffers->size(); ++i)
      outputs[i].second = (*buffers)[i];
  {
    nb::gil_scoped_release release;
    session.run(feeds, outputs, options);
  }
  std::vector<Value> result;
  for (auto &output : outputs)
    result.push_back(std::move(output.second));
  return result;
}

} // namespace

NB_MODULE(_onnxc, m) {
  nb::register_exception_translator([](const std::exception_ptr &pointer, void *) {
    try {
      std::rethrow_exception(pointer);
    } catch (const Error &error) {
      raise(error);
    }
  });

  bindValue(m);

  nb::class_<ValueInfo>(m, "NodeArg", "An input or output of a model.")
      .def_ro("name", &ValueInfo::name)
      .def_ro("type", &ValueInfo::type, "As ONNX Runtime writes it, e.g. 'tensor(float)'.")
      .def_prop_ro("shape", shapeOf, nb::sig("def shape(self) -> list[int | str | None] | None"),
                   "A size, a symbol or None per dimension; None if any rank will do.")
      .def_prop_ro("elem_type", [](const ValueInfo &v) { return static_cast<int>(v.elementType); })
      .def("__repr__", [](const ValueInfo &v) {
        return nb::str("NodeArg(name={!r}, type={!r}, shape={!r})").attr("format")(v.name, v.type, shapeOf(v));
      });

  nb::class_<ModelMetadata>(m, "ModelMetadata", "What a model says about itself.")
      .def_ro("producer_name", &ModelMetadata::producer)
      .def_ro("graph_name", &ModelMetadata::graphName)
      .def_ro("domain", &ModelMetadata::domain)
      .def_ro("description", &ModelMetadata::description)
      .def_prop_ro("graph_description", [](const ModelMetadata &) { return ""; })
      .def_ro("version", &ModelMetadata::modelVersion)
      .def_ro("custom_metadata_map", &ModelMetadata::custom)
      .def_ro("ir_version", &ModelMetadata::irVersion)
      .def_ro("opsets", &ModelMetadata::opsets)
      .def_ro("compiler", &ModelMetadata::compiler)
      .def_ro("target_triple", &ModelMetadata::targetTriple)
      .def_ro("target_cpus", &ModelMetadata::targetCpus)
      .def_ro("weights_bytes", &ModelMetadata::weightsBytes)
      .def_ro("arena_bytes", &ModelMetadata::arenaBytes);

  nb::class_<RunOptions>(m, "RunOptions", nb::dynamic_attr())
      .def(nb::init<>())
      .def_prop_rw(
          "terminate", &RunOptions::terminated,
          [](RunOptions &o, bool on) { on ? o.setTerminate() : o.unsetTerminate(); },
          "Set to True, from any thread, to end the runs that use these options.");

  nb::class_<Session>(m, "Session")
      .def(
          "__init__",
          [](Session *self, const std::string &path, int threads, bool profile, std::vector<std::string> customOps) {
            nb::gil_scoped_release release;
            new (self) Session(path, makeOptions(threads, profile, std::move(customOps)));
          },
          "path"_a, "threads"_a = 0, "profile"_a = false,
          "custom_ops"_a = std::vector<std::string>())
      .def_static(
          "from_bytes",
          [](nb::bytes data, int threads, bool profile, std::vector<std::string> customOps) {
            const void *bytes = data.data();
            size_t size = data.size();
            nb::gil_scoped_release release;
            return Session(bytes, size, makeOptions(threads, profile, std::move(customOps)));
          },
          "data"_a, "threads"_a = 0, "profile"_a = false,
          "custom_ops"_a = std::vector<std::string>())
      .def_prop_ro("inputs", &Session::inputs)
      .def_prop_ro("outputs", &Session::outputs)
      .def_prop_ro("metadata", &Session::metadata)
      .def_prop_ro("metadata_json", &Session::metadataJson)
      .def("take_profile", &Session::takeProfile)
      .def_prop_ro("profile_start", &Session::profileStart)
      .def("run", run, "names"_a, "values"_a, "output_names"_a = nb::none(),
           "buffers"_a = nb::none(), "options"_a = nb::none());

  m.def("compile", compile, "library"_a, "path"_a, "data"_a, "output"_a, "options"_a,
        "Calls the compiler in `library`; returns its status and a list of (severity, message).");
  m.def("available_threads", availableThreads);
  m.attr("__version__") = ONNXC_VERSION;
}
