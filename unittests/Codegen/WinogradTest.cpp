// Winograd's matrices: the method is the convolution itself, in double; and what packing does.
#include "onnxc/Codegen/Common/Winograd.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace onnxc;

namespace {

using Matrix = std::vector<double>; // row-major

Matrix multiply(llvm::ArrayRef<double> a, llvm::ArrayRef<double> b, size_t rows, size_t inner, size_t columns) {
  Matrix result(rows * columns, 0.0);
  for (size_t i = 0; i < rows; ++i)
    for (size_t k = 0; k < inner; ++k)
      for (size_t j = 0; j < columns; ++j)
        result[i * columns + j] += a[i * inner + k] * b[k * columns + j];
  return result;
}

Matrix transpose(llvm::ArrayRef<double> a, size_t rows, size_t columns) {
  Matrix result(rows * columns);
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j)
      result[j * rows + i] = a[i * columns + j];
  return result;
}

/// M d M^T.
Matrix bothSides(llvm::ArrayRef<double> matrix, size_t rows, size_t columns, llvm::ArrayRef<double> d) {
  return multiply(multiply(matrix, d, rows, columns, columns), transpose(matrix, rows, columns), rows,
                  columns, rows);
}

class WinogradTest : public testing::TestWithParam<int> {};

TEST_P(WinogradTest, IsTheConvolution) {
  size_t tile = GetParam(), alpha = tile + 2;
  WinogradMatrices m = getWinogradMatrices(tile);
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 10; ++round) {
    Matrix patch(alpha * alpha), filter(9);
    for (double &value : patch)
      value = normal(random);
    for (double &value : filter)
      value = normal(random);
    Matrix product = bothSides(m.input, alpha, alpha, patch), g = bothSides(m.filter, alpha, 3, filter);
    for (size_t i = 0; i < product.size(); ++i)
      product[i] *= g[i];
    Matrix y = bothSides(m.output, tile, alpha, product);
    for (size_t i = 0; i < tile; ++i)
      for (size_t j = 0; j < tile; ++j) {
        double direct = 0;
        for (size_t k = 0; k < 9; ++k)
          direct += patch[(i + k / 3) * alpha + j + k % 3] * filter[k];
        EXPECT_NEAR(y[i * tile + j], direct, 1e-13);
      }
  }
}

TEST_P(WinogradTest, IsAccurateInFloat) {
  int64_t tile = GetParam(), channels = 40, count = 50, panel = 32;
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> data(count * channels * 9), packed(countWinogradWeights(tile, channels, count, panel));
  for (float &value : data)
    value = normal(random);
  WinogradFilters filters{data.data(), channels, count, 9, channels * 9, 3, 1};
  packWinogradWeights(filters, tile, panel, /*inDouble=*/true, packed);
  EXPECT_LT(measureWinogradError(filters, tile, panel, packed), 5e-6);
  packWinogradWeights(filters, tile, panel, /*inDouble=*/false, packed);
  EXPECT_LT(measureWinogradError(filters, tile, panel, packed), 5e-6);
  // Any change of the weights is seen.
  packed[packed.size() / 2] += 10;
  EXPECT_GT(measureWinogradError(filters, tile, panel, packed), 1e-5);
}

TEST_P(WinogradTest, FillsTheLastPanelUp) {
  // 40 filters in panels of 32: one panel, and half a one.
  EXPECT_EQ(countWinogradWeights(GetParam(), 3, 40, 32), (GetParam() + 2) * (GetParam() + 2) * 3 * 48);
  EXPECT_EQ(countWinogradWeights(GetParam(), 3, 50, 32), (GetParam() + 2) * (GetParam() + 2) * 3 * 64);
}

TEST(WinogradFilters, StayAsTheyAreInPanels) {
  int64_t channels = 3, count = 40;
  std::vector<float> data(count * channels * 9), packed(countWinogradFilters(channels, count, 32), -1.0f);
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<float>(i);
  // [F, C, 3, 3] as they lie in memory.
  packWinogradFilters({data.data(), channels, count, 9, channels * 9, 3, 1}, 32, packed);
  ASSERT_EQ(packed.size(), 9u * 3 * 48);
  // Filter 5, channel 2, tap (1, 0), then filter 33 of the second panel, which is 16 wide.
  EXPECT_EQ(packed[(2 * 9 + 3) * 32 + 5], data[(5 * 3 + 2) * 9 + 3]);
  EXPECT_EQ(packed[9 * 3 * 32 + (1 * 9 + 8) * 16 + 1], data[(33 * 3 + 1) * 9 + 8]);
  EXPECT_EQ(packed[9 * 3 * 32 + 8], 0.0f); // filter 40, which is not there
}

TEST_P(WinogradTest, HasNoAccuracyWithInfiniteWeights) {
  int64_t tile = GetParam();
  std::vector<float> data(9, std::numeric_limits<float>::infinity()), packed(countWinogradWeights(tile, 1, 1, 32));
  WinogradFilters filters{data.data(), 1, 1, 9, 9, 3, 1};
  packWinogradWeights(filters, tile, 32, /*inDouble=*/true, packed);
  EXPECT_TRUE(std::isinf(measureWinogradError(filters, tile, 32, packed)));
}

INSTANTIATE_TEST_SUITE_P(Tiles, WinogradTest, testing::Values(2, 4));

} // namespace
