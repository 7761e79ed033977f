// Derivatives of products of matrices, and Einsum.
#include "Rules.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// A vector becomes a matrix: a row on the left, a column on the right.
LogicalResult matMul(Adjoint &a) {
  GradientWriter &w = a.w;
  int64_t left = w.rank(a.x(0)), right = w.rank(a.x(1));
  if (left < 0 || right < 0)
    return a.refuse("has an input of unknown rank");
  Value x = left == 1 ? w.unsqueeze(a.x(0), {0}) : a.x(0);
  Value y = right == 1 ? w.unsqueeze(a.x(1), {1}) : a.x(1);
  Value g = a.g();
  if (right == 1)
    g = w.unsqueeze(g, {-1});
  if (left == 1)
    g = w.unsqueeze(g, {-2});
  auto set = [&](unsigned i, Value product, Value matrix) -> LogicalResult {
    Value sum = w.sumTo(product, matrix);
    if (!sum)
      return a.refuse("has an input of unknown rank");
    a.set(i, matrix == a.x(i) ? sum : w.reshapeLike(sum, a.x(i)));
    return success();
  };
  if (a.needs(0) && failed(set(0, w.op("MatMul", {g, w.swapAxes(y, -1, -2)}), x)))
    return failure();
  if (a.needs(1) && failed(set(1, w.op("MatMul", {w.swapAxes(x, -1, -2), g}), y)))
    return failure();
  return success();
}

LogicalResult gemm(Adjoint &a) {
  GradientWriter &w = a.w;
  int64_t turnedA = a.integer("transA", 0), turnedB = a.integer("transB", 0);
  double alpha = a.real("alpha", 1), beta = a.real("beta", 1);
  auto product = [&](Value x, Value y, int64_t turnX, int64_t turnY) {
    return w.op("Gemm", {x, y, Value()},
                {w.realAttr("alpha", alpha), w.integerAttr("transA", turnX), w.integerAttr("transB", turnY)});
  };
  if (a.needs(0))
    a.set(0, turnedA ? product(a.x(1), a.g(), turnedB, 1) : product(a.g(), a.x(1), 0, !turnedB));
  if (a.needs(1))
    a.set(1, turnedB ? product(a.g(), a.x(0), 1, turnedA) : product(a.x(0), a.g(), !turnedA, 0));
  return a.needs(2) ? a.setSummed(2, w.scaled(a.g(), beta)) : success();
}

/// The result's subscripts take the place of the operand's, and ones of the operand's shape are multiplied in, for what
/// only this operand has.
LogicalResult einsum(Adjoint &a) {
  GradientWriter &w = a.w;
  std::string equation;
  for (char c : cast<EinsumOp>(a.op).getEquation())
    if (c != ' ')
      equation += c;
  auto [left, right] = StringRef(equation).split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (!StringRef(equation).contains("->") || StringRef(equation).contains("...") ||
      terms.size() != a.op->getNumOperands())
    return a.refuse("has an equation without '->' or with '...'");
  for (auto [i, term] : llvm::enumerate(terms)) {
    if (!a.needs(i))
      continue;
    for (size_t k = 0; k < term.size(); ++k)
      if (term.drop_front(k + 1).contains(term[k]))
        return a.refuse("takes a diagonal");
    SmallVector<Value> operands = {a.g()};
    std::string turned = right.str();
    for (auto [k, other] : llvm::enumerate(terms)) {
      turned += "," + other.str();
      operands.push_back(k == i ? w.fill(1, a.x(i)) : a.x(k));
    }
    a.set(i, w.op("Einsum", operands, {w.textAttr("equation", turned + "->" + term.str())}));
  }
  return success();
}

} // namespace

void addProductRules(RuleMap &rules) {
  rules["Einsum"] = einsum;
  rules["Gemm"] = gemm;
  rules["MatMul"] = matMul;
}

} // namespace onnxc::onnx
