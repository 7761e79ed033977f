// onnxc-pack-integer-weights: see Passes.td. What dot product instructions want: four
// consecutive bytes of a sum, or two bfloat16, in each lane of a vector.
#include "ConstantData.h"
#include "onnxc/Codegen/CPU/DotEmitter.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace onnxc {
#define GEN_PASS_DEF_PACKINTEGERWEIGHTSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct Candidate {
  linalg::LinalgOp op;
  OpOperand *x, *weights;
  ArrayRef<char> data;
  unsigned n, k; // loops
  int64_t sizeN, sizeK;
  int64_t depth; // elements of a word
};

/// The width of the panels and the columns with what fills the last one up. Panels are two or three vectors wide,
/// so that registers are left for many rows; others are multiples of eight columns that divide, or else
/// of vectors, at the price of few columns too many.
std::pair<int64_t, int64_t> panels(int64_t columns) {
  for (int64_t width : {32, 48})
    if (columns % width == 0)
      return {width, columns};
  if (columns % 8 == 0)
    for (int64_t width = 64; width >= 8; width -= 8)
      if (columns % width == 0 && (width >= 32 || width == columns || columns % 16 != 0))
        return {width, columns};
  for (int64_t width : {32, 48, 64, 16})
    if (int64_t padded = llvm::alignTo(columns, width); (padded - columns) * 8 <= columns)
      return {width, padded};
  return {16, llvm::alignTo(columns, 16)};
}

struct PackIntegerWeights : impl::PackIntegerWeightsPassBase<PackIntegerWeights> {
  using PackIntegerWeightsPassBase::PackIntegerWeightsPassBase;

  void runOnOperation() override {
    SmallVector<Candidate> candidates;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (std::optional<Candidate> candidate = match(op))
        candidates.push_back(*candidate);
    });
    IRRewriter rewriter(&getContext());
    for (Candidate &candidate : candidates)
      if (failed(pack(rewriter, candidate)))
        return signalPassFailure();
  }

  /// The operand that the body extends with `ExtOp`, null if it is used in another way.
  template <typename ExtOp> OpOperand *extended(linalg::LinalgOp op, Value factor, unsigned bits) {
    auto ext = factor.getDefiningOp<ExtOp>();
    auto arg = ext ? dyn_cast<BlockArgument>(ext.getIn()) : BlockArgument();
    if (!arg || arg.getOwner() != op.getBlock() || arg.getType().getIntOrFloatBitWidth() != bits ||
        !arg.hasOneUse() || arg.getArgNumber() >= op.getNumDpsInputs())
      return nullptr;
    return op.getDpsInputOperand(arg.getArgNumber());
  }

  std::optional<Candidate> match(linalg::LinalgOp op) {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        op.getNumReductionLoops() == 0)
      return std::nullopt;
    Block &body = *op.getBlock();
    Operation *add = body.getTerminator()->getOperand(0).getDefiningOp();
    bool bytes = isa_and_nonnull<arith::AddIOp>(add);
    if (body.getOperations().size() != 5 || (!bytes && !isa_and_nonnull<arith::AddFOp>(add)) ||
        add->getResult(0).getType().getIntOrFloatBitWidth() != 32)
      return std::nullopt;
    BlockArgument sum = op.getRegionOutputArgs()[0];
    Value term = add->getOperand(0) == sum   ? add->getOperand(1)
                 : add->getOperand(1) == sum ? add->getOperand(0)
                                             : Value();
    Operation *mul = term ? term.getDefiningOp() : nullptr;
    if (!isa_and_nonnull<arith::MulIOp, arith::MulFOp>(mul))
      return std::nullopt;
    Candidate c;
    c.op = op;
    c.depth = bytes ? kByteDepth : kBfloatDepth;
    Value lhs = mul->getOperand(0), rhs = mul->getOperand(1);
    for (auto [u, s] : {std::pair(lhs, rhs), {rhs, lhs}}) {
      if (bytes) {
        c.x = extended<arith::ExtUIOp>(op, u, 8);
        c.weights = extended<arith::ExtSIOp>(op, s, 8);
      } else {
        c.x = extended<arith::ExtFOp>(op, u, 16);
        c.weights = extended<arith::ExtFOp>(op, s, 16);
      }
      if (c.x && c.weights && (bytes || (elementOf(c.x).isBF16() && elementOf(c.weights).isBF16())) &&
          matchLoops(c))
        return c;
    }
    return std::nullopt;
  }

  static Type elementOf(OpOperand *operand) {
    return cast<RankedTensorType>(operand->get().getType()).getElementType();
  }

  bool matchLoops(Candidate &c) {
    int64_t offset;
    arith::ConstantOp constant = constantBehind(c.weights->get(), offset);
    AffineMap x = c.op.getMatchingIndexingMap(c.x), w = c.op.getMatchingIndexingMap(c.weights),
              out = c.op.getMatchingIndexingMap(c.op.getDpsInitOperand(0));
    if (!constant || !cast<RankedTensorType>(c.weights->get().getType()).hasStaticShape() ||
        !w.isProjectedPermutation() || !out.isProjectedPermutation() ||
        out.getNumResults() == 0 || x.getNumResults() == 0)
      return false;
    auto type = cast<RankedTensorType>(c.weights->get().getType());
    c.data = rawBytes(cast<ElementsAttr>(constant.getValue()));
    if (static_cast<int64_t>(c.data.size()) != type.getNumElements() * bytesOf(type))
      return false;
    // Columns are what the weights and the result's last dimension share.
    c.n = out.getDimPosition(out.getNumResults() - 1);
    if (!w.isFunctionOfDim(c.n) || x.isFunctionOfDim(c.n))
      return false;
    // The innermost sum runs over neighbours in x, and over nothing else there.
    SmallVector<utils::IteratorType> iterators = c.op.getIteratorTypesArray();
    auto xType = cast<RankedTensorType>(c.x->get().getType());
    unsigned position = x.getNumResults() - 1;
    for (unsigned dim = c.op.getNumLoops(); dim-- > 0;) {
      if (iterators[dim] != utils::IteratorType::reduction || !w.isFunctionOfDim(dim))
        continue;
      bool elsewhere = llvm::any_of(x.getResults().drop_back(), [&](AffineExpr expr) {
        return expr.isFunctionOfDim(dim);
      });
      AffineExpr last = x.getResult(position), d = getAffineDimExpr(dim, &getContext());
      AffineExpr step = simplifyAffineExpr(last.replace(d, d + 1) - last, x.getNumDims(), 0);
      if (elsewhere || step != getAffineConstantExpr(1, &getContext()))
        continue;
      c.k = dim;
      c.sizeK = type.getDimSize(*w.getResultPosition(d));
      c.sizeN = type.getDimSize(*w.getResultPosition(getAffineDimExpr(c.n, &getContext())));
      // Filling up a sum reads further in x: it gets a longer last dimension, whose size is known.
      return c.sizeN > 1 && (c.sizeK % c.depth == 0 || !xType.isDynamicDim(position));
    }
    return false;
  }

  static int64_t bytesOf(RankedTensorType type) { return type.getElementTypeBitWidth() / 8; }

  LogicalResult pack(IRRewriter &rewriter, Candidate &c) {
    MLIRContext *context = &getContext();
    rewriter.setInsertionPoint(c.op);
    Location loc = c.op.getLoc();
    auto [width, columns] = panels(c.sizeN);
    cg::LoweringConfig config(c.op);
    if (config.hasSchedule() || config.panel)
      return c.op.emitError("is packed for dot products: its strategy can give tile sizes only");
    if (failed(config.splitLoop(c.n, width, c.op.getNumLoops())))
      return c.op.emitError("has a strategy with tiles that are no whole panels of ") << width;
    if (!config.tileSizes.empty())
      config.tileSizes.push_back(0);
    int64_t depth = llvm::alignTo(c.sizeK, c.depth);
    unsigned numLoops = c.op.getNumLoops();
    AffineExpr column = getAffineDimExpr(numLoops, context),
               inner = getAffineDimExpr(numLoops + 1, context);
    AffineExpr k = getAffineDimExpr(c.k, context);
    SmallVector<AffineMap> maps(3);
    SmallVector<Value> inputs(2);
    auto wide = [&](ArrayRef<AffineExpr> results) {
      return AffineMap::get(numLoops + 2, 0, results, context);
    };

    // x[..., e(k)] -> x[..., e(4 k + inner)].
    SmallVector<AffineExpr> xExprs(c.op.getMatchingIndexingMap(c.x).getResults());
    xExprs.back() = xExprs.back().replace(k, k * c.depth + inner);
    inputs[0] = lengthen(rewriter, loc, c.x->get(), depth - c.sizeK);
    maps[0] = wide(xExprs);

    // The weights' other dimensions keep their order between panels and blocks.
    AffineMap w = c.op.getMatchingIndexingMap(c.weights);
    SmallVector<AffineExpr> wExprs{getAffineDimExpr(c.n, context)};
    for (AffineExpr expr : w.getResults()) {
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      if (dim != c.n && dim != c.k)
        wExprs.push_back(expr);
    }
    wExprs.append({k, column, inner});
    inputs[1] = packWeights(rewriter, c, w, width, columns, depth);
    maps[1] = wide(wExprs);

    AffineMap out = c.op.getMatchingIndexingMap(c.op.getDpsInitOperand(0));
    SmallVector<AffineExpr> outExprs(out.getResults());
    outExprs.push_back(column);
    maps[2] = wide(outExprs);
    SmallVector<utils::IteratorType> iterators = c.op.getIteratorTypesArray();
    iterators.append({utils::IteratorType::parallel, utils::IteratorType::reduction});

    // The result [..., columns] is seen as [..., panels, width].
    Value init = c.op.getDpsInits()[0];
    auto outType = cast<RankedTensorType>(init.getType());
    int64_t rank = outType.getRank();
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim < rank; ++dim)
      groups.push_back({dim});
    groups.back().push_back(rank);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, init);
    sizes.back() = rewriter.getIndexAttr(columns / width);
    sizes.push_back(rewriter.getIndexAttr(width));
    Value empty = tensor::EmptyOp::create(rewriter, loc, sizes, outType.getElementType());
    Value zero = arith::ConstantOp::create(rewriter, loc,
                                           rewriter.getZeroAttr(outType.getElementType()));
    Value filled =
        linalg::FillOp::create(rewriter, loc, ValueRange{zero}, ValueRange{empty}).getResult(0);
    auto generic = linalg::GenericOp::create(rewriter, loc, TypeRange{filled.getType()}, inputs,
                                             ValueRange{filled}, maps, iterators,
                                             [&](OpBuilder &b, Location l, ValueRange args) {
                                               linalg::YieldOp::create(b, l, multiplyAdd(b, l, args));
                                             });
    config.setOn(generic);
    SmallVector<int64_t> shape(outType.getShape());
    shape.back() = columns;
    Value result = tensor::CollapseShapeOp::create(
        rewriter, loc, RankedTensorType::get(shape, outType.getElementType()), generic.getResult(0),
        groups);
    if (columns != c.sizeN) {
      SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0)),
          strides(rank, rewriter.getIndexAttr(1));
      SmallVector<OpFoldResult> whole = tensor::getMixedSizes(rewriter, loc, result);
      whole.back() = rewriter.getIndexAttr(c.sizeN);
      result = tensor::ExtractSliceOp::create(rewriter, loc, result, offsets, whole, strides);
    }
    if (!isZeroFill(init))
      result = addTo(rewriter, loc, init, result);
    else if (result.getType() != outType)
      result = tensor::CastOp::create(rewriter, loc, outType, result);
    rewriter.replaceOp(c.op, result);
    return success();
  }

  /// The body: of bytes or of bfloat16.
  static Value multiplyAdd(OpBuilder &b, Location loc, ValueRange args) {
    Type sum = args[2].getType();
    if (isa<FloatType>(sum)) {
      Value x = arith::ExtFOp::create(b, loc, sum, args[0]);
      Value y = arith::ExtFOp::create(b, loc, sum, args[1]);
      return arith::AddFOp::create(b, loc, args[2], arith::MulFOp::create(b, loc, x, y));
    }
    Value x = arith::ExtUIOp::create(b, loc, sum, args[0]);
    Value y = arith::ExtSIOp::create(b, loc, sum, args[1]);
    return arith::AddIOp::create(b, loc, args[2], arith::MulIOp::create(b, loc, x, y));
  }

  static bool isZeroFill(Value init) {
    auto fill = init.getDefiningOp<linalg::FillOp>();
    return fill && (isConstantIntValue(fill.getInputs()[0], 0) ||
                    matchPattern(fill.getInputs()[0], m_PosZeroFloat()));
  }

  Value addTo(IRRewriter &rewriter, Location loc, Value init, Value sum) {
    auto type = cast<RankedTensorType>(init.getType());
    AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
    SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
    return linalg::GenericOp::create(rewriter, loc, TypeRange{type}, ValueRange{sum},
                                     ValueRange{init}, ArrayRef{identity, identity}, loops,
                                     [](OpBuilder &b, Location l, ValueRange args) {
                                       bool real = isa<FloatType>(args[0].getType());
                                       Value s = real ? Value(arith::AddFOp::create(b, l, args[0], args[1]))
                                                      : arith::AddIOp::create(b, l, args[0], args[1]);
                                       linalg::YieldOp::create(b, l, s);
                                     })
        .getResult(0);
  }

  /// `x` with `more` elements in its last dimension; what they are does not matter.
  Value lengthen(IRRewriter &rewriter, Location loc, Value x, int64_t more) {
    if (more == 0)
      return x;
    auto type = cast<RankedTensorType>(x.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.back() += more;
    SmallVector<OpFoldResult> low(shape.size(), rewriter.getIndexAttr(0)), high = low;
    high.back() = rewriter.getIndexAttr(more);
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type.getElementType()));
    return tensor::PadOp::create(rewriter, loc,
                                 RankedTensorType::get(shape, type.getElementType()), x, low, high,
                                 zero);
  }

  /// [columns / width, others..., depth / word, width, word].
  Value packWeights(IRRewriter &rewriter, Candidate &c, AffineMap w, int64_t width,
                    int64_t columns, int64_t depth) {
    auto type = cast<RankedTensorType>(c.weights->get().getType());
    SmallVector<int64_t> strides(type.getRank(), 1);
    for (int64_t i = type.getRank() - 1; i > 0; --i)
      strides[i - 1] = strides[i] * type.getDimSize(i);
    int64_t strideN = 0, strideK = 0;
    SmallVector<int64_t> shape{columns / width}, otherStrides;
    for (auto [i, expr] : llvm::enumerate(w.getResults())) {
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      if (dim == c.n) {
        strideN = strides[i];
      } else if (dim == c.k) {
        strideK = strides[i];
      } else {
        shape.push_back(type.getDimSize(i));
        otherStrides.push_back(strides[i]);
      }
    }
    // Where each tap or batch starts, in the order of the packed dimensions.
    SmallVector<int64_t> starts{0};
    for (auto [size, stride] : llvm::zip(ArrayRef(shape).drop_front(), otherStrides)) {
      SmallVector<int64_t> next;
      for (int64_t start : starts)
        for (int64_t i = 0; i < size; ++i)
          next.push_back(start + i * stride);
      starts = std::move(next);
    }
    shape.append({depth / c.depth, width, c.depth});
    auto packedType = RankedTensorType::get(shape, type.getElementType());
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(packedType.getNumElements() * bytesOf(type), 64);
    char *to = blob.getMutableData().data();
    int64_t bytes = bytesOf(type);
    for (int64_t panel = 0; panel < columns; panel += width)
      for (int64_t start : starts)
        for (int64_t k = 0; k < depth; k += c.depth)
          for (int64_t n = panel; n < panel + width; ++n)
            for (int64_t i = k; i < k + c.depth; ++i, to += bytes) {
              if (n < c.sizeN && i < c.sizeK)
                std::memcpy(to, &c.data[(start + n * strideN + i * strideK) * bytes], bytes);
              else
                std::memset(to, 0, bytes);
            }
    auto attr = DenseResourceElementsAttr::get(packedType, "packed", std::move(blob));
    return arith::ConstantOp::create(rewriter, c.op.getLoc(), packedType,
                                     cast<TypedAttr>(Attribute(attr)));
  }
};

} // namespace
} // namespace onnxc
