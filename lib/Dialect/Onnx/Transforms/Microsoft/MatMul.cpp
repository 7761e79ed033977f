// Products with something fused to them, and integer products with factors.
#include "Activation.h"
#include "Expansion.h"
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

/// A matrix operand as MatMul wants it. With `batch` its first dimension is the rows' and the
/// batch follows; with `swap` rows and columns change places after that.
FailureOr<Value> matrix(Expansion &e, unsigned input, bool swap, bool batch) {
  Value x = e.in(input);
  int64_t rank = e.rank(x);
  if (!swap && !batch)
    return x;
  if (rank < 0)
    return e.refuse("has an input " + Twine(input) + " whose rank is not known");
  if (rank < 2)
    return x;
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (batch)
    std::rotate(permutation.begin(), permutation.begin() + 1, permutation.end() - 1);
  if (swap)
    std::swap(permutation[rank - 1], permutation[rank - 2]);
  return e.transpose(x, permutation);
}

Results expandFusedMatMul(Expansion &e) {
  auto a = matrix(e, 0, e.integer("transA", 0) != 0, e.integer("transBatchA", 0) != 0);
  auto b = matrix(e, 1, e.integer("transB", 0) != 0, e.integer("transBatchB", 0) != 0);
  if (failed(a) || failed(b))
    return failure();
  return Values{e.scaled(e.op("MatMul", {*a, *b}), e.real("alpha", 1))};
}

/// alpha, beta and gamma of an activation that is given by attributes of its own.
FailureOr<Value> namedActivation(Expansion &e, Value y) {
  SmallVector<double> parameters;
  for (StringRef name : {"activation_alpha", "activation_beta", "activation_gamma"})
    if (e.attr(name))
      parameters.push_back(e.real(name, 0));
  return activate(e, y, e.text("activation", ""), parameters);
}

Results expandFusedGemm(Expansion &e) {
  Value y = e.op("Gemm", {e.in(0), e.in(1), e.in(2)},
                 e.keep({"alpha", "beta", "transA", "transB"}));
  auto result = namedActivation(e, y);
  if (failed(result))
    return failure();
  return Values{*result};
}

Results expandFusedMatMulActivation(Expansion &e) {
  Results y = expandFusedMatMul(e);
  if (failed(y))
    return failure();
  auto result = namedActivation(e, y->front());
  if (failed(result))
    return failure();
  return Values{*result};
}

Results expandMatMulIntegerToFloat(Expansion &e) {
  return Values{integerMatMul(e, e.in(0), e.in(1), e.in(2), e.in(3), e.in(4), e.in(5), e.in(6))};
}

/// A, B, b_scale, b_zero, bias: A is quantized here.
Results expandDynamicQuantizeMatMul(Expansion &e) {
  Values a = e.ops("DynamicQuantizeLinear", {e.in(0)}, {}, {true, true, true});
  return Values{integerMatMul(e, a[0], e.in(1), a[1], e.in(2), a[2], e.in(3), e.in(4))};
}

/// The sum is taken in 32 bits.
Results expandMatMulInteger16(Expansion &e) {
  Type i32 = e.b.getI32Type();
  return Values{e.op("MatMul", {e.cast(e.in(0), i32), e.cast(e.in(1), i32)})};
}

/// The 16 numbers that a code of 4 bits stands for.
ArrayRef<double> codesOfFp4() {
  static const double codes[] = {0, 5.208333333e-03, 0.66666667, 1.0, 0.33333333, 0.5,
                                 0.16666667, 0.25, -0.0, -5.208333333e-03, -0.66666667, -1.0,
                                 -0.33333333, -0.5, -0.16666667, -0.25};
  return codes;
}
ArrayRef<double> codesOfNf4() {
  static const double codes[] = {-1.0, -0.6961928009986877, -0.5250730514526367,
                                 -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
                                 -0.09105003625154495, 0.0, 0.07958029955625534,
                                 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
                                 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0};
  return codes;
}

/// B holds N * K codes, the first of each pair in the upper half of its byte; absmax one factor for each
/// `block_size` of them.
Results expandMatMulBnb4(Expansion &e) {
  int64_t n = e.integer("N", 0), k = e.integer("K", 0), block = e.integer("block_size", 0);
  int64_t kind = e.integer("quant_type", -1);
  if (n < 1 || k < 1 || block < 1 || (kind != 0 && kind != 1))
    return e.refuse("needs N, K, block_size and quant_type 0 or 1");
  if (e.integer("transB", 1) != 1)
    return e.refuse("with transB = 0 is not supported");
  Value packed = e.in(1);
  Type u8 = e.elem(packed), elem = e.elem(e.in(2));
  Value upper = e.op("BitShift", {packed, e.scalar(u8, 4)}, {e.textAttr("direction", "RIGHT")});
  Value lower = e.op("BitwiseAnd", {packed, e.scalar(u8, 15)});
  int64_t count = n * k;
  auto column = [&](Value v) { return e.reshape(v, {-1, 1}); };
  Value codes = e.reshape(e.concat({column(upper), column(lower)}, 1), {-1});
  codes = e.slice(codes, 0, count, 0);
  Value table = e.constant(elem, {16}, kind == 0 ? codesOfFp4() : codesOfNf4());
  Value values = e.op("Gather", {table, e.cast(codes, e.b.getI32Type())});
  int64_t blocks = (count + block - 1) / block;
  if (int64_t rest = blocks * block - count)
    values = e.op("Pad", {values, e.vector({0, rest})});
  values = e.mul(e.reshape(values, {blocks, block}), e.reshape(e.in(2), {blocks, 1}));
  values = e.slice(e.reshape(values, {-1}), 0, count, 0);
  return Values{e.op("MatMul", {e.in(0), e.transpose(e.reshape(values, {n, k}), {1, 0})})};
}

} // namespace

Value integerMatMul(Expansion &e, Value a, Value b, Value aScale, Value bScale, Value aZero,
                    Value bZero, Value bias) {
  // MatMulInteger takes the zero points of one row each as [M] or [M, 1].
  Value sums = e.op("MatMulInteger", {a, b, aZero, bZero});
  Value y = e.mul(e.cast(sums, e.elem(aScale)), e.mul(aScale, bScale));
  return e.addIf(y, bias);
}

Expander matMulExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Cases({"FusedMatMul", "TransposeMatMul"}, expandFusedMatMul)
      .Case("FusedGemm", expandFusedGemm)
      .Case("FusedMatMulActivation", expandFusedMatMulActivation)
      .Case("MatMulIntegerToFloat", expandMatMulIntegerToFloat)
      .Case("DynamicQuantizeMatMul", expandDynamicQuantizeMatMul)
      .Case("MatMulInteger16", expandMatMulInteger16)
      .Case("MatMulBnb4", expandMatMulBnb4)
      .Default(nullptr);
}

} // namespace onnxc::onnx
