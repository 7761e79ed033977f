// Quantized operators by DequantizeLinear, the operator on numbers and QuantizeLinear, which the passes
// behind fuse into one loop nest.
#include "Expansion.h"
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

/// Parameters of one value may be vectors of one element, which ONNX takes for a parameter per element of an axis.
Value asScalar(Expansion &e, Value parameter) {
  if (!parameter || e.rank(parameter) == 0 || e.dim(parameter, 0) != 1 || e.rank(parameter) != 1)
    return parameter;
  return e.squeeze(parameter, {0});
}

/// Reads the value at `at`, with its scale and zero point behind it.
Value dequantized(Expansion &e, unsigned at) {
  return e.op("DequantizeLinear",
              {e.in(at), asScalar(e, e.in(at + 1)), asScalar(e, e.in(at + 2))});
}

/// `scale` is the position of the result's scale, before its zero point.
Value quantized(Expansion &e, Value y, unsigned scale, Type elem) {
  Value zero = e.has(scale + 1) ? asScalar(e, e.in(scale + 1)) : e.scalar(elem, 0);
  return e.op("QuantizeLinear", {y, asScalar(e, e.in(scale)), zero});
}

bool isSameConstant(Value a, Value b) {
  auto x = constantScalar(a), y = constantScalar(b);
  return x && y && *x == *y;
}

/// Y_scale, Y_zero, then each part with its scale and zero point.
Results expandConcat(Expansion &e) {
  Values parts;
  if (e.numInputs() < 5 || (e.numInputs() - 2) % 3 != 0)
    return e.refuse("needs a scale and a zero point with each input");
  bool same = true;
  for (unsigned i = 2; i < e.numInputs(); i += 3)
    same &= isSameConstant(e.in(i + 1), e.in(0)) && isSameConstant(e.in(i + 2), e.in(1));
  for (unsigned i = 2; i < e.numInputs(); i += 3)
    parts.push_back(same ? e.in(i) : dequantized(e, i));
  Value y = e.concat(parts, e.integer("axis", 0));
  return Values{same ? y : quantized(e, y, 0, e.elem(e.in(2)))};
}

/// Before opset 13 the dimensions from `axis` on were one.
Results expandSoftmax(Expansion &e) {
  Value x = dequantized(e, 0);
  int64_t rank = e.rank(x), axis = e.integer("axis", -1);
  if (rank < 1)
    return e.refuse("needs an input whose rank is known");
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis >= rank)
    return e.refuse("has an axis outside of the input's rank");
  Value y;
  NamedAttribute at = e.integerAttr("axis", axis);
  if (e.integer("opset", 13) >= 13 || axis == rank - 1) {
    y = e.op("Softmax", {x}, {at});
  } else {
    SmallVector<int64_t> flat(axis, 0);
    flat.push_back(-1);
    y = e.op("Reshape", {e.op("Softmax", {e.reshape(x, flat)}, {at}), e.op("Shape", {x})});
  }
  return Values{quantized(e, y, 3, e.elem(e.in(0)))};
}

/// condition, X, Y, Z's parameters.
Results expandWhere(Expansion &e) {
  Value y = e.op("Where", {e.in(0), dequantized(e, 1), dequantized(e, 4)});
  return Values{quantized(e, y, 7, e.elem(e.in(1)))};
}

Results expandReduceMean(Expansion &e) {
  auto axes = e.ints("axes");
  Value y = e.op("ReduceMean", {dequantized(e, 0), axes ? e.vector(*axes) : Value()},
                 {e.integerAttr("keepdims", e.integer("keepdims", 1))});
  return Values{quantized(e, y, 3, e.elem(e.in(0)))};
}

/// Without an axis the parameters are those of the whole tensor.
Attrs axisOf(Expansion &e) { return e.keep({"axis"}); }

Results expandQuantizeLinear(Expansion &e) {
  Value zero = e.has(2) ? asScalar(e, e.in(2)) : e.scalar(e.b.getIntegerType(8, false), 0);
  return Values{e.op("QuantizeLinear", {e.in(0), asScalar(e, e.in(1)), zero}, axisOf(e))};
}

Results expandDequantizeLinear(Expansion &e) {
  return Values{e.op("DequantizeLinear", {e.in(0), asScalar(e, e.in(1)), asScalar(e, e.in(2))},
                     axisOf(e))};
}

Value bitCast(Expansion &e, Value x, Type to) {
  return e.op("BitCast", {x}, {e.integerAttr("to", toOnnxElementType(to))});
}

/// data, indices, scales, zero_points: what is gathered is dequantized, not the whole table.
Results expandGatherBlockQuantized(Expansion &e) {
  Value data = e.in(0), indices = e.in(1), scales = e.in(2), zeros = e.in(3);
  int64_t rank = e.rank(data), indexRank = e.rank(indices);
  if (rank < 1 || indexRank < 0 || e.rank(scales) != rank)
    return e.refuse("needs data and scales of one rank that is known, and indices whose rank is known");
  int64_t bits = e.integer("bits", 4), block = e.integer("block_size", 128);
  int64_t axis = e.integer("gather_axis", 0), along = e.integer("quantize_axis", 1);
  axis = axis < 0 ? axis + rank : axis;
  along = along < 0 ? along + rank : along;
  if (axis < 0 || axis >= rank || along < 0 || along >= rank || axis == along)
    return e.refuse("needs two axes of the data that differ");
  auto gather = [&](Value table) {
    return e.op("Gather", {table, indices}, {e.integerAttr("axis", axis)});
  };
  // Gather takes no types below a byte, and no small floats: of these it moves the bits.
  Type elem = e.elem(data), byte = elem;
  bool isFloat = isa<Float8E4M3FNType, Float8E4M3FNUZType, Float8E5M2Type, Float8E5M2FNUZType, Float4E2M1FNType>(elem);
  Type u8 = e.b.getIntegerType(8, false);
  if (elem.isInteger(4))
    byte = elem.isUnsignedInteger() ? u8 : e.b.getIntegerType(8);
  if (isFloat && zeros)
    return e.refuse("with zero points of floating-point data is not supported, as in ONNX Runtime");
  if (isFloat) {
    Type same = e.b.getIntegerType(elem.getIntOrFloatBitWidth(), false);
    data = bitCast(e, e.cast(gather(e.cast(bitCast(e, data, same), u8)), same), elem);
  } else {
    data = gather(e.cast(data, byte));
  }
  scales = gather(scales);
  zeros = zeros ? gather(e.cast(zeros, byte)) : Value();
  int64_t place = along > axis ? along + indexRank - 1 : along;
  if (elem.isUnsignedInteger(8)) {
    if (along != rank - 1 || (bits != 2 && bits != 4 && bits != 8))
      return e.refuse("with packed data needs 2, 4 or 8 bits, and the last axis to be the quantized one");
    data = unpackCodes(e, data, bits);
    if (zeros)
      zeros = e.slice(unpackCodes(e, zeros, bits), e.vector({0}), e.size(scales, place), place);
    else
      zeros = e.op("Expand", {e.scalar(elem, 1 << (bits - 1)), e.op("Shape", {scales})});
  } else if (!elem.isInteger(4) && !isFloat) {
    return e.refuse("with data of this type is not supported");
  }
  return Values{e.op("DequantizeLinear", {data, scales, zeros},
                     {e.integerAttr("axis", place), e.integerAttr("block_size", block)})};
}

} // namespace

Value unpackCodes(Expansion &e, Value packed, int64_t bits) {
  if (bits == 8)
    return packed;
  Type u8 = e.elem(packed);
  int64_t last = e.rank(packed) - 1;
  Values parts;
  for (int64_t shift = 0; shift < 8; shift += bits) {
    Value code = packed;
    if (shift > 0)
      code = e.op("BitShift", {code, e.scalar(u8, shift)}, {e.textAttr("direction", "RIGHT")});
    if (shift + bits < 8)
      code = e.op("BitwiseAnd", {code, e.scalar(u8, (1 << bits) - 1)});
    parts.push_back(e.unsqueeze(code, {last + 1}));
  }
  SmallVector<int64_t> shape(last, 0);
  shape.push_back(-1);
  return e.reshape(e.concat(parts, last + 1), shape);
}

Expander quantizedExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("QLinearConcat", expandConcat)
      .Case("QLinearSoftmax", expandSoftmax)
      .Case("QLinearWhere", expandWhere)
      .Case("QLinearReduceMean", expandReduceMean)
      .Case("QuantizeLinear", expandQuantizeLinear)
      .Case("DequantizeLinear", expandDequantizeLinear)
      .Case("GatherBlockQuantized", expandGatherBlockQuantized)
      .Default(nullptr);
}

} // namespace onnxc::onnx
