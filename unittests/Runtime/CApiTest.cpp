#include "onnxc/runtime/c_api.h"

#include <gtest/gtest.h>
#include <string>

extern "C" int onnxc_test_c_program(const char *path, char *message, size_t size);

namespace {

const char *features = TEST_MODELS "/Features.so";

TEST(CApi, FromC) {
  char message[256] = "";
  EXPECT_EQ(onnxc_test_c_program(features, message, sizeof message), 0) << message;
}

TEST(CApi, Errors) {
  onnxc_session *session = nullptr;
  EXPECT_EQ(onnxc_session_open("/nowhere/x.so", nullptr, &session), ONNXC_LOAD_FAILED);
  EXPECT_EQ(session, nullptr);
  EXPECT_NE(std::string(onnxc_last_error()).find("/nowhere/x.so"), std::string::npos);
  EXPECT_EQ(onnxc_session_open(nullptr, nullptr, &session), ONNXC_INVALID_ARGUMENT);
  onnxc_session_options options{};
  EXPECT_EQ(onnxc_session_open(features, &options, &session), ONNXC_INVALID_ARGUMENT);

  ASSERT_EQ(onnxc_session_open(features, nullptr, &session), ONNXC_OK);
  EXPECT_EQ(onnxc_session_input(session, 3), nullptr);
  EXPECT_EQ(onnxc_session_output(session, 2)->rank, -1);
  EXPECT_STREQ(onnxc_session_input(session, 1)->symbols[0], "N");
  EXPECT_EQ(onnxc_session_input(session, 1)->dims[1], -1);
  onnxc_result *result = nullptr;
  onnxc_value outputs[3] = {};
  EXPECT_EQ(onnxc_session_run(session, 0, nullptr, nullptr, 3, nullptr, outputs, nullptr, &result),
            ONNXC_INVALID_ARGUMENT);
  EXPECT_NE(std::string(onnxc_last_error()).find("'a'"), std::string::npos);
  // A hostile value: no data.
  int64_t shape[] = {2, 3};
  onnxc_value bad = onnxc_tensor_value(ONNXC_FLOAT, 2, shape, nullptr);
  const char *name = "a";
  EXPECT_EQ(onnxc_session_run(session, 1, &name, &bad, 3, nullptr, outputs, nullptr, &result),
            ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(result, nullptr);
  onnxc_session_close(session);
  onnxc_result_free(nullptr);
}

} // namespace
