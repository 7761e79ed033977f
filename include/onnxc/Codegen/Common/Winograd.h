// Winograd's method for 3x3 convolutions: its matrices, the filters transformed and packed, and
// what accuracy it costs. y = A^T [(G g G^T) * (B^T d B)] A for a patch d and a filter g.
#ifndef ONNXC_CODEGEN_COMMON_WINOGRAD_H
#define ONNXC_CODEGEN_COMMON_WINOGRAD_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace onnxc {

/// F(4x4, 3x3) interpolates at 0, +-near, +-far and infinity. These points lose half to a
/// fifth of the accuracy that the usual 0, +-1, +-2 lose, and the transforms cost the same.
constexpr double kWinogradNear = 0.70710678118654752440, kWinogradNearSquare = 0.5;
constexpr double kWinogradFar = 1.41421356237309504880, kWinogradFarSquare = 2.0;

/// Row-major; alpha = tile + 2.
struct WinogradMatrices {
  llvm::ArrayRef<double> input;  ///< B^T, alpha x alpha
  llvm::ArrayRef<double> filter; ///< G, alpha x 3
  llvm::ArrayRef<double> output; ///< A^T, tile x alpha
};

/// `tile`: 2 or 4.
WinogradMatrices getWinogradMatrices(int64_t tile);

/// Filters [F, C, 3, 3] as some layout holds them.
struct WinogradFilters {
  const float *data;
  int64_t channels, filters;
  int64_t channelStride, filterStride, rowStride, columnStride;
  float at(int64_t f, int64_t c, int64_t i, int64_t j) const {
    return data[f * filterStride + c * channelStride + i * rowStride + j * columnStride];
  }
};

/// Number of transformed weights for panels of `panel` filters.
int64_t countWinogradWeights(int64_t tile, int64_t channels, int64_t filters, int64_t panel);

/// G g G^T of all filters as panels [panels][alpha * alpha][C][panel]; the last panel is as wide as its
/// filters need, rounded up to half a panel and filled up with zeros. Computed in double, or in float as
/// generated code does it.
void packWinogradWeights(const WinogradFilters &filters, int64_t tile, int64_t panel, bool inDouble,
                         llvm::MutableArrayRef<float> packed);

/// The filters themselves in such panels, [panels][C][3 * 3][panel], and how many numbers these have.
int64_t countWinogradFilters(int64_t channels, int64_t filters, int64_t panel);
void packWinogradFilters(const WinogradFilters &filters, int64_t panel, llvm::MutableArrayRef<float> packed);

/// The largest difference to a direct convolution in double, relative to the largest result, for
/// a patch of sample data.
double measureWinogradError(const WinogradFilters &filters, int64_t tile, int64_t panel,
                            llvm::ArrayRef<float> packed);

/// Bytes by which transformed weights may make a model larger whose constants are those in `op`.
int64_t countWinogradRoom(mlir::Operation *op);

} // namespace onnxc

#endif
