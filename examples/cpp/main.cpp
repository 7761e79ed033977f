// Loads a compiled model, prints its signature and runs it in two ways: with outputs
// that the runtime allocates, and into the program's own memory.
#include <onnxc/runtime/session.h>

#include <cstdio>
#include <vector>

static int run(const char *path) {
  onnxc::Session session(path);
  for (const onnxc::ValueInfo &input : session.inputs()) {
    std::printf("input %s: %s", input.name.c_str(), input.type.c_str());
    for (const onnxc::Dimension &d : input.shape)
      std::printf(" %s", d.size >= 0 ? std::to_string(d.size).c_str() : d.symbol.c_str());
    std::printf("\n");
  }

  // Sepal length and width, petal length and width in cm; read where it lies.
  std::vector<float> flowers = {5.1f, 3.5f, 1.4f, 0.2f, 6.3f, 3.3f, 6.0f, 2.5f};
  onnxc::Value measures = onnxc::Value::tensor<float>({2, 4}, flowers.data());
  std::vector<onnxc::Value> outputs = session.run({{"measures", measures}});

  const char *names[] = {"setosa", "versicolor", "virginica"};
  const float *p = outputs[0].data<float>();
  for (int flower = 0; flower < 2; ++flower, p += 3) {
    int best = 0;
    for (int i = 1; i < 3; ++i)
      if (p[i] > p[best])
        best = i;
    std::printf("flower %d: %s (%.3f)\n", flower, names[best], p[best]);
  }

  // The same into this program's memory, with any batch that the model allows.
  std::vector<float> probabilities(3);
  onnxc::Session::Outputs targets = {
      {"probabilities", onnxc::Value::tensor<float>({1, 3}, probabilities.data())}};
  session.run({{"measures", onnxc::Value::tensor<float>({1, 4}, flowers.data())}}, targets);
  std::printf("again: %.3f\n", probabilities[0]);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s model.so\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const onnxc::Error &error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
