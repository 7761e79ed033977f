//===- Einsum.cpp - Einsum ------------------------------------------------===//
//
// Operands are multiplied from left to right; each step is one contraction that sums
// the subscripts that neither the output nor a later operand needs.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Subscripts are letters; the ellipsis's dimensions, counted from the last, are the numbers from
/// kEllipsis on.
constexpr int kEllipsis = 256;
using Labels = SmallVector<int>;

/// A tensor and the subscript of each of its dimensions.
struct Term {
  Value tensor;
  Labels labels;
};

struct Equation {
  SmallVector<Labels> inputs;
  Labels output;
};

/// Letters of one term; "..." gives `ellipsisRank` labels.
std::optional<Labels> parseTerm(StringRef text, int64_t rank, int64_t ellipsisRank) {
  Labels labels;
  int64_t letters = llvm::count_if(text, [](char c) { return llvm::isAlpha(c); });
  int64_t dots = rank < 0 ? ellipsisRank : rank - letters;
  bool seen = false;
  while (!text.empty()) {
    if (text.consume_front("...")) {
      if (seen || dots < 0)
        return std::nullopt;
      seen = true;
      for (int64_t i = dots; i > 0; --i)
        labels.push_back(kEllipsis + i - 1);
    } else if (llvm::isAlpha(text.front())) {
      labels.push_back(text.front());
      text = text.drop_front();
    } else {
      return std::nullopt;
    }
  }
  if (rank >= 0 && static_cast<int64_t>(labels.size()) != rank)
    return std::nullopt;
  return labels;
}

std::optional<Equation> parseEquation(StringRef text, ArrayRef<int64_t> ranks) {
  std::string clean;
  for (char c : text)
    if (!isspace(static_cast<unsigned char>(c)))
      clean.push_back(c);
  StringRef equation = clean;
  size_t arrow = equation.find("->");
  SmallVector<StringRef> terms;
  equation.take_front(arrow).split(terms, ',');
  if (terms.size() != ranks.size())
    return std::nullopt;
  Equation result;
  int64_t ellipsisRank = 0;
  std::map<int, int> count;
  for (auto [term, rank] : llvm::zip_equal(terms, ranks)) {
    auto labels = parseTerm(term, rank, 0);
    if (!labels)
      return std::nullopt;
    for (int l : *labels) {
      ++count[l];
      if (l >= kEllipsis)
        ellipsisRank = std::max<int64_t>(ellipsisRank, l - kEllipsis + 1);
    }
    result.inputs.push_back(*labels);
  }
  if (arrow != StringRef::npos) {
    auto labels = parseTerm(equation.drop_front(arrow + 2), -1, ellipsisRank);
    if (!labels)
      return std::nullopt;
    result.output = *labels;
    for (int l : result.output)
      if (!count.count(l) || llvm::count(result.output, l) != 1)
        return std::nullopt;
    return result;
  }
  // Implicit: the ellipsis, then what occurs once, in the order of the alphabet.
  for (int64_t i = ellipsisRank; i > 0; --i)
    result.output.push_back(kEllipsis + i - 1);
  for (auto [label, times] : count)
    if (label < kEllipsis && times == 1)
      result.output.push_back(label);
  return result;
}

/// Every label's size and position among the loops: those of `out`, then the summed ones.
class Loops {
public:
  Loops(TensorBuilder &b, const Labels &out) : b(b), order(out) {}

  void add(const Term &term) {
    for (auto [i, label] : llvm::enumerate(term.labels)) {
      OpFoldResult size = b.dim(term.tensor, i);
      if (!llvm::is_contained(order, label))
        order.push_back(label);
      auto [it, isNew] = sizes.insert({label, size});
      // A size of one broadcasts; a static size is preferred to a dynamic one.
      if (!isNew && (isConstantIntValue(it->second, 1) || !getConstantIntValue(it->second)))
        if (!isConstantIntValue(size, 1))
          it->second = size;
    }
  }

  AffineMap map(const Term &term) {
    SmallVector<AffineExpr> exprs;
    for (auto [i, label] : llvm::enumerate(term.labels)) {
      bool one = isConstantIntValue(b.dim(term.tensor, i), 1) &&
                 !isConstantIntValue(sizes.lookup(label), 1);
      exprs.push_back(one ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(position(label)));
    }
    return b.map(order.size(), exprs);
  }

  AffineMap outMap(const Labels &labels) {
    SmallVector<unsigned> dims;
    for (int l : labels)
      dims.push_back(position(l));
    return b.mapDims(order.size(), dims);
  }

  Sizes outSizes(const Labels &labels) {
    Sizes result;
    for (int l : labels)
      result.push_back(sizes.lookup(l));
    return result;
  }

private:
  unsigned position(int label) { return llvm::find(order, label) - order.begin(); }

  TensorBuilder &b;
  Labels order;
  llvm::DenseMap<int, OpFoldResult> sizes;
};

Term reduceTerm(TensorBuilder &b, const Term &x, const Labels &out, Type acc) {
  Loops loops(b, out);
  loops.add(x);
  Value y = b.reduce(loops.outSizes(out), loops.outMap(out), b.constant(acc, 0),
                     {{x.tensor, loops.map(x)}}, [&](TensorBuilder &t, ValueRange args) {
                       return t.addScalar(args[1], t.convert(args[0], acc));
                     });
  return {y, out};
}

Term multiplyTerms(TensorBuilder &b, const Term &x, const Term &y, const Labels &out, Type acc) {
  Loops loops(b, out);
  loops.add(x);
  loops.add(y);
  Value product = b.contract(loops.outSizes(out), loops.outMap(out), {x.tensor, loops.map(x)},
                             {y.tensor, loops.map(y)}, acc, acc);
  return {product, out};
}

struct EinsumLowering : OnnxPattern<onnx::EinsumOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::EinsumOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    SmallVector<int64_t> ranks;
    for (Value v : adaptor.getInputs())
      ranks.push_back(rankOf(v));
    auto equation = parseEquation(op.getEquation(), ranks);
    if (!equation)
      return refuse(op, "equation '" + op.getEquation() + "' does not fit the inputs");
    RankedTensorType type = types().convertTensor(op.getType());
    Type elem = type.getElementType(), acc = accumulatorType(elem);

    Term current{adaptor.getInputs().front(), equation->inputs.front()};
    size_t count = ranks.size();
    for (size_t i = 1; i < count; ++i) {
      Term next{adaptor.getInputs()[i], equation->inputs[i]};
      bool last = i + 1 == count;
      Labels out = last ? equation->output : Labels();
      if (!last)
        for (const Labels &labels : {current.labels, next.labels})
          for (int l : labels) {
            bool later = llvm::is_contained(equation->output, l);
            for (size_t j = i + 1; j < count; ++j)
              later |= llvm::is_contained(equation->inputs[j], l);
            if (later && !llvm::is_contained(out, l))
              out.push_back(l);
          }
      current = multiplyTerms(b, current, next, out, acc);
    }
    if (count == 1)
      current = reduceTerm(b, current, equation->output, acc);
    replaceOp(rewriter, types(), op, {b.convertElements(current.tensor, elem)});
    return success();
  }
};

} // namespace

void populateEinsumPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<EinsumLowering>(patterns, types);
}

} // namespace onnxc
