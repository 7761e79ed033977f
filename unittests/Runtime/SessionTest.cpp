#include "onnxc/runtime/session.h"

#include "Metadata.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

using namespace onnxc;
namespace fs = std::filesystem;

namespace {

std::string modelPath(const std::string &name) { return TEST_MODELS "/" + name + ".so"; }

/// Expects an Error of that code whose message has all the words.
template <typename F>
void expectError(ErrorCode code, std::initializer_list<const char *> words, F &&body) {
  try {
    body();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error &e) {
    EXPECT_EQ(e.code(), code) << e.what();
    for (const char *word : words)
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos)
          << "'" << word << "' is not in: " << e.what();
  }
}

Value floats(std::vector<int64_t> shape, float start = 1) {
  Value v = Value::tensor(ElementType::Float, std::move(shape));
  std::iota(v.data<float>(), v.data<float>() + v.numElements(), start);
  return v;
}

Session::Feeds feeds(int64_t n, float start = 1) {
  std::vector<std::string_view> strings(n, "text");
  return {{"s", Value::strings({n}, strings)}, {"b", floats({n, 2})}, {"a", floats({n, 3}, start)}};
}

TEST(Session, Signature) {
  Session session(modelPath("Features"));
  ASSERT_EQ(session.inputs().size(), 3u);
  EXPECT_EQ(session.inputs()[0].name, "a");
  EXPECT_EQ(session.inputs()[0].type, "tensor(float)");
  EXPECT_EQ(session.inputs()[0].elementType, ElementType::Float);
  EXPECT_EQ(session.inputs()[0].shape[0].symbol, "N");
  EXPECT_EQ(session.inputs()[0].shape[1].size, 3);
  EXPECT_EQ(session.inputs()[1].shape[1].size, -1);
  EXPECT_EQ(session.outputs()[2].type, "seq(tensor(float))");
  EXPECT_FALSE(session.outputs()[2].hasRank);
  const ModelMetadata &m = session.metadata();
  EXPECT_EQ(m.graphName, "features");
  EXPECT_EQ(m.modelVersion, 7);
  EXPECT_EQ(m.opsets.at("ai.onnx"), 21);
  EXPECT_EQ(m.custom.at("author"), "nobody");
  EXPECT_EQ(m.weightsBytes, 128);
  EXPECT_TRUE(m.arenaIsDynamic);
}

TEST(Session, RunsByName) {
  Session session(modelPath("Features"));
  std::vector<Value> out = session.run(feeds(2));
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].shape(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(out[0].data<float>()[5], 12);
  EXPECT_EQ(out[1].stringAt(1), "text");
  ASSERT_EQ(out[2].items().size(), 2u);
  EXPECT_EQ(out[2].items()[1].shape(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(out[2].items()[0].data<float>()[5], 6);
  out = session.run(feeds(1), {"t", "doubled"});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].stringAt(0), "text");
  EXPECT_EQ(out[1].data<float>()[2], 6);
  EXPECT_EQ(session.run(feeds(0))[0].numElements(), 0);
}

TEST(Session, OutputsOutliveTheSession) {
  std::vector<Value> out;
  {
    Session session(modelPath("Features"));
    out = session.run(feeds(2));
    session.run(feeds(2, 100));
  }
  EXPECT_EQ(out[0].data<float>()[0], 2);
  EXPECT_EQ(out[1].stringAt(0), "text");
  EXPECT_EQ(out[2].items()[0].data<float>()[0], 1);
}

TEST(Session, WritesToTheCallersBuffers) {
  Session session(modelPath("Features"));
  float buffer[6] = {};
  Session::Outputs outputs = {{"doubled", Value::tensor<float>({2, 3}, buffer)}, {"t", Value()}};
  session.run(feeds(2), outputs);
  EXPECT_EQ(buffer[5], 12);
  EXPECT_EQ(outputs[1].second.stringAt(0), "text");
  Session::Outputs wrong = {{"doubled", Value::tensor<float>({3, 2}, buffer)}};
  expectError(ErrorCode::InvalidArgument, {"doubled", "2", "3"}, [&] { session.run(feeds(2), wrong); });
  Session::Outputs text = {{"t", Value::strings({2}, {"a", "b"})}};
  expectError(ErrorCode::InvalidArgument, {"'t'"}, [&] { session.run(feeds(2), text); });
}

TEST(Session, ChecksInputs) {
  Session session(modelPath("Features"));
  auto with = [&](const char *name, Value value) {
    Session::Feeds all = feeds(2);
    for (auto &feed : all)
      if (feed.first == name)
        feed.second = value;
    session.run(all);
  };
  auto code = ErrorCode::InvalidArgument;
  expectError(code, {"no input 'x'", "'a', 'b', 's'"}, [&] { session.run({{"x", floats({1})}}); });
  expectError(code, {"'b'", "[N,?]", "missing"}, [&] {
    Session::Feeds some = feeds(1);
    some.erase(some.begin() + 1);
    session.run(some);
  });
  expectError(code, {"'a'", "twice"}, [&] {
    Session::Feeds twice = feeds(1);
    twice.push_back(twice.back());
    session.run(twice);
  });
  expectError(code, {"'a'", "tensor(float)", "tensor(double)"},
              [&] { with("a", Value::tensor(ElementType::Double, {2, 3})); });
  expectError(code, {"'a'", "tensor(float)", "none"}, [&] { with("a", Value()); });
  expectError(code, {"'a'", "rank 2", "[2]"}, [&] { with("a", floats({2})); });
  expectError(code, {"'a'", "[N,3]", "[2,4]"}, [&] { with("a", floats({2, 4})); });
  expectError(code, {"'b'", "'N'", "5", "input 'a'"}, [&] { with("b", floats({5, 2})); });
  expectError(code, {"'y'", "'doubled', 't', 'both'"}, [&] { session.run(feeds(1), {"y"}); });
  std::vector<Value> none;
  expectError(code, {"3 inputs"}, [&] { session.run(none, none); });
  // The session is as good as before.
  EXPECT_EQ(session.run(feeds(2))[0].data<float>()[0], 2);
}

TEST(Session, FailuresInsideTheModel) {
  Session session(modelPath("Features"));
  expectError(ErrorCode::RuntimeError, {"a begins with -1"}, [&] { session.run(feeds(1, -1)); });
  EXPECT_EQ(session.run(feeds(1))[0].data<float>()[0], 2);
}

TEST(Session, Cancel) {
  Session session(modelPath("Features"));
  RunOptions options;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    options.setTerminate();
  });
  expectError(ErrorCode::Cancelled, {}, [&] { session.run(feeds(1, -2), {}, &options); });
  canceller.join();
  expectError(ErrorCode::Cancelled, {}, [&] { session.run(feeds(1), {}, &options); });
  options.unsetTerminate();
  session.run(feeds(1), {}, &options);
}

TEST(Session, ManyThreadsAndSessions) {
  Session first(modelPath("Features")), second(modelPath("Features"), {.threads = 1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        auto out = (t % 2 ? first : second).run(feeds(2000 + t, t));
        for (int64_t k = 0; k < out[0].numElements(); ++k)
          ASSERT_EQ(out[0].data<float>()[k], 2 * static_cast<float>(t + k));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Session, CustomParallelFor) {
  SessionOptions options;
  int calls = 0;
  options.parallelForUser = &calls;
  options.parallelFor = [](void *user, void (*body)(void *, int64_t, int64_t), void *arg, int64_t n,
                           double) {
    ++*static_cast<int *>(user);
    for (int64_t i = 0; i < n; ++i)
      body(arg, i, i + 1);
  };
  Session session(modelPath("Features"), options);
  EXPECT_EQ(session.run(feeds(100))[0].data<float>()[299], 600);
  EXPECT_EQ(calls, 1);
}

TEST(Session, FromMemory) {
  std::ifstream file(modelPath("Features"), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  Session session(bytes.data(), bytes.size());
  EXPECT_EQ(session.run(feeds(1))[0].data<float>()[0], 2);
  Session moved = std::move(session);
  EXPECT_EQ(moved.run(feeds(1))[0].data<float>()[0], 2);
  expectError(ErrorCode::LoadFailed, {"not a compiled model"}, [] { Session("garbage", size_t(7)); });
}

TEST(Session, AModelThatIsReplacedWhileLoaded) {
  fs::path file = fs::path(testing::TempDir()) / ("onnxc-replaced-" + std::to_string(getpid()) + ".so");
  fs::copy(modelPath("Features"), file);
  Session before(file);
  EXPECT_EQ(before.inputs().size(), 3u);
  fs::copy(modelPath("Identity"), file.string() + ".new");
  fs::rename(file.string() + ".new", file);
  Session after(file);
  EXPECT_GT(after.inputs().size(), 3u);
  EXPECT_EQ(before.run(feeds(1))[0].data<float>()[0], 2);
  fs::remove(file);

  auto load = [](const char *name) {
    std::ifstream in(modelPath(name), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    return Session(bytes.data(), bytes.size());
  };
  Session first = load("Features"), second = load("Identity");
  EXPECT_EQ(first.inputs().size(), 3u);
  EXPECT_GT(second.inputs().size(), 3u);
}

TEST(Session, BadFiles) {
  auto code = ErrorCode::LoadFailed;
  fs::path folder = fs::path(testing::TempDir()) / ("onnxc-bad-" + std::to_string(getpid()));
  fs::create_directories(folder);
  expectError(code, {"missing.so", "No such file"}, [&] { Session(folder / "missing.so"); });
  expectError(code, {"regular file"}, [&] { Session{folder.string()}; });
  std::ofstream(folder / "text.so") << "this is a text and not a shared object, however long it may be ....";
  expectError(code, {"text.so", "not a compiled model"}, [&] { Session(folder / "text.so"); });
  std::ofstream(folder / "empty.so");
  expectError(code, {"not a compiled model"}, [&] { Session(folder / "empty.so"); });
  fs::copy(modelPath("Features"), folder / "cut.so");
  for (uintmax_t size : {100, 1000, 5000}) {
    fs::resize_file(folder / "cut.so", size);
    expectError(code, {"cut.so"}, [&] { Session(folder / "cut.so"); });
    fs::remove(folder / "cut.so");
    fs::copy(modelPath("Features"), folder / "cut.so");
  }
  expectError(code, {"onnxc_model_entry"}, [] { Session(modelPath("NoEntry")); });
  expectError(ErrorCode::Unsupported, {"ABI", "compile"}, [] { Session(modelPath("OtherAbi")); });
  expectError(ErrorCode::InvalidArgument, {"threads", "-1"},
              [] { Session(modelPath("Features"), {.threads = -1}); });
  fs::remove_all(folder);
}

#if defined(__x86_64__)
TEST(Variants, TheFittingOneRuns) {
  Session session(modelPath("Variants"));
  EXPECT_EQ(session.run({})[0].data<int64_t>()[0], 1);
  expectError(ErrorCode::Unsupported, {"x86-64-v9", "lacks teleport, avx9;", "--march"},
              [] { Session(modelPath("NoFit")); });
}
#endif

TEST(Metadata, Malformed) {
  for (const char *json : {"", "{", "[]", "{}", "{\"inputs\": 1, \"outputs\": []}",
                           "{\"inputs\": [{\"name\": 1}], \"outputs\": []}",
                           "{\"inputs\": [], \"outputs\": [], \"opsets\": 3}"})
    expectError(ErrorCode::LoadFailed, {"metadata"}, [&] { parseMetadata(json); });
}

} // namespace
