// Spatial, spectral and random kernels.
#include <cmath>
#include <complex>

#include "KernelTest.h"

#include "kernels/half.h"

ONNXC_DECLARE_KERNEL(DFT)
ONNXC_DECLARE_KERNEL(STFT)
ONNXC_DECLARE_KERNEL(Det)
ONNXC_DECLARE_KERNEL(Inverse)
ONNXC_DECLARE_KERNEL(GridSample)
ONNXC_DECLARE_KERNEL(RoiAlign)
ONNXC_DECLARE_KERNEL(MaxUnpool)
ONNXC_DECLARE_KERNEL(Col2Im)
ONNXC_DECLARE_KERNEL(DeformConv)
ONNXC_DECLARE_KERNEL(ReverseSequence)
ONNXC_DECLARE_KERNEL(RandomNormal)
ONNXC_DECLARE_KERNEL(RandomUniform)
ONNXC_DECLARE_KERNEL(Multinomial)

using namespace onnxc_test;

// Against the definition, for lengths that take each path: radix 4, 2, odd factors, Bluestein.
TEST(Fourier, AnyLength) {
  for (int64_t n : {1, 2, 3, 8, 12, 30, 37, 74, 100}) {
    std::vector<double> x(static_cast<size_t>(2 * n));
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = std::sin(static_cast<double>(i * i));
    Call forward(onnxc_kernel_DFT);
    forward.in<double>({1, n, 2}, x);
    ASSERT_EQ(forward.run({ONNXC_DOUBLE}), "");
    std::vector<double> y = forward.values<double>();
    for (int64_t k = 0; k < n; ++k) {
      double re = 0, im = 0;
      for (int64_t i = 0; i < n; ++i) {
        double angle = -2 * M_PI * static_cast<double>(k * i % n) / static_cast<double>(n);
        auto at = static_cast<size_t>(2 * i);
        re += x[at] * std::cos(angle) - x[at + 1] * std::sin(angle);
        im += x[at] * std::sin(angle) + x[at + 1] * std::cos(angle);
      }
      EXPECT_NEAR(y[static_cast<size_t>(2 * k)], re, 1e-10);
      EXPECT_NEAR(y[static_cast<size_t>(2 * k + 1)], im, 1e-10);
    }
    Call back(onnxc_kernel_DFT);
    back.in<double>({1, n, 2}, y).attr("inverse", 1);
    ASSERT_EQ(back.run({ONNXC_DOUBLE}), "");
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(back.values<double>()[i], x[i], 1e-12);
  }
}

// Lines side by side and the few that are left, real and complex, one-sided and whole, along an inner axis.
TEST(Fourier, ManyLines) {
  for (int64_t n : {1, 2, 6, 9, 14, 37, 74, 400})
    for (int64_t lines : {2, 5, 18})
      for (int64_t parts : {1, 2})
        for (int64_t oneSided : {0, 1}) {
          std::vector<float> x(static_cast<size_t>(n * lines * parts));
          for (size_t i = 0; i < x.size(); ++i)
            x[i] = static_cast<float>(std::sin(static_cast<double>(i * i)));
          Call call(onnxc_kernel_DFT);
          call.in<float>({1, n, lines, parts}, x).attr("axis", 1).attr("onesided", oneSided);
          ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
          int64_t bins = oneSided ? n / 2 + 1 : n;
          ASSERT_EQ(call.shape(), (Shape{1, bins, lines, 2}));
          std::vector<float> y = call.values<float>();
          for (int64_t line = 0; line < lines; ++line)
            for (int64_t k = 0; k < bins; ++k) {
              std::complex<double> sum = 0;
              for (int64_t i = 0; i < n; ++i) {
                auto at = static_cast<size_t>((i * lines + line) * parts);
                double angle = -2 * M_PI * static_cast<double>(k * i % n) / static_cast<double>(n);
                sum += std::complex<double>(x[at], parts == 2 ? x[at + 1] : 0) * std::polar(1.0, angle);
              }
              auto at = static_cast<size_t>((k * lines + line) * 2);
              double bound = 2e-7 * static_cast<double>(n) + 1e-6;
              EXPECT_NEAR(y[at], sum.real(), bound);
              EXPECT_NEAR(y[at + 1], sum.imag(), bound);
              if (parts == 1 && (k == 0 || 2 * k == n)) {
                EXPECT_EQ(y[at + 1], 0);
              }
            }
        }
}

// A line's result does not depend on how many lines there are.
TEST(Fourier, LinesAreIndependent) {
  for (int64_t n : {10, 37, 480}) {
    std::vector<float> x(static_cast<size_t>(n * 16));
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(std::sin(static_cast<double>(i * i)));
    Call all(onnxc_kernel_DFT), alone(onnxc_kernel_DFT);
    all.in<float>({16, n, 1}, x);
    alone.in<float>({1, n, 1}, std::vector<float>(x.begin(), x.begin() + n));
    ASSERT_EQ(all.run({ONNXC_FLOAT}), "");
    ASSERT_EQ(alone.run({ONNXC_FLOAT}), "");
    std::vector<float> first = all.values<float>();
    first.resize(static_cast<size_t>(n * 2));
    EXPECT_EQ(first, alone.values<float>());
  }
}

TEST(Fourier, OneSidedThereAndBack) {
  Call forward(onnxc_kernel_DFT), back(onnxc_kernel_DFT);
  forward.in<float>({1, 5, 1}, {1, 2, 3, 4, 9}).attr("onesided", 1);
  ASSERT_EQ(forward.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(forward.shape(), (Shape{1, 3, 2}));
  back.in<float>({1, 3, 2}, forward.values<float>()).in<int64_t>({}, {5}).attr("onesided", 1).attr("inverse", 1);
  ASSERT_EQ(back.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(back.shape(), (Shape{1, 5, 1}));
  expectNear(back.values<float>(), {1, 2, 3, 4, 9});
}

TEST(Fourier, Stft) {
  Call call(onnxc_kernel_STFT);
  call.in<float>({1, 6, 1}, {1, 1, 1, 1, 1, 1}).in<int64_t>({}, {2}).absent().in<int64_t>({}, {4});
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(call.shape(), (Shape{1, 2, 3, 2}));
  expectNear(call.values<float>(), {4, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0});
}

TEST(Matrices, DetAndInverse) {
  Call det(onnxc_kernel_Det), inverse(onnxc_kernel_Inverse), singular(onnxc_kernel_Inverse);
  det.in<float>({2, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0});
  ASSERT_EQ(det.run({ONNXC_FLOAT}), "");
  expectNear(det.values<float>(), {-2, -1});
  inverse.in<float>({2, 2}, {1, 2, 3, 4});
  ASSERT_EQ(inverse.run({ONNXC_FLOAT}), "");
  expectNear(inverse.values<float>(), {-2, 1, 1.5f, -0.5f});
  singular.in<float>({2, 2}, {1, 2, 2, 4});
  EXPECT_EQ(singular.run({ONNXC_FLOAT}), "Inverse: matrix 0 is singular");
}

TEST(Spatial, GridSample) {
  Call linear(onnxc_kernel_GridSample), reflected(onnxc_kernel_GridSample);
  linear.in<float>({1, 1, 2, 2}, {0, 1, 2, 3}).in<float>({1, 1, 3, 2}, {0, 0, 1, 1, 5, 5}).attr("align_corners", 1);
  ASSERT_EQ(linear.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(linear.shape(), (Shape{1, 1, 1, 3}));
  expectNear(linear.values<float>(), {1.5f, 3, 0});
  reflected.in<float>({1, 1, 1, 3}, {0, 1, 2}).in<float>({1, 1, 1, 2}, {2, 0}).attr("align_corners", 1);
  reflected.attr("padding_mode", "reflection").attr("mode", "nearest");
  ASSERT_EQ(reflected.run({ONNXC_FLOAT}), "");
  expectNear(reflected.values<float>(), {1});
}

TEST(Spatial, RoiAlignOfAPlane) {
  Call call(onnxc_kernel_RoiAlign); // of x + y the average is that at the bin's centre
  std::vector<float> image;
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      image.push_back(static_cast<float>(x + y));
  call.in<float>({1, 1, 8, 8}, image).in<float>({1, 4}, {1, 1, 5, 5}).in<int64_t>({1}, {0});
  call.attr("output_height", 2).attr("output_width", 2).attr("sampling_ratio", 2);
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  expectNear(call.values<float>(), {3, 5, 5, 7});
}

TEST(Spatial, UnpoolCol2ImDeformConv) {
  Call unpool(onnxc_kernel_MaxUnpool), columns(onnxc_kernel_Col2Im), conv(onnxc_kernel_DeformConv);
  unpool.in<float>({1, 1, 2, 2}, {1, 2, 3, 4}).in<int64_t>({1, 1, 2, 2}, {5, 7, 13, 15});
  unpool.ints("kernel_shape", {2, 2}).ints("strides", {2, 2});
  ASSERT_EQ(unpool.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(unpool.values<float>(), (std::vector<float>{0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4}));
  columns.in<float>({1, 2, 2}, {1, 2, 3, 4}).in<int64_t>({2}, {1, 3}).in<int64_t>({2}, {1, 2});
  ASSERT_EQ(columns.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(columns.values<float>(), (std::vector<float>{1, 5, 4}));
  conv.in<float>({1, 1, 3, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8}).in<float>({1, 1, 2, 2}, {1, 1, 1, 1});
  std::vector<float> offset(32);
  offset[0] = 0.5f;          // the first tap's row at the first position: 1.5 instead of 0
  offset[4 * 5 + 0] = -0.1f; // the third tap's column: a tenth lies outside, 2.7 instead of 3
  conv.in<float>({1, 8, 2, 2}, offset).ints("kernel_shape", {2, 2}).ints("pads", {0, 0, 0, 0});
  ASSERT_EQ(conv.run({ONNXC_FLOAT}), "");
  expectNear(conv.values<float>(), {9.2f, 12, 20, 24});
}

TEST(ReverseSequence, TimeFirst) {
  Call call(onnxc_kernel_ReverseSequence);
  call.in<float>({3, 2}, {0, 1, 2, 3, 4, 5}).in<int64_t>({2}, {3, 2});
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(call.values<float>(), (std::vector<float>{4, 3, 2, 1, 0, 5}));
}

TEST(Random, SeededAndDistributed) {
  auto draw = [](onnxc_kernel_fn kernel, bool seeded) {
    Call call(kernel);
    call.ints("shape", {100, 100});
    if (seeded)
      call.attr("seed", 3.0f);
    EXPECT_EQ(call.run({ONNXC_FLOAT}), "");
    return call.values<float>();
  };
  std::vector<float> normal = draw(onnxc_kernel_RandomNormal, true), uniform = draw(onnxc_kernel_RandomUniform, false);
  EXPECT_EQ(normal, draw(onnxc_kernel_RandomNormal, true));
  EXPECT_NE(uniform, draw(onnxc_kernel_RandomUniform, false));
  double sum = 0, squares = 0, mean = 0;
  for (float x : normal) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x * x);
  }
  EXPECT_NEAR(sum / 1e4, 0, 0.05);
  EXPECT_NEAR(squares / 1e4, 1, 0.05);
  for (float x : uniform) {
    EXPECT_GE(x, 0.0f);
    EXPECT_LT(x, 1.0f);
    mean += static_cast<double>(x) / 1e4;
  }
  EXPECT_NEAR(mean, 0.5, 0.02);
}

TEST(Random, Multinomial) {
  Call call(onnxc_kernel_Multinomial);
  call.in<float>({1, 3}, {std::log(0.5f), -INFINITY, std::log(0.5f)}).attr("sample_size", 1000).attr("seed", 1.0f);
  ASSERT_EQ(call.run({ONNXC_INT32}), "");
  int counts[3] = {};
  for (int32_t c : call.values<int32_t>())
    ++counts[c];
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[0], 500, 60);
}

TEST(Half, Formats) {
  using namespace onnxc_k;
  EXPECT_EQ(F16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(F16(1.0f / 3).bits, 0x3555);
  EXPECT_EQ(BF16(3.1415927f).bits, 0x4049);
  EXPECT_EQ(F8E4M3FN(448.0f).bits, 0x7e);
  EXPECT_EQ(F8E4M3FN(1000.0f).bits, 0x7f);
  EXPECT_EQ(F8E5M2(INFINITY).bits, 0x7c);
  EXPECT_EQ(F8E4M3FNUZ(-0.0f).bits, 0);
  EXPECT_EQ(F4E2M1(5.0f).bits, 6); // between 4 and 6: to even
  EXPECT_EQ(float(F8E8M0(4.0f)), 4.0f);
  for (uint32_t i = 0; i < 0x10000; ++i) {
    F16 half;
    half.bits = static_cast<uint16_t>(i);
    float wide = half;
    if (!std::isnan(wide)) {
      ASSERT_EQ(F16(wide).bits, half.bits);
    }
  }
}
