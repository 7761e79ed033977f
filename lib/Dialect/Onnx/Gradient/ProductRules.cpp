// Derivatives of products of matrices, and Einsum.
#include "Rules.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// A vector becomes a matrix: a row on the left, a column on the right.
LogicalResult matMul(Adjoint &a) {
  GraphWriter &w = a.w;
  std::optional<int64_t> left = w.rank(a.x(0)), right = w.rank(a.x(1));
  if (!left || !right)
    return a.refuse("has an input of unknown rank");
  Value x = *left == 1 ? w.op("Unsqueeze", {a.x(0), w.ints({0})}) : a.x(0);
  Value y = *right == 1 ? w.op("Unsqueeze", {a.x(1), w.ints({1})}) : a.x(1);
  Value g = a.g();
  if (*right == 1)
    g = w.op("Unsqueeze", {g, w.ints({-1})});
  if (*left == 1)
    g = w.op("Unsqueeze", {g, w.ints({-2})});
  auto set = [&](unsigned i, Value product, Value matrix) -> LogicalResult {
    Value sum = w.sumTo(product, matrix);
    if (!sum)
      return a.refuse("has an input of unknown rank");
    a.set(i, matrix == a.x(i) ? sum : w.reshapeLike(sum, a.x(i)));
    return success();
  };
  if (a.needs(0) && failed(set(0, w.op("MatMul", {g, w.matrixTranspose(y)}), x)))
    return failure();
  if (a.needs(1) && failed(set(1, w.op("MatMul", {w.matrixTranspose(x), g}), y)))
    return failure();
  return success();
}

LogicalResult gemm(Adjoint &a) {
  GraphWriter &w = a.w;
  int64_t turnedA = a.integer("transA", 0), turnedB = a.integer("transB", 0);
  float alpha = float(a.real("alpha", 1)), beta = float(a.real("beta", 1));
  auto product = [&](Value x, Value y, int64_t turnX, int64_t turnY) {
    return w.op("Gemm", {x, y, Value()},
                {w.attr("alpha", alpha), w.attr("transA", turnX), w.attr("transB", turnY)});
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
  GraphWriter &w = a.w;
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
    a.set(i, w.op("Einsum", operands, {w.attr("equation", turned + "->" + term.str())}));
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
