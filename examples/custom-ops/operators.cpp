// Two operators: one that makes numbers of numbers, with an attribute and on all threads; and one whose result's
// size depends on data, with strings.
#include <onnxc/runtime/custom_op.hpp>

#include <algorithm>

using namespace onnxc::custom;

namespace {

/// y = x < knee ? x : knee + (x - knee) * slope, for tensors of any shape.
struct SoftLimit : Operator<SoftLimit> {
  static constexpr const char *domain = "example.ops", *name = "SoftLimit";
  static constexpr uint64_t types = ONNXC_OP_TYPE(ONNXC_FLOAT) | ONNXC_OP_TYPE(ONNXC_DOUBLE);

  static Signature signature() {
    return Signature()
        .input("x", types, "T")
        .output("y", types, "T")
        .attribute("knee", ONNXC_OP_FLOAT)
        .attribute("slope", ONNXC_OP_FLOAT);
  }
  static void infer(Inference &in) { in.same(0, 0); }

  explicit SoftLimit(const Node &node) : knee(node.real("knee", 1)), slope(node.real("slope", 0.1f)) {}

  void compute(Run &run) const {
    if (run.input(0).type() == ONNXC_FLOAT)
      limit<float>(run);
    else
      limit<double>(run);
  }
  template <typename T> void limit(Run &run) const {
    const T *x = run.input(0).data<T>();
    T *y = run.output<T>(0, run.input(0).shape());
    run.parallel(run.input(0).size(), 1, [=, this](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        y[i] = x[i] < knee ? x[i] : static_cast<T>(knee) + (x[i] - static_cast<T>(knee)) * static_cast<T>(slope);
    });
  }

  float knee, slope;
};

/// The labels of the scores that are above a threshold, and their positions.
struct Above : Operator<Above> {
  static constexpr const char *domain = "example.ops", *name = "Above";

  static Signature signature() {
    return Signature()
        .input("scores", ONNXC_OP_TYPE(ONNXC_FLOAT))
        .input("labels", ONNXC_OP_TYPE(ONNXC_STRING))
        .output("names", ONNXC_OP_TYPE(ONNXC_STRING))
        .output("positions", ONNXC_OP_TYPE(ONNXC_INT64), nullptr, ONNXC_OP_OPTIONAL)
        .attribute("threshold", ONNXC_OP_FLOAT, /*required=*/true);
  }
  static void infer(Inference &in) {
    for (int32_t i : {0, 1})
      if (in.hasRank(i) && in.shape(i).size() != 1)
        throw std::invalid_argument("scores and labels must be vectors");
    in.output(0, ONNXC_STRING, {ONNXC_OP_UNKNOWN});
    if (in.outputs() > 1)
      in.output(1, ONNXC_INT64, {ONNXC_OP_UNKNOWN});
  }

  explicit Above(const Node &node) : threshold(node.real("threshold", 0)) {}

  void compute(Run &run) const {
    const float *scores = run.input(0).data<float>();
    const onnxc_string *labels = run.input(1).data<onnxc_string>();
    if (run.input(0).size() != run.input(1).size())
      throw std::invalid_argument("there are " + std::to_string(run.input(0).size()) + " scores for " +
                                  std::to_string(run.input(1).size()) + " labels");
    std::vector<int64_t> found;
    for (int64_t i = 0; i < run.input(0).size(); ++i)
      if (scores[i] > threshold)
        found.push_back(i);
    auto count = static_cast<int64_t>(found.size());
    run.output(0, {count});
    for (int64_t i = 0; i < count; ++i)
      run.string(0, i, view(labels[found[static_cast<size_t>(i)]]));
    if (run.wants(1))
      std::copy(found.begin(), found.end(), run.output<int64_t>(1, {count}));
  }

  float threshold;
};

} // namespace

ONNXC_CUSTOM_OPS(SoftLimit, Above)
