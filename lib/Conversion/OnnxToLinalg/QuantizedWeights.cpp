//===- QuantizedWeights.cpp - Constant operands of integer products -------===//
//
// What is known of constant weights is computed here: their sums, and the form with
// signed weights and unsigned activations that dot product instructions take.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"

#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace onnxc {

bool readWeights(ElementsAttr values, SmallVectorImpl<int8_t> &bytes) {
  int64_t count = values.getNumElements();
  ArrayRef<char> data;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(values)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      data = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(values)) {
    data = dense.getRawData();
    if (dense.isSplat() && !data.empty()) {
      bytes.assign(count, static_cast<int8_t>(data[0]));
      return true;
    }
  }
  if (static_cast<int64_t>(data.size()) != count)
    return false;
  auto *begin = reinterpret_cast<const int8_t *>(data.data());
  bytes.assign(begin, begin + count);
  return true;
}

ElementsAttr makeWeights(ArrayRef<int64_t> shape, Type elem, ArrayRef<int8_t> bytes) {
  auto type = RankedTensorType::get(shape, elem);
  AsmResourceBlob blob = HeapAsmResourceBlob::allocateAndCopyWithAlign(
      ArrayRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()), 64);
  return DenseResourceElementsAttr::get(type, "weights", std::move(blob));
}

ElementsAttr sliceWeights(ElementsAttr values, int64_t index, int64_t from, int64_t width) {
  ArrayRef<int64_t> shape = values.getShapedType().getShape();
  SmallVector<int8_t> bytes, slice;
  if (!readWeights(values, bytes) || index >= shape[0] || from + width > shape[2])
    return {};
  slice.reserve(shape[1] * width);
  for (int64_t row = 0; row < shape[1]; ++row) {
    const int8_t *begin = bytes.data() + (index * shape[1] + row) * shape[2] + from;
    slice.append(begin, begin + width);
  }
  Type i8 = IntegerType::get(values.getContext(), 8);
  return makeWeights({shape[1], width}, i8, slice);
}

SmallVector<int32_t> sumWeights(const QuantizedOperand &weights, int64_t axis) {
  SmallVector<int8_t> bytes;
  if (!weights.values || !readWeights(weights.values, bytes))
    return {};
  ArrayRef<int64_t> shape = weights.values.getShapedType().getShape();
  int64_t inner = 1, size = shape[axis];
  for (int64_t d : shape.drop_front(axis + 1))
    inner *= d;
  SmallVector<int32_t> sums(size, 0);
  for (auto [i, byte] : llvm::enumerate(bytes))
    sums[i / inner % size] += weights.isUnsigned ? static_cast<uint8_t>(byte) : byte;
  return sums;
}

Value requantScale(TensorBuilder &b, Value x, Value w, Value y) {
  auto xs = getConstantDoubles(x), ws = getConstantDoubles(w), ys = getConstantDoubles(y);
  if (!xs || !ws || !ys || xs->size() != 1 || ys->size() != 1)
    return {};
  SmallVector<float> factors;
  for (double scale : *ws)
    factors.push_back(static_cast<float>((*xs)[0]) * static_cast<float>(scale) /
                      static_cast<float>((*ys)[0]));
  auto type = RankedTensorType::get({static_cast<int64_t>(factors.size())}, b.getF32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef(factors)));
}

void subtractZero(TensorBuilder &b, QuantizedOperand &weights) {
  SmallVector<int8_t> bytes;
  ArrayRef<int64_t> shape = weights.tensor ? cast<RankedTensorType>(weights.tensor.getType()).getShape()
                                           : ArrayRef<int64_t>();
  const auto &zeros = weights.zeroValues;
  if (!weights.values || !readWeights(weights.values, bytes) || !zeros || bytes.empty() ||
      (zeros->size() != 1 && static_cast<int64_t>(zeros->size()) != shape[0]))
    return;
  SmallVector<int16_t> values;
  for (auto [i, byte] : llvm::enumerate(bytes)) {
    int64_t zero = (*zeros)[zeros->size() == 1 ? 0 : i / (bytes.size() / shape[0])];
    values.push_back((weights.isUnsigned ? static_cast<uint8_t>(byte) : byte) - zero);
  }
  auto type = RankedTensorType::get(shape, IntegerType::get(b.getContext(), 16));
  AsmResourceBlob blob = HeapAsmResourceBlob::allocateAndCopyWithAlign(
      ArrayRef(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(int16_t)), 64);
  ElementsAttr attr = DenseResourceElementsAttr::get(type, "weights", std::move(blob));
  weights.tensor = arith::ConstantOp::create(b, type, cast<TypedAttr>(attr));
  weights.values = {};
  weights.isUnsigned = false;
  weights.zero = Value();
}

/// The operand with its values and its zero point moved by 128 into the other signedness.
static void flipSign(TensorBuilder &b, QuantizedOperand &operand, bool toUnsigned) {
  auto flip = [&](Value tensor) {
    return b.unary(tensor, b.getI8Type(), [](TensorBuilder &t, ValueRange args) -> Value {
      return arith::XOrIOp::create(t, args[0], t.intConstant(t.getI8Type(), -128));
    });
  };
  SmallVector<int8_t> bytes;
  if (operand.values && readWeights(operand.values, bytes)) {
    for (int8_t &byte : bytes)
      byte ^= -128;
    operand.values =
        makeWeights(operand.values.getShapedType().getShape(), b.getI8Type(), bytes);
    operand.tensor =
        arith::ConstantOp::create(b, operand.values.getShapedType(), cast<TypedAttr>(operand.values));
  } else {
    operand.tensor = flip(operand.tensor);
  }
  operand.isUnsigned = operand.zeroUnsigned = toUnsigned;
  if (!operand.zeroValues) {
    operand.zero = flip(operand.zero);
    return;
  }
  SmallVector<int8_t> stored;
  for (int64_t &zero : *operand.zeroValues) {
    zero += toUnsigned ? 128 : -128;
    stored.push_back(static_cast<int8_t>(zero));
  }
  auto shape = operand.zero ? cast<RankedTensorType>(operand.zero.getType()).getShape()
                            : ArrayRef<int64_t>();
  operand.zero = Value();
  if (llvm::any_of(stored, [](int8_t zero) { return zero != 0; }))
    operand.zero = arith::ConstantOp::create(
        b, DenseElementsAttr::get(RankedTensorType::get(shape, b.getI8Type()), ArrayRef(stored)));
}

void normalizeSigns(TensorBuilder &b, QuantizedOperand &x, QuantizedOperand &weights) {
  SmallVector<int8_t> bytes;
  if (!weights.values || !readWeights(weights.values, bytes))
    return;
  if (weights.isUnsigned)
    flipSign(b, weights, /*toUnsigned=*/false);
  if (!x.isUnsigned)
    flipSign(b, x, /*toUnsigned=*/true);
}

} // namespace onnxc
