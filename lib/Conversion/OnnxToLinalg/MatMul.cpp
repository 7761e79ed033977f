//===- MatMul.cpp - MatMul and Gemm ---------------------------------------===//
//
// Transposes and broadcasts are expressed in indexing maps. A product with a 2-D right
// side is one plain product, whatever the left side's rank: its leading dimensions collapse.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "Quantized.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {

static bool sameSize(OpFoldResult x, OpFoldResult y) {
  if (isEqualConstantIntOrValue(x, y))
    return true;
  auto dimOf = [](OpFoldResult v) {
    auto value = dyn_cast<Value>(v);
    return value ? value.getDefiningOp<tensor::DimOp>() : nullptr;
  };
  auto dimX = dimOf(x), dimY = dimOf(y);
  return dimX && dimY && dimX.getSource() == dimY.getSource() && dimX.getConstantIndex() &&
         dimX.getConstantIndex() == dimY.getConstantIndex();
}

Value resolveBroadcast(TensorBuilder &b, Value tensor, ArrayRef<OpFoldResult> wanted) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Sizes sizes = b.dims(tensor);
  SmallVector<Value> isOne(sizes.size());
  bool any = false;
  for (auto [i, size] : llvm::enumerate(sizes)) {
    if (!type.isDynamicDim(i) || sameSize(size, wanted[i]) || isConstantIntValue(wanted[i], 1))
      continue;
    isOne[i] = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.index(size), b.index(1));
    size = wanted[i];
    any = true;
  }
  if (!any)
    return tensor;
  return b.parallel(sizes, type.getElementType(), {}, [&](TensorBuilder &t, ValueRange) -> Value {
    SmallVector<Value> at;
    for (auto [i, one] : llvm::enumerate(isOne)) {
      at.push_back(linalg::IndexOp::create(t, i));
      if (one)
        at.back() = arith::SelectOp::create(t, one, t.index(0), at.back());
    }
    return tensor::ExtractOp::create(t, tensor, at);
  });
}

Access perAxisAccess(TensorBuilder &b, Value tensor, ArrayRef<OpFoldResult> sizes, unsigned axis) {
  unsigned loops = sizes.size();
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getRank() == 0)
    return {tensor, b.map(loops, {})};
  Sizes wanted(type.getRank(), b.fixed(1));
  // Without loops there is one element.
  if (axis < loops)
    wanted.back() = sizes[axis];
  tensor = resolveBroadcast(b, tensor, wanted);
  type = cast<RankedTensorType>(tensor.getType());
  SmallVector<AffineExpr> exprs(type.getRank(), b.getAffineConstantExpr(0));
  if (axis < loops && type.getDimSize(type.getRank() - 1) != 1)
    exprs.back() = b.getAffineDimExpr(axis);
  return {tensor, b.map(loops, exprs)};
}

Access broadcastAccess(TensorBuilder &b, Value tensor, ArrayRef<OpFoldResult> sizes) {
  unsigned loops = sizes.size(), lead = loops - rankOf(tensor);
  tensor = resolveBroadcast(b, tensor, sizes.drop_front(lead));
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    bool one = type.getDimSize(i) == 1 && !isConstantIntValue(sizes[lead + i], 1);
    exprs.push_back(one ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(lead + i));
  }
  return {tensor, b.map(loops, exprs)};
}

MatMulLoops matMulLoops(TensorBuilder &b, Value lhs, Value rhs, Type resultType) {
  int64_t ra = rankOf(lhs), rb = rankOf(rhs);
  int64_t batch = std::max<int64_t>({ra - 2, rb - 2, 0});
  bool hasM = ra > 1, hasN = rb > 1;
  unsigned loops = batch + hasM + hasN + 1;
  auto d = [&](unsigned i) { return b.getAffineDimExpr(i); };
  auto ta = cast<RankedTensorType>(lhs.getType()), tb = cast<RankedTensorType>(rhs.getType());
  SmallVector<AffineExpr> ea, eb, eo;
  MatMulLoops result;
  for (int64_t i = 0; i < batch; ++i) {
    int64_t ia = i - (batch - (ra - 2)), ib = i - (batch - (rb - 2));
    bool inA = hasM && ia >= 0, inB = hasN && ib >= 0;
    bool oneA = !inA || ta.getDimSize(ia) == 1, oneB = !inB || tb.getDimSize(ib) == 1;
    if (inA)
      ea.push_back(oneA && !oneB ? b.getAffineConstantExpr(0) : d(i));
    if (inB)
      eb.push_back(oneB && !oneA ? b.getAffineConstantExpr(0) : d(i));
    // A known size wins: it is the size, as the other side has it or is one.
    bool fromB = !inA || (inB && (oneA || (!oneB && ta.isDynamicDim(ia))));
    result.sizes.push_back(fromB ? b.dim(rhs, ib) : b.dim(lhs, ia));
    eo.push_back(d(i));
  }
  unsigned next = batch;
  if (hasM) {
    ea.push_back(d(next));
    eo.push_back(d(next++));
    result.sizes.push_back(b.dim(lhs, ra - 2));
  }
  ea.push_back(d(loops - 1));
  eb.push_back(d(loops - 1));
  if (hasN) {
    eb.push_back(d(next));
    eo.push_back(d(next++));
    result.sizes.push_back(b.dim(rhs, rb - 1));
  }
  result.sizes = b.refine(result.sizes, resultType);
  result.a = b.map(loops, ea);
  result.b = b.map(loops, eb);
  result.out = b.map(loops, eo);
  return result;
}

Value buildMatMul(TensorBuilder &b, Value lhs, Value rhs, ProductTypes types, Type resultType) {
  int64_t ra = rankOf(lhs), rb = rankOf(rhs);
  if (ra > 2 && rb == 2) {
    ReassociationIndices rows;
    for (int64_t i = 0; i + 1 < ra; ++i)
      rows.push_back(i);
    SmallVector<ReassociationIndices> groups{rows, {ra - 1}};
    SmallVector<ReassociationIndices> flat{rows, {ra - 1}};
    Sizes sizes;
    for (int64_t i = 0; i + 1 < ra; ++i)
      sizes.push_back(b.dim(lhs, i));
    sizes.push_back(b.dim(rhs, 1));
    sizes = b.refine(sizes, resultType);
    Value product = buildMatMul(b, b.collapse(lhs, groups), rhs, types, Type());
    return b.expand(product, flat, sizes);
  }
  MatMulLoops l = matMulLoops(b, lhs, rhs, resultType);
  return b.contract(l.sizes, l.out, {lhs, l.a}, {rhs, l.b}, types.acc, types.elem, types.aUnsigned,
                    types.bUnsigned);
}

Value buildGemm(TensorBuilder &b, Value lhs, bool transA, Value rhs, bool transB,
                ProductTypes types) {
  auto map = [&](unsigned r, unsigned c, bool transposed) {
    return transposed ? b.mapDims(3, {c, r}) : b.mapDims(3, {r, c});
  };
  Sizes sizes{b.dim(lhs, transA ? 1 : 0), b.dim(rhs, transB ? 0 : 1)};
  return b.contract(sizes, b.mapDims(3, {0, 1}), {lhs, map(0, 2, transA)}, {rhs, map(2, 1, transB)},
                    types.acc, types.elem, types.aUnsigned, types.bUnsigned);
}

namespace {

/// `v` with batch dimensions of the full sizes.
Value broadcastBatch(TensorBuilder &b, Value v, ArrayRef<OpFoldResult> batch) {
  int64_t rank = rankOf(v);
  Sizes wanted(batch.take_back(rank - 2));
  wanted.append({b.dim(v, rank - 2), b.dim(v, rank - 1)});
  return resolveBroadcast(b, v, wanted);
}

/// Makes batch dimensions equal where the types do not tell which side broadcasts.
void resolveBatch(TensorBuilder &b, const DimAnalysis *dims, Value originalA, Value originalB,
                  Value &lhs, Value &rhs) {
  int64_t ra = rankOf(lhs), rb = rankOf(rhs);
  auto ta = cast<RankedTensorType>(lhs.getType()), tb = cast<RankedTensorType>(rhs.getType());
  if (ra < 3 || rb < 3)
    return;
  int64_t batch = std::max(ra, rb) - 2;
  Sizes full(batch, b.fixed(1));
  bool wrapA = false, wrapB = false;
  for (int64_t i = 0; i < batch; ++i) {
    int64_t ia = i - (batch - (ra - 2)), ib = i - (batch - (rb - 2));
    if (ia < 0 || ib < 0) {
      full[i] = ia < 0 ? b.dim(rhs, ib) : b.dim(lhs, ia);
      continue;
    }
    OpFoldResult sa = b.dim(lhs, ia), sb = b.dim(rhs, ib);
    bool knownA = !ta.isDynamicDim(ia), knownB = !tb.isDynamicDim(ib);
    bool oneA = isConstantIntValue(sa, 1), oneB = isConstantIntValue(sb, 1);
    bool equal = dims && dims->equal(originalA, ia, originalB, ib);
    if (oneA || oneB || equal || (knownA && knownB)) {
      full[i] = oneA ? sb : sa;
      continue;
    }
    if (knownA || knownB) {
      full[i] = knownA ? sa : sb;
    } else {
      Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.index(sa), b.index(1));
      full[i] = arith::SelectOp::create(b, isOne, b.index(sb), b.index(sa)).getResult();
    }
    wrapA |= !knownA;
    wrapB |= !knownB;
  }
  if (wrapA)
    lhs = broadcastBatch(b, lhs, full);
  if (wrapB)
    rhs = broadcastBatch(b, rhs, full);
}

struct MatMulLowering : OnnxPattern<onnx::MatMulOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::MatMulOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Type type = types().convertTensor(op.getType());
    Type elem = cast<RankedTensorType>(type).getElementType();
    Value lhs = adaptor.getA(), rhs = adaptor.getB();
    resolveBatch(b, types().dims(), op.getA(), op.getB(), lhs, rhs);
    Value y = buildMatMul(b, lhs, rhs, {accumulatorType(elem), elem}, type);
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

struct GemmLowering : OnnxPattern<onnx::GemmOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::GemmOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = types().convertTensor(op.getType());
    Type elem = type.getElementType(), acc = accumulatorType(elem);
    double alpha = op.getAlpha().convertToDouble(), beta = op.getBeta().convertToDouble();
    bool isUnsigned = getElementTypeOrSelf(op.getType()).isUnsignedInteger();
    Value c = onnx::isNone(op.getC()) || beta == 0 ? Value() : adaptor.getC();
    bool scaled = alpha != 1 || c;
    if (c && rankOf(c) > 2)
      return refuse(op, "has an input C of more than two dimensions");

    Value y = buildGemm(b, adaptor.getA(), op.getTransA(), adaptor.getB(), op.getTransB(),
                        {acc, scaled ? acc : elem});
    if (scaled) {
      Sizes sizes = b.refine(b.dims(y), type);
      SmallVector<Access> ins{{y, b.identity(2)}};
      if (c)
        ins.push_back(broadcastAccess(b, c, sizes));
      // The factors are floats also for integers, whose result is then rounded towards zero.
      auto scale = [&](TensorBuilder &t, Value v, double factor) {
        if (factor == 1)
          return v;
        Type f = isa<FloatType>(acc) ? acc : Type(t.getF64Type());
        Value product = t.mulScalar(t.convert(v, f, isUnsigned), t.constant(f, factor));
        return t.convert(product, acc, isUnsigned);
      };
      y = b.parallel(sizes, elem, ins, [&](TensorBuilder &t, ValueRange args) {
        Value v = scale(t, args[0], alpha);
        if (c)
          v = t.addScalar(v, scale(t, t.convert(args[1], acc, isUnsigned), beta));
        return t.convert(v, elem, isUnsigned);
      });
    }
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateContractionPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<MatMulLowering, GemmLowering>(patterns, types);
  populateEinsumPatterns(patterns, types);
  populateQuantizedContractionPatterns(patterns, types);
}

} // namespace onnxc
