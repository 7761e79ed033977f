/* The C interface from C: opens a model, runs it, and checks what comes back. */
#include <stdio.h>
#include <string.h>

#include "onnxc/runtime/c_api.h"

int onnxc_test_c_program(const char *path, char *message, size_t size) {
  onnxc_session *session;
  if (onnxc_session_open(path, NULL, &session) != ONNXC_OK) {
    snprintf(message, size, "%s", onnxc_last_error());
    return 1;
  }
  float a[2][3] = {{1, 2, 3}, {4, 5, 6}}, b[2][1] = {{7}, {8}}, doubled[2][3];
  onnxc_string s[2] = {{"one", 3}, {"two", 3}};
  int64_t aShape[] = {2, 3}, bShape[] = {2, 1}, sShape[] = {2};
  const char *names[] = {"a", "b", "s"};
  onnxc_value inputs[] = {onnxc_tensor_value(ONNXC_FLOAT, 2, aShape, a),
                          onnxc_tensor_value(ONNXC_FLOAT, 2, bShape, b),
                          onnxc_tensor_value(ONNXC_STRING, 1, sShape, s)};
  const char *wanted[] = {"t", "doubled"};
  onnxc_value outputs[2];
  memset(outputs, 0, sizeof outputs);
  outputs[1] = onnxc_tensor_value(ONNXC_FLOAT, 2, aShape, doubled);
  onnxc_result *result;
  onnxc_status status =
      onnxc_session_run(session, 3, names, inputs, 2, wanted, outputs, NULL, &result);
  onnxc_session_close(session);
  if (status != ONNXC_OK) {
    snprintf(message, size, "%s", onnxc_last_error());
    return 1;
  }
  const onnxc_string *t = outputs[0].tensor.data;
  int ok = doubled[1][2] == 12 && outputs[1].tensor.data == (void *)doubled &&
           outputs[0].tensor.shape[0] == 2 && t[1].size == 3 && memcmp(t[1].data, "two", 3) == 0;
  onnxc_result_free(result);
  if (!ok)
    snprintf(message, size, "wrong results");
  return !ok;
}
