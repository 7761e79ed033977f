/* Code for two CPUs, of which the second asks for something that no CPU has. The output is the
 * number of the variant that ran. With NO_FIT there is no code for any CPU. */
#include "model/generated.h"

static const int64_t dims[] = {1};
static const onnxc_arg_desc outputs[] = {{"variant", ONNXC_TENSOR, ONNXC_INT64, 1, dims, "tensor(int64)"}};
static const char metadata[] =
    "{\"inputs\": [], \"outputs\": [{\"name\": \"variant\", \"type\": \"tensor(int64)\", \"shape\": [1]}]}";

#ifndef NO_FIT
static int32_t runFirst(onnxc_ctx *ctx) {
  *(int64_t *)onnxc_output(ctx, 0, 1, dims) = 1;
  return 0;
}
#endif
static int32_t runSecond(onnxc_ctx *ctx) {
  *(int64_t *)onnxc_output(ctx, 0, 1, dims) = 2;
  return 0;
}

/* sse2, which x86-64 always has; and bits of a leaf that does not exist. */
static const onnxc_cpu_feature features[] = {
    {"sse2", 1, 0, 3, 26}, {"teleport", 0x0fffffff, 0, 0, 1}, {"avx9", 0x0fffffff, 0, 0, 2}};
static const onnxc_variant variants[] = {
#ifndef NO_FIT
    {"any", runFirst, 0, 0, 0, features, 1, 3},
#endif
    {"x86-64-v9", runSecond, 0, 0, 0, features, 3, 3},
};
const onnxc_model_desc onnxc_generated_desc = {
    metadata, sizeof metadata - 1, 0, 1, 0, outputs, 64, variants, sizeof variants / sizeof *variants};
