// See StridedLoads.h. The shuffles have two operands each, which every target with vectors has
// an instruction or two for.
#include "StridedLoads.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace onnxc {

Value loadEvery(OpBuilder &b, Location loc, int64_t step, int64_t wanted, int64_t lanes,
                LoadVector load) {
  int64_t elements = (wanted - 1) * step + 1;
  Value result;
  for (int64_t chunk = 0; chunk * lanes < elements; ++chunk) {
    int64_t from = chunk * lanes, end = std::min(from + lanes, elements);
    // The last vector ends where the elements end; a masked load only where they do not fill one.
    int64_t at = std::max<int64_t>(0, std::min(from, elements - lanes));
    Value part = load(at, std::min(lanes, elements - at));
    SmallVector<int64_t> mask(lanes);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int64_t element = lane * step;
      bool here = element >= from && element < end;
      // Lanes to come are of no interest yet; any element will do.
      mask[lane] = !result ? (here ? element - at : 0) : here ? lanes + element - at : lane;
    }
    result = vector::ShuffleOp::create(b, loc, result ? result : part, part, mask);
  }
  return result;
}

Value loadReversed(OpBuilder &b, Location loc, int64_t wanted, int64_t lanes, LoadVector load) {
  Value part = load(1 - wanted, wanted);
  SmallVector<int64_t> mask(lanes, 0);
  for (int64_t lane = 0; lane < wanted; ++lane)
    mask[lane] = wanted - 1 - lane;
  return vector::ShuffleOp::create(b, loc, part, part, mask);
}

void transposeSquare(OpBuilder &b, Location loc, SmallVectorImpl<Value> &rows) {
  // Blocks of half the size change places across the diagonal, then blocks within those.
  int64_t lanes = rows.size();
  for (int64_t half = lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> upper(lanes), lower(lanes);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool right = lane & half;
      upper[lane] = right ? lanes + lane - half : lane;
      lower[lane] = right ? lanes + lane : lane + half;
    }
    for (int64_t row = 0; row < lanes; ++row) {
      if (row & half)
        continue;
      Value a = rows[row], c = rows[row + half];
      rows[row] = vector::ShuffleOp::create(b, loc, a, c, upper);
      rows[row + half] = vector::ShuffleOp::create(b, loc, a, c, lower);
    }
  }
}

} // namespace onnxc
