/* a[N,3] -> doubled[N,3], in parallel; a, b[N,M] -> both, a sequence; s[N] -> t[N], strings.
 * a[0] == -1 fails; a[0] == -2 waits to be cancelled. */
#include <unistd.h>

#include "model/generated.h"

static const int64_t aDims[] = {-2, 3}, bDims[] = {-2, -3}, sDims[] = {-2};
static const onnxc_arg_desc inputs[] = {
    {"a", ONNXC_TENSOR, ONNXC_FLOAT, 2, aDims, "tensor(float)"},
    {"b", ONNXC_TENSOR, ONNXC_FLOAT, 2, bDims, "tensor(float)"},
    {"s", ONNXC_TENSOR, ONNXC_STRING, 1, sDims, "tensor(string)"},
};
static const onnxc_arg_desc outputs[] = {
    {"doubled", ONNXC_TENSOR, ONNXC_FLOAT, 2, aDims, "tensor(float)"},
    {"t", ONNXC_TENSOR, ONNXC_STRING, 1, sDims, "tensor(string)"},
    {"both", ONNXC_SEQUENCE, ONNXC_UNDEFINED, -1, 0, "seq(tensor(float))"},
};
static const char metadata[] =
    "{\"abi\": 1, \"producer\": \"by hand\", \"graph_name\": \"features\", \"domain\": \"test\","
    " \"description\": \"doubles\", \"model_version\": 7, \"ir_version\": 9, \"opsets\": {\"ai.onnx\": 21},"
    " \"metadata_props\": {\"author\": \"nobody\"},"
    " \"inputs\": [{\"name\": \"a\", \"type\": \"tensor(float)\", \"elem_type\": 1, \"shape\": [\"N\", 3]},"
    "  {\"name\": \"b\", \"type\": \"tensor(float)\", \"elem_type\": 1, \"shape\": [\"N\", null]},"
    "  {\"name\": \"s\", \"type\": \"tensor(string)\", \"elem_type\": 8, \"shape\": [\"N\"]}],"
    " \"outputs\": [{\"name\": \"doubled\", \"type\": \"tensor(float)\", \"elem_type\": 1, \"shape\": [\"N\", 3]},"
    "  {\"name\": \"t\", \"type\": \"tensor(string)\", \"elem_type\": 8, \"shape\": [\"N\"]},"
    "  {\"name\": \"both\", \"type\": \"seq(tensor(float))\"}],"
    " \"target\": {\"triple\": \"x86_64-linux-gnu\", \"cpus\": [\"x86-64\"]}, \"compiler\": \"none\","
    " \"options\": {}, \"planned_memory\": {\"arena_bytes\": 64, \"weights_bytes\": 128, \"dynamic\": true}}";
struct Work {
  const float *from;
  float *to;
};

static void twice(void *arg, int64_t begin, int64_t end) {
  struct Work *work = arg;
  for (int64_t i = begin * 3; i < end * 3; ++i)
    work->to[i] = 2 * work->from[i];
}

static int32_t runFeatures(onnxc_ctx *ctx) {
  float *a = onnxc_input_data(ctx, 0);
  const int64_t *shape = onnxc_input_dims(ctx, 0);
  if (shape[0] > 0) {
    onnxc_check(ctx, a[0] != -1, "a begins with -1");
    while (a[0] == -2) {
      usleep(1000);
      onnxc_cancel_point(ctx);
    }
  }
  struct Work work = {a, onnxc_output(ctx, 0, 2, shape)};
  onnxc_parallel_for(ctx, twice, &work, shape[0], 500);
  onnxc_set_output(ctx, 1, 1, onnxc_input_dims(ctx, 2), onnxc_input_data(ctx, 2));

  onnxc_tensor first = {a, shape, 2, ONNXC_FLOAT};
  onnxc_tensor second = {onnxc_input_data(ctx, 1), onnxc_input_dims(ctx, 1), 2, ONNXC_FLOAT};
  onnxc_object *both = onnxc_new_object(ctx, ONNXC_SEQUENCE, ONNXC_FLOAT, 2);
  both->items[0] = onnxc_new_tensor_object(ctx, &first);
  both->items[1] = onnxc_new_tensor_object(ctx, &second);
  onnxc_set_output(ctx, 2, 0, shape, &both);
  return 0;
}

static const onnxc_variant variant = {"any", runFeatures, 64, 0, 0, 0, 0, 0};
const onnxc_model_desc onnxc_generated_desc = {
    metadata, sizeof metadata - 1, 3, 3, inputs, outputs, 64, &variant, 1};
