// Runs the model; the operators' library is found beside it, or by the path given.
#include <onnxc/runtime/session.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

static int run(int argc, char **argv) {
  onnxc::SessionOptions options;
  for (int i = 2; i < argc; ++i)
    options.customOpLibraries.push_back(argv[i]);
  onnxc::Session session(argv[1], options);

  std::vector<float> x = {0.25f, 0.75f, 1.5f};
  std::vector<std::string_view> labels = {"low", "middle", "high"};
  std::vector<onnxc::Value> outputs = session.run(
      {{"x", onnxc::Value::tensor<float>({3}, x.data())}, {"labels", onnxc::Value::strings({3}, labels)}});
  for (int64_t i = 0; i < 3; ++i)
    std::printf("%g ", outputs[0].data<float>()[i]);
  std::printf("\n");
  for (int64_t i = 0; i < outputs[1].shape()[0]; ++i)
    std::printf("%lld: %s\n", static_cast<long long>(outputs[2].data<int64_t>()[i]),
                std::string(outputs[1].stringAt(i)).c_str());
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s model.so [library.so...]\n", argv[0]);
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (const onnxc::Error &error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
