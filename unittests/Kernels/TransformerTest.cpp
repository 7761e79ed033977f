// Kernels of ONNX Runtime's operators for transformers.
#include <cmath>

#include "KernelTest.h"

ONNXC_DECLARE_KERNEL(MatMulNBits)
ONNXC_DECLARE_KERNEL(NGramRepeatBlock)

using namespace onnxc_test;

namespace {

struct Form {
  int64_t bits, block, rows, columns, places;
};

uint8_t byteAt(int64_t i) { return static_cast<uint8_t>(i * 37 + i / 11); }

} // namespace

// Against the definition, in forms that take each path: few rows and many, tiles and what is left of them.
TEST(MatMulNBits, AllForms) {
  for (Form f : {Form{4, 32, 1, 9, 70}, Form{4, 16, 3, 5, 40}, Form{4, 32, 5, 6, 64}, Form{4, 64, 53, 21, 300}, Form{8, 32, 2, 7, 40},
                 Form{8, 128, 13, 9, 300}, Form{2, 32, 9, 3, 64}, Form{4, 512, 7, 5, 600}}) {
    int64_t blocks = (f.places + f.block - 1) / f.block, bytes = f.block * f.bits / 8;
    std::vector<float> a(static_cast<size_t>(f.rows * f.places)), scales(static_cast<size_t>(f.columns * blocks));
    std::vector<uint8_t> b(static_cast<size_t>(f.columns * blocks * bytes)), zeros(scales.size());
    std::vector<float> bias(static_cast<size_t>(f.columns));
    for (size_t i = 0; i < a.size(); ++i)
      a[i] = std::sin(static_cast<float>(i));
    for (size_t i = 0; i < b.size(); ++i)
      b[i] = byteAt(static_cast<int64_t>(i));
    for (size_t i = 0; i < scales.size(); ++i) {
      scales[i] = 0.01f + 0.001f * static_cast<float>(i % 7);
      zeros[i] = static_cast<uint8_t>(i % (1u << f.bits));
    }
    for (size_t i = 0; i < bias.size(); ++i)
      bias[i] = static_cast<float>(i);
    std::vector<float> expected;
    for (int64_t m = 0; m < f.rows; ++m)
      for (int64_t n = 0; n < f.columns; ++n) {
        double sum = bias[static_cast<size_t>(n)];
        for (int64_t k = 0; k < f.places; ++k) {
          auto block = static_cast<size_t>(n * blocks + k / f.block);
          int64_t bit = k % f.block * f.bits;
          int code = b[block * static_cast<size_t>(bytes) + static_cast<size_t>(bit / 8)] >> (bit % 8) & ((1 << f.bits) - 1);
          sum += a[static_cast<size_t>(m * f.places + k)] * static_cast<double>(code - zeros[block]) * scales[block];
        }
        expected.push_back(static_cast<float>(sum));
      }
    Call call(onnxc_kernel_MatMulNBits);
    call.in<float>({f.rows, f.places}, a).in<uint8_t>({f.columns, blocks, bytes}, b).in<float>({f.columns, blocks}, scales);
    call.in<uint8_t>({f.columns, blocks}, zeros).in<float>({f.columns}, bias);
    call.attr("N", f.columns).attr("K", f.places).attr("bits", f.bits).attr("block_size", f.block);
    ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
    std::vector<float> values = call.values<float>();
    ASSERT_EQ(values.size(), expected.size());
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], 1e-3) << f.bits << " bits, blocks of " << f.block << ", at " << i;
  }
}

TEST(MatMulNBits, WrongPlaces) {
  Call call(onnxc_kernel_MatMulNBits);
  call.in<float>({1, 31}, std::vector<float>(31)).in<uint8_t>({1, 1, 16}, std::vector<uint8_t>(16)).in<float>({1, 1}, {1});
  call.attr("N", 1).attr("K", 32).attr("bits", 4).attr("block_size", 32);
  EXPECT_EQ(call.run({ONNXC_FLOAT}), "MatMulNBits: the last dimension of A is not K");
}

TEST(NGramRepeatBlock, Repetitions) {
  Call call(onnxc_kernel_NGramRepeatBlock), outside(onnxc_kernel_NGramRepeatBlock);
  call.in<int64_t>({1, 5}, {1, 2, 0, 1, 2}).in<float>({1, 4}, {5, 6, 7, 8}).attr("ngram_size", 3);
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(call.values<float>(), (std::vector<float>{-INFINITY, 6, 7, 8}));
  outside.in<int64_t>({1, 3}, {1, 9, 1}).in<float>({1, 4}, {5, 6, 7, 8}).attr("ngram_size", 2);
  EXPECT_EQ(outside.run({ONNXC_FLOAT}), "NGramRepeatBlock: token 9 is outside of the scores");
}
