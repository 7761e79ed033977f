// The code linked into each model, under a hand-written "generated" model:
//   y[N,3] = 2 * x[N,3] (in parallel), t[N] = s[N] (strings), r = q (a sequence), p = o (an optional).
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "model/generated.h"

namespace {

const int64_t kXDims[] = {-2, 3};
const int64_t kSDims[] = {-2};
const onnxc_arg_desc kInputs[] = {
    {"x", ONNXC_TENSOR, ONNXC_FLOAT, 2, kXDims, "tensor(float)"},
    {"s", ONNXC_TENSOR, ONNXC_STRING, 1, kSDims, "tensor(string)"},
    {"q", ONNXC_SEQUENCE, 0, -1, nullptr, "seq(tensor(float))"},
    {"o", ONNXC_TENSOR | ONNXC_ARG_OPTIONAL, ONNXC_STRING, -1, nullptr, "optional(tensor(string))"},
    {"m", ONNXC_MAP, 0, -1, nullptr, "map(int64,tensor(string))"},
};
const onnxc_arg_desc kOutputs[] = {
    {"y", ONNXC_TENSOR, ONNXC_FLOAT, 2, kXDims, "tensor(float)"},
    {"t", ONNXC_TENSOR, ONNXC_STRING, 1, kSDims, "tensor(string)"},
    {"r", ONNXC_SEQUENCE, 0, -1, nullptr, "seq(tensor(float))"},
    {"p", ONNXC_TENSOR | ONNXC_ARG_OPTIONAL, ONNXC_STRING, -1, nullptr, "optional(tensor(string))"},
    {"n", ONNXC_MAP, 0, -1, nullptr, "map(int64,tensor(string))"},
};

struct Work {
  onnxc_ctx *ctx;
  const float *x;
  float *y;
};

void doubleRows(void *arg, int64_t begin, int64_t end) {
  auto *work = static_cast<Work *>(arg);
  for (int64_t i = begin * 3; i < end * 3; ++i) {
    if (work->x[i] == -1)
      onnxc_fail(work->ctx, "x is %d at %d", -1, static_cast<int>(i));
    work->y[i] = work->x[i] * 2;
  }
}

int addOne(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t, const onnxc_tensor *in, int32_t, onnxc_tensor *out) {
  onnxc_alloc_out(ctx, &out[0], in[0].rank, in[0].dims);
  for (int64_t i = 0; i < onnxc_num_elements(&in[0]); ++i)
    static_cast<float *>(out[0].data)[i] = static_cast<float *>(in[0].data)[i] + onnxc_attr_float(attrs, "by", 0);
  return static_cast<int>(onnxc_attr_int(attrs, "code", 0));
}

int64_t kernelCode = 0;
int64_t allocation = 0;
int numAllocations = 1;
bool usesLargeBlocks = false;

} // namespace

extern "C" {

const onnxc_model *onnxc_model_entry(uint32_t abi);

int32_t runModel(onnxc_ctx *ctx) {
  EXPECT_EQ(reinterpret_cast<uintptr_t>(onnxc_arena(ctx)) % 128, 0u);
  std::memset(onnxc_arena(ctx), 1, 4096);
  onnxc_cancel_point(ctx);
  const int64_t *dims = onnxc_input_dims(ctx, 0);
  auto *x = static_cast<float *>(onnxc_input_data(ctx, 0));
  onnxc_check(ctx, dims[0] == 0 || x[0] != -2, "x starts with -2");

  float by = 1;
  onnxc_attr items[] = {{"by", ONNXC_ATTR_FLOAT, 1, &by}, {"code", ONNXC_ATTR_INT, 1, &kernelCode}};
  onnxc_attrs attrs = {2, items};
  onnxc_tensor in = {x, dims, 2, ONNXC_FLOAT}, plusOne = {nullptr, nullptr, 0, ONNXC_FLOAT};
  onnxc_call_kernel(ctx, addOne, &attrs, 1, &in, 1, &plusOne);
  if (dims[0] > 0) {
    EXPECT_EQ(static_cast<float *>(plusOne.data)[0], x[0] + 1);
  }

  for (int i = 0; i < numAllocations; ++i) {
    void *a = onnxc_alloc(ctx, allocation), *b = onnxc_alloc(ctx, allocation);
    EXPECT_NE(a, b);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
    std::memset(a, 2, static_cast<size_t>(allocation));
    onnxc_free(ctx, a);
  }

  if (usesLargeBlocks) {
    // What was used before is taken again, not what is left at a region's end, though that would fit better.
    void *a = onnxc_alloc(ctx, 24 << 20), *b = onnxc_alloc(ctx, 1 << 16);
    onnxc_free(ctx, a);
    void *c = onnxc_alloc(ctx, 1 << 20);
    EXPECT_EQ(a, c);
    onnxc_free(ctx, b);
    onnxc_free(ctx, c);
  }

  auto *y = static_cast<float *>(onnxc_output(ctx, 0, 2, dims));
  Work work = {ctx, x, y};
  onnxc_parallel_for(ctx, doubleRows, &work, dims[0], 3000.0);
  onnxc_set_output(ctx, 1, 1, onnxc_input_dims(ctx, 1), onnxc_input_data(ctx, 1));
  for (int i = 2; i < 5; ++i)
    onnxc_set_output(ctx, i, 0, onnxc_input_dims(ctx, i), onnxc_input_data(ctx, i));
  return 0;
}

const onnxc_variant kVariant = {"any", runModel, 4096, nullptr, 0, nullptr, 0, 0};
const onnxc_model_desc onnxc_generated_desc = {"{}", 2, 5, 5, kInputs, kOutputs, 128, &kVariant, 1};
}

namespace {

onnxc_value tensor(int32_t elemType, std::vector<int64_t> &shape, void *data) {
  onnxc_value value = {};
  value.kind = ONNXC_TENSOR;
  value.elem_type = elemType;
  value.tensor.data = data;
  value.tensor.device = {kDLCPU, 0};
  value.tensor.ndim = static_cast<int32_t>(shape.size());
  value.tensor.shape = shape.data();
  return value;
}

struct ModelTest : testing::Test {
  const onnxc_model *model = onnxc_model_entry(ONNXC_ABI_VERSION);
  onnxc_instance *instance = nullptr;
  onnxc_host host = {};
  onnxc_run_options options = {};
  std::vector<int64_t> xShape = {2, 3}, sShape = {2}, itemShape = {2}, scalar, keysShape = {2};
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  onnxc_string s[2] = {{"one", 3}, {"", 0}};
  std::vector<float> item = {7, 8};
  std::vector<int64_t> keys = {5, 6};
  onnxc_value items[2], map[2];
  onnxc_value in[5], out[5] = {};

  // A host that runs every index on a thread of its own.
  static void threads(void *, void (*body)(void *, int64_t, int64_t), void *arg, int64_t n, double) {
    std::vector<std::thread> pool;
    for (int64_t i = 0; i < n; ++i)
      pool.emplace_back([=] { body(arg, i, i + 1); });
    for (std::thread &thread : pool)
      thread.join();
  }

  void SetUp() override {
    kernelCode = 0;
    allocation = 1000;
    numAllocations = 1;
    usesLargeBlocks = false;
    host.struct_size = sizeof(host);
    host.parallel_for = threads;
    options.struct_size = sizeof(options);
    items[0] = tensor(ONNXC_FLOAT, itemShape, item.data());
    items[1] = tensor(ONNXC_FLOAT, scalar, item.data());
    map[0] = tensor(ONNXC_INT64, keysShape, keys.data());
    map[1] = tensor(ONNXC_STRING, keysShape, s);
    in[0] = tensor(ONNXC_FLOAT, xShape, x.data());
    in[1] = tensor(ONNXC_STRING, sShape, s);
    in[2] = {};
    in[2].kind = ONNXC_SEQUENCE;
    in[2].count = 2;
    in[2].items = items;
    in[3] = {};
    in[4] = {};
    in[4].kind = ONNXC_MAP;
    in[4].count = 2;
    in[4].items = map;
    ASSERT_EQ(model->create(&host, &instance), ONNXC_OK);
  }
  void TearDown() override { model->destroy(instance); }
  onnxc_status run() { return model->run(instance, in, out, &options); }
  std::string error() { return model->last_error(instance); }
};

TEST_F(ModelTest, Entry) {
  EXPECT_EQ(onnxc_model_entry(ONNXC_ABI_VERSION + 1), nullptr);
  EXPECT_EQ(model->num_inputs, 5);
  EXPECT_EQ(std::string(model->metadata, model->metadata_size), "{}");
  EXPECT_EQ(model->struct_size, sizeof(onnxc_model));
}

TEST_F(ModelTest, Values) {
  in[3] = tensor(ONNXC_STRING, sShape, s);
  ASSERT_EQ(run(), ONNXC_OK) << error();
  std::memset(items, 0, sizeof(items));
  item.assign(2, 0);
  EXPECT_EQ(out[0].tensor.ndim, 2);
  EXPECT_EQ(out[0].tensor.shape[0], 2);
  EXPECT_EQ(static_cast<float *>(out[0].tensor.data)[5], 12);
  auto *t = static_cast<onnxc_string *>(out[1].tensor.data);
  EXPECT_EQ(std::string(t[0].data, t[0].size), "one");
  EXPECT_EQ(t[1].size, 0u);
  ASSERT_EQ(out[2].kind, ONNXC_SEQUENCE);
  ASSERT_EQ(out[2].count, 2u);
  EXPECT_EQ(static_cast<float *>(out[2].items[0].tensor.data)[1], 8);
  EXPECT_EQ(out[2].items[1].tensor.ndim, 0);
  EXPECT_EQ(out[3].kind, ONNXC_TENSOR);
  EXPECT_EQ(static_cast<onnxc_string *>(out[3].tensor.data)[0].size, 3u);
  ASSERT_EQ(out[4].kind, ONNXC_MAP);
  EXPECT_EQ(static_cast<int64_t *>(out[4].items[0].tensor.data)[1], 6);
  EXPECT_EQ(static_cast<onnxc_string *>(out[4].items[1].tensor.data)[0].size, 3u);
  std::memset(out, 0, sizeof(out));
  in[2].count = 0;
  in[3] = {};
  ASSERT_EQ(run(), ONNXC_OK) << error();
  EXPECT_EQ(out[2].count, 0u);
  EXPECT_EQ(out[3].kind, ONNXC_NONE);
}

TEST_F(ModelTest, OutputBuffers) {
  std::vector<float> y(6);
  out[0] = tensor(ONNXC_FLOAT, xShape, y.data());
  ASSERT_EQ(run(), ONNXC_OK) << error();
  EXPECT_EQ(y[3], 8);
  EXPECT_EQ(out[0].tensor.data, y.data());
  std::vector<int64_t> wrong = {3, 2};
  out[0] = tensor(ONNXC_FLOAT, wrong, y.data());
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(error(), "output 'y' (0): wrong shape of the given buffer: expected 2x3 (contiguous), got 3x2");
  static std::vector<float> hostMemory(6);
  out[0] = {};
  host.allocate_output = [](void *, void *, int32_t index, const DLTensor *desc) -> void * {
    return index == 0 && desc->ndim == 2 && desc->dtype.bits == 32 ? hostMemory.data() : nullptr;
  };
  ASSERT_EQ(run(), ONNXC_OK) << error();
  EXPECT_EQ(out[0].tensor.data, hostMemory.data());
  EXPECT_EQ(hostMemory[0], 2);
}

TEST_F(ModelTest, WrongInputs) {
  in[0].elem_type = ONNXC_DOUBLE;
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(error(), "input 'x' (0): wrong element type: expected float, got double");
  in[0].elem_type = ONNXC_FLOAT;
  xShape = {2, 4};
  in[0].tensor.shape = xShape.data();
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(error(), "input 'x' (0): wrong size of dimension 1: expected 3, got 4 (shape 2x4)");
  xShape = {1, 3};
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(error(), "input 's' (1): wrong size of dimension 0: expected 1, as dimension 0 of input 'x', got 2");
  xShape = {2, 3};
  in[0].tensor.ndim = 1;
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(error(), "input 'x' (0): wrong rank: expected 2, got 1 (shape 2)");
  in[0].tensor.ndim = 2;
  std::vector<int64_t> strides = {1, 2};
  in[0].tensor.strides = strides.data();
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  in[0].tensor.strides = nullptr;
  in[0].tensor.data = nullptr;
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  in[0].tensor.data = x.data();
  in[2].kind = ONNXC_TENSOR;
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  EXPECT_EQ(error(), "input 'q' (2): wrong kind of value: expected a sequence, got a tensor");
  in[2].kind = ONNXC_SEQUENCE;
  map[1].elem_type = ONNXC_INT64;
  EXPECT_EQ(run(), ONNXC_INVALID_ARGUMENT);
  map[1].elem_type = ONNXC_STRING;
  xShape = {0, 3};
  sShape = {0};
  in[0].tensor.data = nullptr;
  EXPECT_EQ(run(), ONNXC_OK) << error();
}

TEST_F(ModelTest, Failures) {
  x[0] = -2;
  EXPECT_EQ(run(), ONNXC_RUNTIME_ERROR);
  EXPECT_EQ(error(), "x starts with -2");
  x[0] = 1;
  x[4] = -1; // in a parallel body
  EXPECT_EQ(run(), ONNXC_RUNTIME_ERROR);
  EXPECT_EQ(error(), "x is -1 at 4");
  x[4] = 5;
  kernelCode = 3;
  EXPECT_EQ(run(), ONNXC_RUNTIME_ERROR);
  EXPECT_EQ(error(), "a kernel ended with code 3");
  kernelCode = 0;
  allocation = int64_t(1) << 60;
  EXPECT_EQ(run(), ONNXC_OUT_OF_MEMORY);
  allocation = 1000;
  int32_t cancel = 1;
  options.cancel = &cancel;
  EXPECT_EQ(run(), ONNXC_CANCELLED);
  cancel = 0;
  EXPECT_EQ(run(), ONNXC_OK) << error();
}

TEST_F(ModelTest, Pool) {
  for (allocation = 1; allocation < (1 << 20); allocation = allocation * 5 / 4 + 1) {
    numAllocations = 3;
    ASSERT_EQ(run(), ONNXC_OK) << error();
  }
}

TEST_F(ModelTest, LargeBlocks) {
  usesLargeBlocks = true;
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(run(), ONNXC_OK) << error();
}

extern "C" _Float16 __truncsfhf2(float);
extern "C" _Float16 __truncdfhf2(double);
extern "C" _Float16 __truncsfbf2(float);
extern "C" float __extendhfsf2(_Float16);

uint16_t bits(_Float16 x) {
  uint16_t result;
  std::memcpy(&result, &x, 2);
  return result;
}

TEST(HalfBuiltins, Rounding) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    auto narrow = static_cast<uint16_t>(i);
    _Float16 half;
    std::memcpy(&half, &narrow, 2);
    float wide = __extendhfsf2(half);
    if (std::isnan(wide)) {
      EXPECT_EQ(i & 0x7c00, 0x7c00u);
      continue;
    }
    ASSERT_EQ(bits(__truncsfhf2(wide)), narrow);
  }
  EXPECT_EQ(bits(__truncsfhf2(1.0f)), 0x3c00);
  EXPECT_EQ(bits(__truncsfhf2(65519.0f)), 0x7bff);
  EXPECT_EQ(bits(__truncsfhf2(65520.0f)), 0x7c00);
  EXPECT_EQ(bits(__truncsfhf2(-1e-30f)), 0x8000);
  EXPECT_EQ(bits(__truncsfhf2(2.9802322e-8f)), 0x0000); // half of the smallest: to even
  EXPECT_EQ(bits(__truncsfhf2(2.9802326e-8f)), 0x0001);
  EXPECT_EQ(bits(__truncdfhf2(1.0 + 1.0 / 2048 + 1e-12)), 0x3c01); // a float in between would round twice
  EXPECT_EQ(bits(__truncsfbf2(1.0f)), 0x3f80);
  EXPECT_EQ(bits(__truncsfbf2(3.1415927f)), 0x4049);
  EXPECT_EQ(bits(__truncsfbf2(std::numeric_limits<float>::infinity())), 0x7f80);
  EXPECT_EQ(bits(__truncsfbf2(1e-40f)), 0x0001);
  EXPECT_TRUE(std::isnan(__extendhfsf2(__truncsfhf2(NAN))));
}

} // namespace
