//===- Attention.cpp - Attention ------------------------------------------===//
//
// Scores, one elementwise nest (scale, softcap, masks), softmax rows, and the product
// with the values, over loops [batch, key head, query group, query, key]. Grouped queries and
// heads inside the hidden dimension are expressed in maps: nothing is repeated or transposed.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "Normalization.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace mlir;

namespace onnxc {
namespace {

/// A tensor and what its dimensions are: b batch, g key head, r query head of its group, q query,
/// k key, d and v elements of a head.
struct Named {
  Value tensor;
  SmallVector<char> dims;
};

class AttentionBuilder {
public:
  AttentionBuilder(TensorBuilder &b, onnx::AttentionOp op, onnx::AttentionOp::Adaptor adaptor)
      : b(b), op(op), in(adaptor) {}

  /// Refuses shapes that do not fit; else the operands are ready.
  LogicalResult prepare(const OnnxTypeConverter &types) {
    int64_t rank = rankOf(in.getQ());
    flat = rank == 3;
    if ((rank != 3 && rank != 4) || rankOf(in.getK()) != rank || rankOf(in.getV()) != rank)
      return types.refuse(op, "needs Q, K and V of rank 3 or of rank 4");
    if (flat && (!op.getQNumHeads() || !op.getKvNumHeads()))
      return types.refuse(op, "needs q_num_heads and kv_num_heads for inputs of rank 3");
    if (flat && (static_cast<int64_t>(*op.getKvNumHeads()) <= 0 ||
                 *op.getQNumHeads() % *op.getKvNumHeads() != 0))
      return types.refuse(op, "q_num_heads is not a multiple of kv_num_heads");
    elem = getElementTypeOrSelf(in.getQ().getType());
    acc = accumulatorType(elem);
    OpFoldResult heads = flat ? b.fixed(*op.getQNumHeads()) : b.dim(in.getQ(), 1);
    sizes['b'] = b.dim(in.getQ(), 0);
    sizes['g'] = flat ? b.fixed(*op.getKvNumHeads()) : b.dim(in.getK(), 1);
    auto h = getConstantIntValue(heads), g = getConstantIntValue(sizes['g']);
    if (h && g && (*g == 0 || *h % *g != 0))
      return types.refuse(op, "the number of query heads is not a multiple of the key heads");
    grouped = !h || !g || *h != *g;
    sizes['r'] = b.floorDiv(heads, sizes['g']);
    sizes['q'] = b.dim(in.getQ(), flat ? 1 : 2);
    sizes['d'] = flat ? b.floorDiv(b.dim(in.getQ(), 2), heads) : b.dim(in.getQ(), 3);
    sizes['v'] = flat ? b.floorDiv(b.dim(in.getV(), 2), sizes['g']) : b.dim(in.getV(), 3);
    q = splitHeads(in.getQ(), 'q', 'd', grouped);
    k = splitHeads(in.getK(), 'k', 'd', false);
    v = splitHeads(in.getV(), 'k', 'v', false);
    past = b.fixed(0);
    if (!onnx::isNone(op.getPastKey())) {
      past = b.dim(in.getPastKey(), 2);
      k = append(in.getPastKey(), k, 'd');
      v = append(in.getPastValue(), v, 'v');
    }
    int64_t keyDim = llvm::find(k.dims, 'k') - k.dims.begin();
    sizes['k'] = b.dim(k.tensor, keyDim);
    return success();
  }

  SmallVector<Value> build() {
    SmallVector<char> scoreDims = withGroup({'b', 'g', 'q', 'k'});
    Value dot = product(q, k, scoreDims, acc);
    int64_t mode = op.getQkMatmulOutputMode();
    bool wantsScores = !isa<NoneType>(op.getQkMatmulOutput().getType());
    double softcap = op.getSoftcap().convertToDouble();
    Named scores{scale(dot), scoreDims};
    Value shown = scores.tensor;
    if (softcap != 0)
      scores.tensor = cap(scores.tensor, softcap);
    if (mode == 1)
      shown = scores.tensor;
    scores.tensor = mask(scores);
    if (mode == 2)
      shown = scores.tensor;
    Value weights = softmax(scores.tensor);
    if (mode == 3)
      shown = weights;

    SmallVector<char> outDims =
        flat ? withGroup({'b', 'q', 'g', 'v'}) : withGroup({'b', 'g', 'q', 'v'});
    Value y = product({weights, scoreDims}, v, outDims, elem);
    SmallVector<Value> results{mergeOutput(y)};
    results.push_back(isa<NoneType>(op.getPresentKey().getType()) ? Value() : cache(k, 'd'));
    results.push_back(isa<NoneType>(op.getPresentValue().getType()) ? Value() : cache(v, 'v'));
    Value converted = wantsScores ? b.convertElements(shown, elem) : Value();
    if (converted && grouped)
      converted = b.collapse(converted, {{0}, {1, 2}, {3}, {4}});
    results.push_back(converted);
    return results;
  }

private:
  /// Adds r after g where queries are grouped.
  SmallVector<char> withGroup(ArrayRef<char> dims) const {
    SmallVector<char> result;
    for (char c : dims) {
      result.push_back(c);
      if (c == 'g' && grouped)
        result.push_back('r');
    }
    return result;
  }
  Sizes sizesOf(ArrayRef<char> dims) {
    Sizes result;
    for (char c : dims)
      result.push_back(sizes.lookup(c));
    return result;
  }
  AffineMap mapOf(ArrayRef<char> dims, ArrayRef<char> loops) {
    SmallVector<unsigned> targets;
    for (char c : dims)
      targets.push_back(llvm::find(loops, c) - loops.begin());
    return b.mapDims(loops.size(), targets);
  }

  /// [b, s, heads * e] or [b, heads, s, e], with the heads as g and, if `split`, r.
  Named splitHeads(Value x, char s, char e, bool split) {
    SmallVector<char> dims =
        flat ? SmallVector<char>{'b', s, 'g', e} : SmallVector<char>{'b', 'g', s, e};
    SmallVector<ReassociationIndices> groups;
    if (split) {
      dims = withGroup(dims);
      groups = flat ? SmallVector<ReassociationIndices>{{0}, {1}, {2, 3, 4}}
                    : SmallVector<ReassociationIndices>{{0}, {1, 2}, {3}, {4}};
    } else {
      groups = flat ? SmallVector<ReassociationIndices>{{0}, {1}, {2, 3}}
                    : SmallVector<ReassociationIndices>{{0}, {1}, {2}, {3}};
    }
    Sizes wanted;
    for (char c : dims)
      wanted.push_back(c == s ? b.dim(x, flat ? 1 : 2) : sizes.lookup(c));
    return {b.expand(x, groups, wanted), dims};
  }

  /// The cache [b, g, past, e] followed by the new keys or values.
  Named append(Value cached, const Named &fresh, char e) {
    Value added = cache(fresh, e);
    OpFoldResult zero = b.fixed(0), count = b.dim(added, 2), total = b.add(past, count);
    Sizes strides(4, b.fixed(1));
    Sizes whole{sizes['b'], sizes['g'], total, sizes.lookup(e)};
    Sizes first = whole, second = whole;
    first[2] = past;
    second[2] = count;
    Value result = b.empty(whole, elem);
    // A size that one of the two knows statically both have.
    cached = b.castTo(cached, b.empty(first, elem).getType());
    added = b.castTo(added, b.empty(second, elem).getType());
    result = tensor::InsertSliceOp::create(b, cached, result, Sizes(4, zero), first, strides);
    result = tensor::InsertSliceOp::create(b, added, result, Sizes{zero, zero, past, zero}, second,
                                           strides);
    return {result, {'b', 'g', 'k', e}};
  }

  /// As [b, g, k, e].
  Value cache(const Named &x, char e) {
    return x.dims[1] == 'g' ? x.tensor : b.transpose(x.tensor, {0, 2, 1, 3});
  }

  /// Sum over what `out` lacks; the loops are out's dimensions, then that.
  Value product(const Named &x, const Named &y, ArrayRef<char> out, Type result) {
    SmallVector<char> loops(out);
    for (char c : x.dims)
      if (!llvm::is_contained(loops, c))
        loops.push_back(c);
    return b.contract(sizesOf(out), mapOf(out, loops), {x.tensor, mapOf(x.dims, loops)},
                      {y.tensor, mapOf(y.dims, loops)}, acc, result);
  }

  Value scale(Value dot) {
    Value factor;
    if (auto given = op.getScale()) {
      factor = b.constant(acc, given->convertToDouble());
    } else if (auto d = getConstantIntValue(sizes['d'])) {
      factor = b.constant(acc, 1.0 / std::sqrt(static_cast<double>(*d)));
    } else {
      factor = math::RsqrtOp::create(b, b.convert(b.index(sizes['d']), acc));
    }
    return b.unary(dot, acc,
                   [&](TensorBuilder &t, ValueRange args) { return t.mulScalar(args[0], factor); });
  }

  Value cap(Value scores, double softcap) {
    return b.unary(scores, acc, [&](TensorBuilder &t, ValueRange args) {
      Value limit = t.constant(acc, softcap);
      Value v = math::TanhOp::create(t, t.divScalar(args[0], limit));
      return t.mulScalar(v, limit);
    });
  }

  /// attn_mask, as long as the keys; what it lacks is masked.
  Access maskAccess(ArrayRef<char> loops) {
    Value m = in.getAttnMask();
    auto type = cast<RankedTensorType>(m.getType());
    int64_t rank = type.getRank();
    bool isBool = isBoolElem(onnxElem(op.getAttnMask()));
    OpFoldResult missing = b.sub(sizes['k'], b.dim(m, rank - 1));
    if (!isConstantIntValue(missing, 0)) {
      Type storage = type.getElementType();
      Value masked = isBool ? b.intConstant(storage, 0) : b.lowest(storage, false);
      Sizes low(rank, b.fixed(0)), high = low;
      high[rank - 1] = b.max(missing, b.fixed(0));
      m = b.pad(m, low, high, masked);
    }
    // Aligned at the end with b, heads, q, k; heads are g and r.
    SmallVector<char> names{'b', 'h', 'q', 'k'};
    Sizes wanted{sizes['b'], b.mul(sizes['g'], sizes['r']), sizes['q'], sizes['k']};
    m = resolveBroadcast(b, m, ArrayRef(wanted).take_back(rank));
    type = cast<RankedTensorType>(m.getType());
    SmallVector<AffineExpr> exprs;
    SmallVector<ReassociationIndices> groups;
    Sizes expanded;
    auto loop = [&](char c) { return b.getAffineDimExpr(llvm::find(loops, c) - loops.begin()); };
    for (int64_t i = 0; i < rank; ++i) {
      char c = names[4 - rank + i];
      int64_t next = expanded.size();
      bool one = type.getDimSize(i) == 1;
      groups.push_back({next});
      if (c == 'h' && grouped && !one) {
        groups.back().push_back(next + 1);
        expanded.append({sizes['g'], sizes['r']});
        exprs.append({loop('g'), loop('r')});
        continue;
      }
      expanded.push_back(b.dim(m, i));
      bool single = one && !isConstantIntValue(sizes.lookup(c == 'h' ? 'g' : c), 1);
      exprs.push_back(single ? b.getAffineConstantExpr(0) : loop(c == 'h' ? 'g' : c));
    }
    return {b.expand(m, groups, expanded), b.map(loops.size(), exprs)};
  }

  /// Scores with the masks: minus infinity where a query may not see a key.
  Value mask(const Named &scores) {
    ArrayRef<char> loops = scores.dims;
    bool hasMask = !onnx::isNone(op.getAttnMask());
    bool hasLengths = !onnx::isNone(op.getNonpadKvSeqlen());
    int64_t left = static_cast<int64_t>(op.getLeftWindowSize());
    int64_t right = static_cast<int64_t>(op.getRightWindowSize());
    bool causal = op.getIsCausal() != 0;
    bool positional = causal || left >= 0 || right >= 0;
    if (!hasMask && !hasLengths && !positional)
      return scores.tensor;
    SmallVector<Access> ins{{scores.tensor, b.identity(loops.size())}};
    if (hasMask)
      ins.push_back(maskAccess(loops));
    if (hasLengths)
      ins.push_back({in.getNonpadKvSeqlen(), mapOf({'b'}, loops)});
    bool isBool = hasMask && isBoolElem(onnxElem(op.getAttnMask()));
    bool maskUnsigned = hasMask && isUnsignedElem(onnxElem(op.getAttnMask()));
    bool hasPast = !onnx::isNone(op.getPastKey());
    Value pastSize = b.index(past), queries = b.index(sizes['q']);
    unsigned queryLoop = llvm::find(loops, 'q') - loops.begin();
    unsigned keyLoop = llvm::find(loops, 'k') - loops.begin();
    return b.parallel(sizesOf(loops), acc, ins, [&](TensorBuilder &t, ValueRange args) -> Value {
      Value v = args[0], minusInf = t.lowest(acc, false), allowed;
      auto require = [&](Value c) {
        allowed = allowed ? arith::AndIOp::create(t, allowed, c).getResult() : c;
      };
      auto compare = [&](arith::CmpIPredicate p, Value x, Value y) {
        require(arith::CmpIOp::create(t, p, x, y));
      };
      if (isBool)
        compare(arith::CmpIPredicate::ne, args[1], t.intConstant(args[1].getType(), 0));
      else if (hasMask)
        v = t.addScalar(v, t.convert(args[1], acc, maskUnsigned));
      Value key = linalg::IndexOp::create(t, keyLoop), length;
      if (hasLengths) {
        length = t.convert(args.back(), t.getIndexType());
        compare(arith::CmpIPredicate::slt, key, length);
      }
      if (positional) {
        // The query's position among the keys.
        Value offset = pastSize;
        if (!hasPast && length)
          offset = arith::SubIOp::create(t, length, queries);
        Value at = arith::AddIOp::create(t, linalg::IndexOp::create(t, queryLoop), offset);
        if (causal)
          compare(arith::CmpIPredicate::sle, key, at);
        if (left >= 0)
          compare(arith::CmpIPredicate::sge, key, arith::SubIOp::create(t, at, t.index(left)));
        if (right >= 0)
          compare(arith::CmpIPredicate::sle, key, arith::AddIOp::create(t, at, t.index(right)));
      }
      return allowed ? arith::SelectOp::create(t, allowed, v, minusInf).getResult() : v;
    });
  }

  /// Over the keys; a row in which all is masked gives zeros.
  Value softmax(Value scores) {
    Sizes all = b.dims(scores);
    unsigned rank = all.size();
    int64_t axis = rank - 1;
    AffineMap row = b.dropAxes(rank, {axis}), id = b.identity(rank);
    Value top = rowMax(b, scores, axis, acc);
    Value powers = b.parallel(
        all, acc, {{scores, id}, {top, row}}, [&](TensorBuilder &t, ValueRange args) -> Value {
          Value none =
              arith::CmpFOp::create(t, arith::CmpFPredicate::OEQ, args[1], t.lowest(acc, false));
          Value shift = arith::SelectOp::create(t, none, t.constant(acc, 0), args[1]);
          return math::ExpOp::create(t, t.subScalar(args[0], shift));
        });
    // One division a row.
    Value share = b.unary(rowSum(b, powers, axis, acc), acc,
                          [&](TensorBuilder &t, ValueRange args) -> Value {
                            Value none = arith::CmpFOp::create(t, arith::CmpFPredicate::OEQ,
                                                               args[0], t.constant(acc, 0));
                            Value s = arith::SelectOp::create(t, none, t.constant(acc, 1), args[0]);
                            return t.divScalar(t.constant(acc, 1), s);
                          });
    return b.parallel(all, acc, {{powers, id}, {share, row}},
                      [&](TensorBuilder &t, ValueRange args) -> Value {
                        return t.mulScalar(args[0], args[1]);
                      });
  }

  Value mergeOutput(Value y) {
    if (flat)
      return grouped ? b.collapse(y, {{0}, {1}, {2, 3, 4}}) : b.collapse(y, {{0}, {1}, {2, 3}});
    return grouped ? b.collapse(y, {{0}, {1, 2}, {3}, {4}}) : y;
  }

  TensorBuilder &b;
  onnx::AttentionOp op;
  onnx::AttentionOp::Adaptor in;
  Type elem, acc;
  bool flat = false, grouped = false;
  llvm::DenseMap<char, OpFoldResult> sizes;
  OpFoldResult past;
  Named q, k, v;
};

struct AttentionLowering : OnnxPattern<onnx::AttentionOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::AttentionOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    AttentionBuilder attention(b, op, adaptor);
    if (failed(attention.prepare(types())))
      return failure();
    replaceOp(rewriter, types(), op, attention.build());
    return success();
  }
};

struct RotaryEmbeddingLowering : OnnxPattern<onnx::RotaryEmbeddingOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::RotaryEmbeddingOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value x = adaptor.getX(), cos = adaptor.getCosCache(), sin = adaptor.getSinCache();
    int64_t rank = rankOf(x);
    bool flat = rank == 3;
    int64_t heads = op.getNumHeads().value_or(0);
    if ((rank != 3 && rank != 4) || (flat && heads <= 0))
      return refuse(op, "needs an input of rank 4, or of rank 3 and num_heads");
    SmallVector<ReassociationIndices> groups{{0}, {1}, {2, 3}};
    if (flat) {
      Sizes split{b.dim(x, 0), b.dim(x, 1), b.fixed(heads),
                  b.floorDiv(b.dim(x, 2), b.fixed(heads))};
      x = b.expand(x, groups, split);
    }
    // Loops: batch, then position and head in the input's order, then the head's elements.
    unsigned positionLoop = flat ? 1 : 2;
    Type elem = getElementTypeOrSelf(x.getType()), acc = accumulatorType(elem);
    int64_t rotated = op.getRotaryEmbeddingDim();
    OpFoldResult rotatedSize = rotated ? b.fixed(rotated) : b.dim(x, 3);
    Value size = b.index(rotatedSize), half = b.index(b.floorDiv(rotatedSize, b.fixed(2)));
    bool byPosition = !onnx::isNone(op.getPositionIds());
    bool interleaved = op.getInterleaved() != 0;
    Value positions = adaptor.getPositionIds();
    Value y = b.unary(x, elem, [&](TensorBuilder &t, ValueRange args) {
      SmallVector<Value> at;
      for (unsigned i = 0; i < 4; ++i)
        at.push_back(linalg::IndexOp::create(t, i));
      Value d = at[3], one = t.index(1), two = t.index(2);
      // Which pair this element is of, whether it is the second, and where the other one is.
      Value pair, second, other;
      if (interleaved) {
        pair = arith::DivSIOp::create(t, d, two);
        Value odd = arith::RemSIOp::create(t, d, two);
        second = arith::CmpIOp::create(t, arith::CmpIPredicate::eq, odd, one);
        other = arith::SelectOp::create(t, second, arith::SubIOp::create(t, d, one),
                                        arith::AddIOp::create(t, d, one));
      } else {
        second = arith::CmpIOp::create(t, arith::CmpIPredicate::sge, d, half);
        Value before = arith::SubIOp::create(t, d, half);
        pair = arith::SelectOp::create(t, second, before, d);
        other = arith::SelectOp::create(t, second, before, arith::AddIOp::create(t, d, half));
      }
      // Elements beyond the rotated ones stay; their reads are redirected to stay in bounds.
      Value within = arith::CmpIOp::create(t, arith::CmpIPredicate::slt, d, size);
      Value zero = t.index(0);
      pair = arith::SelectOp::create(t, within, pair, zero);
      other = arith::SelectOp::create(t, within, other, zero);
      SmallVector<Value> cacheAt{at[0], at[positionLoop], pair};
      if (byPosition) {
        Value p = tensor::ExtractOp::create(t, positions, ValueRange{at[0], at[positionLoop]});
        cacheAt = {t.convert(p, t.getIndexType()), pair};
      }
      Value c = t.convert(tensor::ExtractOp::create(t, cos, cacheAt), acc);
      Value s = t.convert(tensor::ExtractOp::create(t, sin, cacheAt), acc);
      at[3] = other;
      Value mine = t.convert(args[0], acc);
      Value partner = t.convert(tensor::ExtractOp::create(t, x, at), acc);
      Value signedSin = arith::SelectOp::create(t, second, s, arith::NegFOp::create(t, s));
      Value turned = t.addScalar(t.mulScalar(c, mine), t.mulScalar(signedSin, partner));
      return t.convert(arith::SelectOp::create(t, within, turned, mine), elem);
    });
    replaceOp(rewriter, types(), op, {flat ? b.collapse(y, groups) : y});
    return success();
  }
};

} // namespace

void populateAttentionPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<AttentionLowering, RotaryEmbeddingLowering>(patterns, types);
}

} // namespace onnxc
