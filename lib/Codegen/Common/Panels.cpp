// See Panels.h. A product whose columns no panel divides would be computed with the right side row after row,
// each row ending in a partial vector. In pieces only the last panel has a partial vector.
#include "Panels.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr unsigned kMaxChain = 16;
/// A vector, and the vectors beside each other in the widest tiles.
constexpr int64_t kLanes = 16, kProductVectors = 4, kImageVectors = 3;
/// Products below this stay whole, and what an unknown size is taken for.
constexpr int64_t kMinWork = 1 << 19, kAssumedSize = 128;

/// An operation of the chain and its loop of the columns.
struct Link {
  linalg::LinalgOp op;
  unsigned column;
};

/// The result's dimension that a loop is, if no other expression has it.
std::optional<unsigned> resultOf(AffineMap map, unsigned dim) {
  std::optional<unsigned> found;
  for (auto [position, expr] : llvm::enumerate(map.getResults()))
    if (expr.isFunctionOfDim(dim)) {
      if (found || !isa<AffineDimExpr>(expr))
        return std::nullopt;
      found = position;
    }
  return found;
}

/// Whether slices of the operands along the loop give a slice of the result.
bool canSlice(linalg::LinalgOp op, unsigned column) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 || op.getNumDpsInits() != 1)
    return false;
  for (AffineMap map : op.getIndexingMapsArray())
    if (map.isFunctionOfDim(column) && !resultOf(map, column))
      return false;
  return !op.hasIndexSemantics() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isFunctionOfDim(column);
}

/// The only user, if it does elementwise work on the value.
std::optional<Link> elementwiseUser(Link &last) {
  Value result = last.op->getResult(0);
  if (!result.hasOneUse())
    return std::nullopt;
  OpOperand &use = *result.getUses().begin();
  auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
  if (!user || user.getNumReductionLoops() > 0 || !user.isDpsInput(&use) || user.getNumDpsInits() != 1 ||
      user.payloadUsesValueFromOperand(user.getDpsInitOperand(0)))
    return std::nullopt;
  AffineMap made = last.op.getMatchingIndexingMap(last.op.getDpsInitOperand(0));
  AffineMap read = user.getMatchingIndexingMap(&use);
  auto dim = dyn_cast<AffineDimExpr>(read.getResult(*resultOf(made, last.column)));
  if (!dim || !canSlice(user, dim.getPosition()))
    return std::nullopt;
  return Link{user, dim.getPosition()};
}

Value sliceAlong(RewriterBase &b, Location loc, Value value, unsigned dim, int64_t from, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpFoldResult> sizes, offsets(type.getRank(), b.getIndexAttr(0)),
      strides(type.getRank(), b.getIndexAttr(1));
  auto empty = value.getDefiningOp<tensor::EmptyOp>();
  sizes = empty ? empty.getMixedSizes() : tensor::getMixedSizes(b, loc, value);
  sizes[dim] = b.getIndexAttr(size);
  offsets[dim] = b.getIndexAttr(from);
  if (empty)
    return tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  return tensor::ExtractSliceOp::create(b, loc, value, offsets, sizes, strides);
}

} // namespace

/// Vectors of a panel that fit the rows of a product. Many rows are tiles of six by four vectors. Few rows that one tile
/// holds pass over the weights once, as they come from memory: up to nine rows by three vectors, fourteen by two.
/// Up to six leave registers for several panels of two vectors, which come as streams side by side.
static int64_t vectorsForRows(int64_t rows) {
  if (ShapedType::isDynamic(rows) || rows <= 3 || rows > 18)
    return kProductVectors;
  return rows <= 6 || (rows >= 10 && rows <= 14) ? 2 : 3;
}

SmallVector<ColumnPiece> chooseColumnPieces(int64_t columns, int64_t rows, bool image, int64_t tile) {
  // The widest panel that divides the columns. Images have rows of any length, for which tiles of fourteen rows by two
  // vectors leave less over.
  // One of a single vector only where tiles ask for it.
  int64_t most = image ? kImageVectors : vectorsForRows(rows);
  for (int64_t width : {64, 48, 32, 16})
    if ((width > 16 || tile != 0) && columns % width == 0 && tile % width == 0 && columns > width &&
        (width <= most * kLanes || (tile != 0 && !image)) && !(image && width == 48 && columns % 32 == 0))
      return {{columns, width}};
  int64_t vectors = llvm::divideCeil(columns, kLanes);
  // A single vector left over would be a tile of its own that waits for its operands: a wide
  // panel and it become two of middle width.
  SmallVector<ColumnPiece> pieces;
  for (int64_t left = columns; left > 0;) {
    int64_t width = std::min(vectors, most);
    if (vectors == most + 1)
      width = llvm::divideCeil(vectors, static_cast<int64_t>(2));
    int64_t size = std::min(width * kLanes, left);
    if (!pieces.empty() && pieces.back().width == size)
      pieces.back().size += size;
    else
      pieces.push_back({size, size});
    vectors -= width;
    left -= size;
  }
  return pieces;
}

bool isWorthPieces(linalg::LinalgOp product) {
  int64_t work = 1;
  for (int64_t size : product.getStaticLoopRanges())
    work *= ShapedType::isDynamic(size) ? kAssumedSize : size;
  return work >= kMinWork;
}

SmallVector<linalg::LinalgOp> splitColumns(RewriterBase &rewriter, linalg::LinalgOp product,
                                           unsigned column, ArrayRef<ColumnPiece> pieces) {
  if (!canSlice(product, column))
    return {};
  SmallVector<Link> chain = {{product, column}};
  while (chain.size() < kMaxChain)
    if (std::optional<Link> next = elementwiseUser(chain.back()))
      chain.push_back(*next);
    else
      break;

  linalg::LinalgOp last = chain.back().op;
  Location loc = last.getLoc();
  rewriter.setInsertionPoint(last);
  OpOperand *init = last.getDpsInitOperand(0);
  auto type = cast<RankedTensorType>(init->get().getType());
  unsigned resultDim = *resultOf(last.getMatchingIndexingMap(init), chain.back().column);
  Value whole = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, init->get()), type.getElementType());
  SmallVector<linalg::LinalgOp> products;
  int64_t from = 0;
  for (const ColumnPiece &piece : pieces) {
    Value value;
    for (Link &link : chain) {
      SmallVector<Value> operands;
      for (OpOperand &operand : link.op->getOpOperands()) {
        AffineMap map = link.op.getMatchingIndexingMap(&operand);
        if (value && operand.get() == chain[&link - chain.begin() - 1].op->getResult(0)) {
          operands.push_back(value);
        } else if (!map.isFunctionOfDim(link.column)) {
          operands.push_back(operand.get());
        } else if (auto fill = operand.get().getDefiningOp<linalg::FillOp>()) {
          Value part = sliceAlong(rewriter, loc, fill.getOutputs()[0], *resultOf(map, link.column),
                                  from, piece.size);
          operands.push_back(
              linalg::FillOp::create(rewriter, loc, fill.getInputs(), ValueRange{part}).getResult(0));
        } else {
          operands.push_back(sliceAlong(rewriter, loc, operand.get(), *resultOf(map, link.column),
                                        from, piece.size));
        }
      }
      Operation *made = clone(rewriter, link.op, TypeRange{operands.back().getType()}, operands);
      value = made->getResult(0);
      if (link.op == product)
        products.push_back(cast<linalg::LinalgOp>(made));
    }
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, value),
                              offsets(type.getRank(), rewriter.getIndexAttr(0)),
                              strides(type.getRank(), rewriter.getIndexAttr(1));
    offsets[resultDim] = rewriter.getIndexAttr(from);
    whole = tensor::InsertSliceOp::create(rewriter, loc, value, whole, offsets, sizes, strides);
    from += piece.size;
  }
  rewriter.replaceOp(last, whole);
  for (const Link &link : llvm::drop_begin(llvm::reverse(chain)))
    rewriter.eraseOp(link.op);
  return products;
}

linalg::LinalgOp replaceByPanels(RewriterBase &rewriter, linalg::LinalgOp product, OpOperand &operand,
                     Value packed, unsigned column, ArrayRef<unsigned> outer,
                     ArrayRef<unsigned> depth) {
  rewriter.setInsertionPoint(product);
  Location loc = product.getLoc();
  MLIRContext *context = rewriter.getContext();
  // Loop `column` becomes (panel, column): it stays the panel, a new last one is the column.
  unsigned numLoops = product.getNumLoops();
  AffineExpr inside = getAffineDimExpr(numLoops, context);
  SmallVector<AffineExpr> exprs;
  for (unsigned dim : outer)
    exprs.push_back(getAffineDimExpr(dim, context));
  exprs.push_back(getAffineDimExpr(column, context));
  for (unsigned dim : depth)
    exprs.push_back(getAffineDimExpr(dim, context));
  exprs.push_back(inside);
  auto packedType = cast<RankedTensorType>(packed.getType());
  int64_t panels = packedType.getDimSize(outer.size()), width = packedType.getShape().back();

  SmallVector<AffineMap> maps;
  SmallVector<Value> inputs;
  for (OpOperand *input : product.getDpsInputOperands()) {
    bool isWeights = input == &operand;
    inputs.push_back(isWeights ? packed : input->get());
    maps.push_back(AffineMap::get(
        numLoops + 1, 0,
        isWeights ? ArrayRef<AffineExpr>(exprs) : product.getMatchingIndexingMap(input).getResults(),
        context));
  }
  OpOperand *init = product.getDpsInitOperand(0);
  AffineMap out = product.getMatchingIndexingMap(init);
  SmallVector<AffineExpr> results(out.getResults());
  results.push_back(inside);
  maps.push_back(AffineMap::get(numLoops + 1, 0, results, context));
  SmallVector<utils::IteratorType> iterators = product.getIteratorTypesArray();
  iterators.push_back(utils::IteratorType::parallel);

  auto outType = cast<RankedTensorType>(init->get().getType());
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < outType.getRank(); ++dim)
    groups.push_back({dim});
  groups.back().push_back(outType.getRank());
  SmallVector<int64_t> outShape(outType.getShape());
  outShape.back() = panels;
  outShape.push_back(width);
  auto expandedType = RankedTensorType::get(outShape, outType.getElementType());
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
  rewriter.cloneRegionBefore(product->getRegion(0), generic.getRegion(), generic.getRegion().begin());
  Value collapsed =
      tensor::CollapseShapeOp::create(rewriter, loc, outType, generic.getResult(0), groups);
  rewriter.replaceOp(product, collapsed);
  return generic;
}

} // namespace onnxc
