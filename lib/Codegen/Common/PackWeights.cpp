// onnxc-pack-weights: see Passes.td. The layout is the one that the register tiles read in
// order: panels of as many columns as a tile has, each panel row after row.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_PACKWEIGHTSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// A product whose right side is a constant matrix.
struct Candidate {
  linalg::LinalgOp op;
  OpOperand *weights;
  arith::ConstantOp constant;
  unsigned n, k;   // loops
  bool transposed; // the matrix is [N, K]
  int64_t sizeN, sizeK;
};

ArrayRef<char> rawBytes(ElementsAttr value) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? blob->getData() : ArrayRef<char>();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense && !dense.isSplat() ? dense.getRawData() : ArrayRef<char>();
}

struct PackWeights : impl::PackWeightsPassBase<PackWeights> {
  using PackWeightsPassBase::PackWeightsPassBase;

  void runOnOperation() override {
    SmallVector<Candidate> candidates;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (std::optional<Candidate> candidate = match(op))
        candidates.push_back(*candidate);
    });
    IRRewriter rewriter(&getContext());
    for (Candidate &candidate : candidates)
      pack(rewriter, candidate);
  }

  std::optional<Candidate> match(linalg::LinalgOp op) {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        op.getNumReductionLoops() != 1)
      return std::nullopt;
    FailureOr<linalg::ContractionDimensions> dims = linalg::inferContractionDims(op);
    if (failed(dims) || dims->k.size() != 1 || dims->n.empty())
      return std::nullopt;
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    auto last = dyn_cast<AffineDimExpr>(out.getResults().back());
    if (!last || !out.isProjectedPermutation())
      return std::nullopt;
    // Either input can be the matrix: the one that moves with the last column.
    for (OpOperand *input : op.getDpsInputOperands()) {
      auto constant = input->get().getDefiningOp<arith::ConstantOp>();
      AffineMap map = op.getMatchingIndexingMap(input);
      if (!constant || map.getNumResults() != 2 || !map.isProjectedPermutation() ||
          !map.isFunctionOfDim(last.getPosition()) || !map.isFunctionOfDim(dims->k[0]))
        continue;
      auto type = cast<RankedTensorType>(constant.getType());
      ArrayRef<char> bytes = rawBytes(cast<ElementsAttr>(constant.getValue()));
      if (bytes.empty() || type.getElementTypeBitWidth() % 8 != 0 ||
          static_cast<int64_t>(bytes.size()) !=
              type.getNumElements() * (type.getElementTypeBitWidth() / 8))
        continue;
      Candidate c{op, input, constant, last.getPosition(), dims->k[0], false, 0, 0};
      c.transposed = map.getResult(0) == getAffineDimExpr(c.n, op.getContext());
      c.sizeN = type.getDimSize(c.transposed ? 0 : 1);
      c.sizeK = type.getDimSize(c.transposed ? 1 : 0);
      // The other input must not move with the columns.
      for (OpOperand *other : op.getDpsInputOperands())
        if (other != input && op.getMatchingIndexingMap(other).isFunctionOfDim(c.n))
          return std::nullopt;
      return c;
    }
    return std::nullopt;
  }

  /// The widest panel that divides the columns; 0: none.
  int64_t panelWidth(int64_t columns) {
    for (int64_t width : {64, 48, 32, 16})
      if (columns % width == 0 && columns > width)
        return width;
    return 0;
  }

  void pack(IRRewriter &rewriter, Candidate &c) {
    int64_t width = panelWidth(c.sizeN);
    if (width == 0) {
      if (c.transposed)
        transpose(rewriter, c);
      return;
    }
    rewriter.setInsertionPoint(c.op);
    Location loc = c.op.getLoc();
    auto type = cast<RankedTensorType>(c.constant.getType());
    int64_t panels = c.sizeN / width;
    Value packed = makeConstant(
        rewriter, c, RankedTensorType::get({panels, c.sizeK, width}, type.getElementType()),
        [&](int64_t i) {
          int64_t column = i / (c.sizeK * width) * width + i % width, row = i / width % c.sizeK;
          return std::make_pair(row, column);
        });

    // Loop n becomes (panel, column): d_n stays the panel, a new last dimension is the column.
    unsigned numLoops = c.op.getNumLoops();
    MLIRContext *context = &getContext();
    AffineExpr panel = getAffineDimExpr(c.n, context), column = getAffineDimExpr(numLoops, context),
               depth = getAffineDimExpr(c.k, context);
    SmallVector<AffineMap> maps;
    SmallVector<Value> inputs;
    for (OpOperand *input : c.op.getDpsInputOperands()) {
      AffineMap map = c.op.getMatchingIndexingMap(input);
      if (input == c.weights) {
        inputs.push_back(packed);
        maps.push_back(AffineMap::get(numLoops + 1, 0, {panel, depth, column}, context));
      } else {
        inputs.push_back(input->get());
        maps.push_back(AffineMap::get(numLoops + 1, 0, map.getResults(), context));
      }
    }
    OpOperand *init = c.op.getDpsInitOperand(0);
    AffineMap out = c.op.getMatchingIndexingMap(init);
    SmallVector<AffineExpr> results(out.getResults());
    results.push_back(column);
    maps.push_back(AffineMap::get(numLoops + 1, 0, results, context));
    SmallVector<utils::IteratorType> iterators = c.op.getIteratorTypesArray();
    iterators.push_back(utils::IteratorType::parallel);

    auto outType = cast<RankedTensorType>(init->get().getType());
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim < outType.getRank(); ++dim)
      groups.push_back({dim});
    groups.back().push_back(outType.getRank());
    SmallVector<int64_t> shape(outType.getShape());
    shape.back() = panels;
    shape.push_back(width);
    auto expandedType = RankedTensorType::get(shape, outType.getElementType());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, init->get());
    sizes.back() = rewriter.getIndexAttr(panels);
    sizes.push_back(rewriter.getIndexAttr(width));

    Value expandedInit;
    if (auto fill = init->get().getDefiningOp<linalg::FillOp>()) {
      Value empty = tensor::EmptyOp::create(rewriter, loc, sizes, outType.getElementType());
      expandedInit = linalg::FillOp::create(rewriter, loc, fill.getInputs(), ValueRange{empty})
                         .getResult(0);
    } else {
      expandedInit =
          tensor::ExpandShapeOp::create(rewriter, loc, expandedType, init->get(), groups, sizes);
    }
    if (expandedInit.getType() != expandedType)
      expandedInit = tensor::CastOp::create(rewriter, loc, expandedType, expandedInit);
    auto generic = linalg::GenericOp::create(rewriter, loc, TypeRange{expandedType}, inputs,
                                             ValueRange{expandedInit}, maps, iterators);
    rewriter.cloneRegionBefore(c.op->getRegion(0), generic.getRegion(), generic.getRegion().begin());
    Value collapsed =
        tensor::CollapseShapeOp::create(rewriter, loc, outType, generic.getResult(0), groups);
    rewriter.replaceOp(c.op, collapsed);
    if (c.constant->use_empty())
      rewriter.eraseOp(c.constant);
  }

  /// [N, K] -> [K, N], so that columns are contiguous.
  void transpose(IRRewriter &rewriter, Candidate &c) {
    rewriter.setInsertionPoint(c.op);
    auto type = cast<RankedTensorType>(c.constant.getType());
    Value turned = makeConstant(rewriter, c,
                                RankedTensorType::get({c.sizeK, c.sizeN}, type.getElementType()),
                                [&](int64_t i) { return std::make_pair(i / c.sizeN, i % c.sizeN); });
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps = c.op.getIndexingMapsArray();
    for (auto [i, input] : llvm::enumerate(c.op.getDpsInputOperands())) {
      inputs.push_back(input == c.weights ? turned : input->get());
      if (input == c.weights)
        maps[i] = AffineMap::get(c.op.getNumLoops(), 0,
                                 {maps[i].getResult(1), maps[i].getResult(0)}, &getContext());
    }
    auto generic = linalg::GenericOp::create(rewriter, c.op.getLoc(), c.op->getResultTypes(), inputs,
                                             ValueRange{c.op.getDpsInits()}, maps,
                                             c.op.getIteratorTypesArray());
    rewriter.cloneRegionBefore(c.op->getRegion(0), generic.getRegion(), generic.getRegion().begin());
    rewriter.replaceOp(c.op, generic.getResults());
    if (c.constant->use_empty())
      rewriter.eraseOp(c.constant);
  }

  /// A constant whose element i is the matrix's element at (row k, column n) = at(i).
  template <typename Fn>
  Value makeConstant(IRRewriter &rewriter, Candidate &c, RankedTensorType type, Fn at) {
    auto value = cast<ElementsAttr>(c.constant.getValue());
    ArrayRef<char> from = rawBytes(value);
    int64_t size = type.getElementTypeBitWidth() / 8, count = type.getNumElements();
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(from.size(), 64);
    char *to = blob.getMutableData().data();
    for (int64_t i = 0; i < count; ++i) {
      auto [row, column] = at(i);
      int64_t source = c.transposed ? column * c.sizeK + row : row * c.sizeN + column;
      memcpy(to + i * size, from.data() + source * size, size);
    }
    auto attr = DenseResourceElementsAttr::get(type, "packed", std::move(blob));
    // Nothing else reads the old data: its memory is given back.
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
      releaseIfUnused(resource, c.constant);
    return arith::ConstantOp::create(rewriter, c.op.getLoc(), type, cast<TypedAttr>(Attribute(attr)));
  }

  void releaseIfUnused(DenseResourceElementsAttr attr, arith::ConstantOp constant) {
    if (!constant->hasOneUse())
      return;
    bool shared = false;
    getOperation().walk([&](arith::ConstantOp other) {
      shared |= other != constant && other.getValue() == attr;
    });
    if (!shared)
      attr.getRawHandle().getResource()->setBlob(AsmResourceBlob());
  }
};

} // namespace
} // namespace onnxc
