// See Winograd.h. The method: Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2015; the matrices follow from the points by Toom and Cook's interpolation.
#include "onnxc/Codegen/Common/Winograd.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <vector>

namespace onnxc {
namespace {

constexpr double a = kWinogradNear, a2 = kWinogradNearSquare, a3 = a * a2;
constexpr double c = kWinogradFar, c2 = kWinogradFarSquare, c3 = c * c2;

constexpr double input2[] = {1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, -1, 0, 1};
constexpr double filter2[] = {1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1};
constexpr double output2[] = {1, 1, 1, 0, 0, 1, -1, 1};

constexpr double input4[] = {
    a2 * c2, 0,       -(a2 + c2), 0,          1, 0, //
    0,       -a * c2, -c2,        a,          1, 0, //
    0,       a * c2,  -c2,        -a,         1, 0, //
    0,       -c * a2, -a2,        c,          1, 0, //
    0,       c * a2,  -a2,        -c,         1, 0, //
    0,       a2 * c2, 0,          -(a2 + c2), 0, 1,
};
// Lagrange's denominators of the points.
constexpr double n0 = 1 / (a2 * c2), na = 1 / (2 * a2 * (a2 - c2)), nc = 1 / (2 * c2 * (c2 - a2));
constexpr double filter4[] = {
    n0, 0,       0,       //
    na, na *a,   na *a2,  //
    na, -na *a,  na *a2,  //
    nc, nc *c,   nc *c2,  //
    nc, -nc *c,  nc *c2,  //
    0,  0,       1,
};
constexpr double output4[] = {
    1, 1,  1,   1,  1,   0, //
    0, a,  -a,  c,  -c,  0, //
    0, a2, a2,  c2, c2,  0, //
    0, a3, -a3, c3, -c3, 1,
};

constexpr int64_t kMostAlpha = 6;

/// Filters of panel p, as packed.
int64_t panelWidth(int64_t p, int64_t filters, int64_t panel) {
  return std::min(panel, static_cast<int64_t>(llvm::alignTo(filters - p * panel, panel / 2)));
}

/// M d M^T for M [rows, n] and d [n, n].
template <typename T>
void applyBothSides(llvm::ArrayRef<double> matrix, int64_t rows, int64_t n, const T *d, T *result) {
  T half[kMostAlpha * kMostAlpha];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < n; ++j) {
      T sum = 0;
      for (int64_t k = 0; k < n; ++k)
        sum += static_cast<T>(matrix[i * n + k]) * d[k * n + j];
      half[i * n + j] = sum;
    }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < rows; ++j) {
      T sum = 0;
      for (int64_t k = 0; k < n; ++k)
        sum += half[i * n + k] * static_cast<T>(matrix[j * n + k]);
      result[i * rows + j] = sum;
    }
}

template <typename T>
void packTransformed(const WinogradFilters &filters, int64_t tile, int64_t panel,
                     llvm::MutableArrayRef<float> packed) {
  int64_t alpha = tile + 2, matrices = alpha * alpha;
  llvm::ArrayRef<double> matrix = getWinogradMatrices(tile).filter;
  std::fill(packed.begin(), packed.end(), 0.0f);
  for (int64_t f = 0; f < filters.filters; ++f) {
    int64_t p = f / panel, width = panelWidth(p, filters.filters, panel);
    float *at = packed.data() + p * matrices * filters.channels * panel + f % panel;
    for (int64_t channel = 0; channel < filters.channels; ++channel) {
      T taps[9], result[kMostAlpha * kMostAlpha];
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 3; ++j)
          taps[i * 3 + j] = filters.at(f, channel, i, j);
      applyBothSides(matrix, alpha, 3, taps, result);
      for (int64_t xi = 0; xi < matrices; ++xi)
        at[(xi * filters.channels + channel) * width] = static_cast<float>(result[xi]);
    }
  }
}

} // namespace

WinogradMatrices getWinogradMatrices(int64_t tile) {
  if (tile == 2)
    return {input2, filter2, output2};
  return {input4, filter4, output4};
}

int64_t countWinogradWeights(int64_t tile, int64_t channels, int64_t filters, int64_t panel) {
  int64_t alpha = tile + 2;
  return alpha * alpha * channels * static_cast<int64_t>(llvm::alignTo(filters, panel / 2));
}

void packWinogradWeights(const WinogradFilters &filters, int64_t tile, int64_t panel, bool inDouble,
                         llvm::MutableArrayRef<float> packed) {
  if (inDouble)
    packTransformed<double>(filters, tile, panel, packed);
  else
    packTransformed<float>(filters, tile, panel, packed);
}

int64_t countWinogradFilters(int64_t channels, int64_t filters, int64_t panel) {
  return 9 * channels * static_cast<int64_t>(llvm::alignTo(filters, panel / 2));
}

void packWinogradFilters(const WinogradFilters &filters, int64_t panel, llvm::MutableArrayRef<float> packed) {
  std::fill(packed.begin(), packed.end(), 0.0f);
  for (int64_t f = 0; f < filters.filters; ++f) {
    int64_t p = f / panel, width = panelWidth(p, filters.filters, panel);
    float *at = packed.data() + p * 9 * filters.channels * panel + f % panel;
    for (int64_t channel = 0; channel < filters.channels; ++channel)
      for (int64_t tap = 0; tap < 9; ++tap)
        at[(channel * 9 + tap) * width] = filters.at(f, channel, tap / 3, tap % 3);
  }
}

double measureWinogradError(const WinogradFilters &filters, int64_t tile, int64_t panel,
                            llvm::ArrayRef<float> packed) {
  int64_t alpha = tile + 2, matrices = alpha * alpha, channels = filters.channels;
  WinogradMatrices m = getWinogradMatrices(tile);
  // Values in [-1, 1), the same in every compilation.
  std::vector<float> patches(channels * matrices), transformed(matrices * channels);
  uint32_t state = 1;
  for (float &value : patches) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
  }
  for (int64_t channel = 0; channel < channels; ++channel) {
    float result[kMostAlpha * kMostAlpha];
    applyBothSides(m.input, alpha, alpha, &patches[channel * matrices], result);
    for (int64_t xi = 0; xi < matrices; ++xi)
      transformed[xi * channels + channel] = result[xi];
  }
  double worst = 0, largest = 0;
  std::vector<float> sums(matrices * panel);
  for (int64_t p = 0; p * panel < filters.filters; ++p) {
    int64_t width = panelWidth(p, filters.filters, panel);
    const float *weights = packed.data() + p * matrices * channels * panel;
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (int64_t xi = 0; xi < matrices; ++xi)
      for (int64_t channel = 0; channel < channels; ++channel)
        for (int64_t f = 0; f < width; ++f)
          sums[xi * panel + f] +=
              transformed[xi * channels + channel] * weights[(xi * channels + channel) * width + f];
    for (int64_t f = p * panel; f < std::min((p + 1) * panel, filters.filters); ++f) {
      float square[kMostAlpha * kMostAlpha];
      float result[kMostAlpha * kMostAlpha];
      for (int64_t xi = 0; xi < matrices; ++xi)
        square[xi] = sums[xi * panel + f % panel];
      // A^T has fewer rows than columns, as applyBothSides allows.
      applyBothSides(m.output, tile, alpha, square, result);
      for (int64_t i = 0; i < tile; ++i)
        for (int64_t j = 0; j < tile; ++j) {
          double exact = 0;
          for (int64_t channel = 0; channel < channels; ++channel)
            for (int64_t k = 0; k < 9; ++k)
              exact += double(patches[channel * matrices + (i + k / 3) * alpha + j + k % 3]) *
                       double(filters.at(f, channel, k / 3, k % 3));
          double error = std::fabs(exact - double(result[i * tile + j]));
          // Weights that are not finite have no accuracy to measure.
          if (!std::isfinite(exact) || !std::isfinite(error))
            return INFINITY;
          worst = std::max(worst, error);
          largest = std::max(largest, std::fabs(exact));
        }
    }
  }
  return largest > 0 ? worst / largest : 0;
}

} // namespace onnxc
