// onnxc run: runs a model once or many times on inputs from files or made up.
#include "ModelFile.h"
#include "PrintValue.h"
#include "SubCommands.h"
#include "ValueFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <random>

using namespace onnxc;
using llvm::StringRef;

namespace {

constexpr const char *usage = R"(usage: onnxc run <model.so|model.onnx> [options]

Inputs, from the first of these that has them:
  --input <name=file>   a .npy or .pb file (TensorProto, SequenceProto, OptionalProto)
  --inputs <folder>     input_0.pb, input_1.pb, ... or .npy, in the model's order
  --random              numbers in [0, 1), integers 0 or 1
  --dim <symbol=size>   a symbolic dimension of random inputs; default 1
  --seed <n>            of the random numbers; default 0
Outputs:
  --output-dir <folder> saves output_0.pb, output_1.pb, ...; default: printed
  --format <pb|npy>     of what is saved; default pb
Running:
  --threads <n>         the most threads; default: all that the process may use
  --repeat <n>          runs n times and prints the latency
  --warmup <n>          runs before those; default 1 with --repeat
  --profile <file>      saves what each part of the model took (a Chrome trace, JSON), runs for warming up left out
  --custom-ops <library> operators that a library implements; may be repeated
  -O<n>, --march <cpu>, --function <file>, --option <key=value>   for compiling a model.onnx
)";

struct Arguments {
  std::string model, inputFolder, outputFolder, profile, format = "pb";
  llvm::StringMap<std::string> inputs;
  llvm::StringMap<int64_t> dims;
  std::vector<std::string> compileOptions, customOps;
  bool isRandom = false;
  int threads = 0, repeat = 0, warmup = -1;
  unsigned seed = 0;
};

/// Returns false after printing what is wrong.
bool parse(int argc, char **argv, Arguments &args) {
  bool ok = true;
  auto wrong = [&](const llvm::Twine &message) { ok = fail(message + "; see onnxc run --help", 2) == 0; };
  for (int i = 1; i < argc && ok; ++i) {
    StringRef arg = argv[i], name = arg, value;
    if (!arg.starts_with("-") || arg.size() < 2) {
      if (!args.model.empty())
        wrong("a second model '" + arg + "'");
      args.model = arg.str();
      continue;
    }
    if (arg.starts_with("-O") && arg.size() == 3) {
      args.compileOptions.push_back(("O=" + arg.drop_front(2)).str());
      continue;
    }
    if (arg == "--random") {
      args.isRandom = true;
      continue;
    }
    // "--name value" or "--name=value".
    if (size_t at = arg.find('='); at != StringRef::npos) {
      name = arg.take_front(at);
      value = arg.drop_front(at + 1);
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      wrong("'" + arg + "' is not known or lacks its value");
      continue;
    }
    auto number = [&](auto &to) {
      if (value.getAsInteger(10, to) || to < decltype(+to)(0))
        wrong("'" + value + "' is not a number of at least 0, for " + name);
    };
    auto [key, rest] = value.split('=');
    if (name == "--input" && !rest.empty())
      args.inputs[key] = rest.str();
    else if (name == "--inputs")
      args.inputFolder = value.str();
    else if (name == "--dim" && !rest.empty())
      value = rest, number(args.dims[key]);
    else if (name == "--seed")
      number(args.seed);
    else if (name == "--output-dir")
      args.outputFolder = value.str();
    else if (name == "--format" && (value == "pb" || value == "npy"))
      args.format = value.str();
    else if (name == "--profile")
      args.profile = value.str();
    else if (name == "--threads")
      number(args.threads);
    else if (name == "--repeat")
      number(args.repeat);
    else if (name == "--warmup")
      number(args.warmup);
    else if (name == "--march")
      args.compileOptions.push_back(("march=" + value).str());
    else if (name == "--function")
      args.compileOptions.push_back(("function=" + value).str());
    else if (name == "--custom-ops")
      args.customOps.push_back(value.str());
    else if (name == "--option")
      args.compileOptions.push_back(value.str());
    else
      wrong("'" + arg + "' is not known or its value is malformed");
  }
  if (ok && args.model.empty())
    wrong("no model is given");
  return ok;
}

/// Random values for one input; false if its type or shape does not allow that.
bool makeRandom(const onnxc_value_info &info, const Arguments &args, std::mt19937 &generator,
                ValueStore &store, onnxc_value &value, std::string &error) {
  auto type = static_cast<onnxc_elem_type>(info.elem_type);
  if (!StringRef(info.type).starts_with("tensor(") || info.rank < 0) {
    error = std::string("a random value of type ") + info.type + " can't be made; use --input";
    return false;
  }
  std::vector<int64_t> dims;
  for (int i = 0; i < info.rank; ++i) {
    auto given = args.dims.find(info.symbols[i]);
    dims.push_back(info.dims[i] >= 0 ? info.dims[i] : given != args.dims.end() ? given->second : 1);
  }
  int64_t count = countElements(dims.data(), dims.size(), storageSize(type));
  if (count < 0) {
    error = "the shape is too large";
    return false;
  }
  value = store.tensor(type, dims);
  std::uniform_real_distribution<double> real(0, 1);
  for (int64_t i = 0; i < count; ++i) {
    double number = real(generator);
    switch (type) {
    case ONNXC_FLOAT:
      static_cast<float *>(value.tensor.data)[i] = static_cast<float>(number);
      break;
    case ONNXC_DOUBLE:
      static_cast<double *>(value.tensor.data)[i] = number;
      break;
    case ONNXC_STRING:
      static_cast<onnxc_string *>(value.tensor.data)[i] = store.string(number < 0.5 ? "a" : "b");
      break;
    default:
      fillElement(value, i, isFloating(type) ? number : number < 0.5 ? 0 : 1);
    }
  }
  return true;
}

/// The value of input `index` from what the arguments say.
bool readInput(const onnxc_value_info &info, size_t index, const Arguments &args,
               std::mt19937 &generator, ValueStore &store, onnxc_value &value, std::string &error) {
  auto given = args.inputs.find(info.name);
  if (given != args.inputs.end())
    return readValue(given->second, info.type, store, value, error);
  if (!args.inputFolder.empty())
    for (const char *suffix : {".pb", ".npy"}) {
      llvm::SmallString<128> path(args.inputFolder);
      llvm::sys::path::append(path, "input_" + llvm::Twine(index) + suffix);
      if (llvm::sys::fs::exists(path))
        return readValue(path, info.type, store, value, error);
    }
  if (args.isRandom)
    return makeRandom(info, args, generator, store, value, error);
  if (StringRef(info.type).starts_with("optional("))
    return true;
  error = "no value is given; use --input, --inputs or --random";
  return false;
}

void printLatency(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  double sum = 0;
  for (double t : times)
    sum += t;
  auto percentile = [&](double p) {
    return times[std::min(times.size() - 1, static_cast<size_t>(p * times.size()))];
  };
  double mean = sum / times.size();
  llvm::outs() << llvm::format("latency in ms, %zu runs: min %.3f, mean %.3f, median %.3f, "
                               "p90 %.3f, p95 %.3f, p99 %.3f, max %.3f; %.1f runs/s\n",
                               times.size(), times.front(), mean, percentile(.5), percentile(.9),
                               percentile(.95), percentile(.99), times.back(), 1000 / mean);
}

int saveOutputs(const Arguments &args, onnxc_session *session,
                const std::vector<onnxc_value> &outputs) {
  if (std::error_code code = llvm::sys::fs::create_directories(args.outputFolder))
    return fail(args.outputFolder + ": " + code.message());
  for (size_t i = 0; i < outputs.size(); ++i) {
    llvm::SmallString<128> path(args.outputFolder);
    llvm::sys::path::append(path, "output_" + llvm::Twine(i) + "." + args.format);
    std::string error;
    if (!writeValue(path, onnxc_session_output(session, i)->name, outputs[i], error))
      return fail(error);
  }
  return 0;
}

int saveProfile(const Arguments &args, onnxc_session *session) {
  const char *json;
  if (onnxc_session_profile(session, &json) != ONNXC_OK)
    return fail(onnxc_last_error());
  std::error_code error;
  llvm::raw_fd_ostream os(args.profile, error);
  if (!error) {
    os << json;
    os.close();
    error = os.error();
    os.clear_error();
  }
  return error ? fail("cannot write " + args.profile + ": " + error.message()) : 0;
}

int run(const Arguments &args, onnxc_session *session) {
  size_t numInputs = onnxc_session_num_inputs(session);
  size_t numOutputs = onnxc_session_num_outputs(session);
  ValueStore store;
  std::mt19937 generator(args.seed);
  std::vector<const char *> names;
  std::vector<onnxc_value> inputs(numInputs), outputs(numOutputs);
  llvm::StringMap<bool> known;
  for (size_t i = 0; i < numInputs; ++i) {
    const onnxc_value_info &info = *onnxc_session_input(session, i);
    std::string error;
    if (!readInput(info, i, args, generator, store, inputs[i], error))
      return fail(llvm::Twine("input '") + info.name + "' (" + describe(info) + "): " + error);
    names.push_back(info.name);
    known[info.name] = true;
  }
  for (const auto &given : args.inputs)
    if (!known.count(given.getKey()))
      return fail("the model has no input '" + given.getKey() + "'; its inputs: " +
                  llvm::join(names, ", "));

  onnxc_result *result = nullptr;
  std::vector<double> times;
  int warmup = args.warmup >= 0 ? args.warmup : args.repeat ? 1 : 0;
  int runs = std::max(1, args.repeat);
  for (int i = -warmup; i < runs; ++i) {
    onnxc_result_free(result);
    std::fill(outputs.begin(), outputs.end(), onnxc_value{});
    const char *dropped;
    if (i == 0 && warmup > 0 && !args.profile.empty() &&
        onnxc_session_profile(session, &dropped) != ONNXC_OK)
      return fail(onnxc_last_error());
    auto begin = std::chrono::steady_clock::now();
    if (onnxc_session_run(session, numInputs, names.data(), inputs.data(), numOutputs, nullptr,
                          outputs.data(), nullptr, &result) != ONNXC_OK)
      return fail(onnxc_last_error());
    if (i >= 0)
      times.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  int status = 0;
  if (!args.outputFolder.empty())
    status = saveOutputs(args, session, outputs);
  else if (!args.repeat)
    for (size_t i = 0; i < numOutputs; ++i) {
      llvm::outs() << onnxc_session_output(session, i)->name << ": ";
      printValue(outputs[i], llvm::outs());
      llvm::outs() << "\n";
    }
  onnxc_result_free(result);
  if (status == 0 && !args.profile.empty())
    status = saveProfile(args, session);
  if (status == 0 && args.repeat)
    printLatency(times);
  return status;
}

} // namespace

int onnxc::runMain(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (StringRef(argv[i]) == "--help" || StringRef(argv[i]) == "-h") {
      llvm::outs() << usage;
      return 0;
    }
  Arguments args;
  if (!parse(argc, argv, args))
    return 2;
  onnxc_session_options options{};
  options.struct_size = sizeof options;
  options.threads = args.threads;
  options.profile = !args.profile.empty();
  std::vector<const char *> customOps;
  for (const std::string &library : args.customOps) {
    args.compileOptions.push_back("custom-ops=" + library);
    customOps.push_back(library.c_str());
  }
  options.num_custom_op_libraries = static_cast<int32_t>(customOps.size());
  options.custom_op_libraries = customOps.data();
  onnxc_session *session = openModel(args.model, args.compileOptions, options);
  if (!session)
    return 1;
  int status = run(args, session);
  onnxc_session_close(session);
  return status;
}
