// Loads a compiled model, tells its signature, runs it on a ramp of numbers and
// prints the largest value of its first output and where it stands.
//
//   classify model.so

#include <onnxc/runtime/session.h>

#include <algorithm>
#include <cstdio>
#include <vector>

static void print(const char *kind, const std::vector<onnxc::ValueInfo> &values) {
  for (const onnxc::ValueInfo &value : values) {
    std::printf("%s %s: %s [", kind, value.name.c_str(), value.type.c_str());
    const char *comma = "";
    for (const onnxc::Dimension &dim : value.shape) {
      if (dim.size >= 0)
        std::printf("%s%lld", comma, static_cast<long long>(dim.size));
      else
        std::printf("%s%s", comma, dim.symbol.empty() ? "?" : dim.symbol.c_str());
      comma = ", ";
    }
    std::printf("]\n");
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: classify model.so\n");
    return 2;
  }
  try {
    onnxc::Session session(argv[1]);
    print("input", session.inputs());
    print("output", session.outputs());

    // Dimensions that the model leaves open get the size 1.
    const onnxc::ValueInfo &input = session.inputs().front();
    std::vector<int64_t> shape;
    size_t count = 1;
    for (const onnxc::Dimension &dim : input.shape) {
      shape.push_back(std::max<int64_t>(dim.size, 1));
      count *= shape.back();
    }
    std::vector<float> data(count);
    for (size_t i = 0; i < count; ++i)
      data[i] = static_cast<float>(i) / count;

    auto outputs = session.run({{input.name, onnxc::Value::tensor<float>(shape, data.data())}});
    const float *scores = outputs[0].data<float>();
    int64_t size = outputs[0].numElements();
    const float *best = std::max_element(scores, scores + size);
    std::printf("largest of %lld: %g at %lld\n", static_cast<long long>(size), *best,
                static_cast<long long>(best - scores));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
