// See ConstantData.h.
#include "ConstantData.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cmath>

using namespace mlir;

namespace onnxc {

ArrayRef<char> rawBytes(ElementsAttr value) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? blob->getData() : ArrayRef<char>();
  }
  auto dense = dyn_cast<DenseIntOrFPElementsAttr>(value);
  return dense && !dense.isSplat() ? dense.getRawData() : ArrayRef<char>();
}

/// Where a slice that is one run of memory begins, in elements.
static std::optional<int64_t> startOfPiece(tensor::ExtractSliceOp slice) {
  auto type = slice.getSourceType();
  ArrayRef<int64_t> offsets = slice.getStaticOffsets(), sizes = slice.getStaticSizes();
  if (!type.hasStaticShape() || ShapedType::isDynamicShape(offsets) ||
      ShapedType::isDynamicShape(sizes) ||
      llvm::any_of(slice.getStaticStrides(), [](int64_t stride) { return stride != 1; }))
    return std::nullopt;
  int64_t start = 0;
  bool single = true; // so far one index of each dimension
  for (auto [offset, size, whole] : llvm::zip(offsets, sizes, type.getShape())) {
    if (!single && size != whole)
      return std::nullopt;
    single &= size == 1;
    start = start * whole + offset;
  }
  return start;
}

arith::ConstantOp constantBehind(Value value, int64_t &offset) {
  offset = 0;
  while (true) {
    if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>()) {
      value = expand.getSrc();
    } else if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>()) {
      value = collapse.getSrc();
    } else if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>()) {
      std::optional<int64_t> start = startOfPiece(slice);
      if (!start)
        return nullptr;
      offset += *start;
      value = slice.getSource();
    } else {
      return value.getDefiningOp<arith::ConstantOp>();
    }
  }
}

bool hasNeedlessSubnormals(ArrayRef<float> weights) {
  constexpr float least = std::numeric_limits<float>::min();
  float largest = 0;
  bool any = false;
  for (float weight : weights) {
    float size = std::fabs(weight);
    largest = std::max(largest, size);
    any |= size < least && size != 0;
  }
  return any && largest >= least / std::numeric_limits<float>::epsilon();
}

void flushSubnormals(MutableArrayRef<float> weights) {
  for (float &weight : weights)
    if (std::fabs(weight) < std::numeric_limits<float>::min())
      weight = 0;
}

} // namespace onnxc
