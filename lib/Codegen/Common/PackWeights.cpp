// onnxc-pack-weights: see Passes.td. The layout is the one that the register tiles read in
// order: panels of as many columns as a tile has, each panel row after row.
#include "ConstantData.h"
#include "Panels.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

namespace onnxc {
#define GEN_PASS_DEF_PACKWEIGHTSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Columns below this are not worth a vector: where the depth is, sums run along that instead.
constexpr int64_t kFewColumns = 8, kVectorDepth = 16;

/// A product (or convolution) with a constant operand that is laid out anew.
struct Candidate {
  linalg::LinalgOp op;
  OpOperand *weights;
  arith::ConstantOp constant;
  RankedTensorType type;       // of the weights as the operation sees them
  SmallVector<int64_t> strides; // of these in the constant, in elements
  unsigned column;             // the loop of the result's last dimension
  SmallVector<unsigned> batch; // parallel loops that both operands follow
  SmallVector<unsigned> depth; // the loops that reduce, in the operation's order
  bool shared;                 // the other operand does not move with the columns
  unsigned rowLoops;           // parallel loops that the weights do not follow
  int64_t rows;                // of these together, or unknown
  int64_t offset;              // of the weights in the constant, in elements
};

struct PackWeights : impl::PackWeightsPassBase<PackWeights> {
  using PackWeightsPassBase::PackWeightsPassBase;

  void runOnOperation() override {
    std::vector<Candidate> candidates;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (std::optional<Candidate> candidate = match(op))
        candidates.push_back(*candidate);
    });
    IRRewriter rewriter(&getContext());
    for (Candidate &candidate : candidates)
      if (failed(pack(rewriter, candidate)))
        return signalPassFailure();
    WalkResult left = getOperation().walk([&](linalg::LinalgOp op) {
      if (!cg::LoweringConfig(op).panel)
        return WalkResult::advance();
      op.emitError("has a strategy with panels, but no constant weights that fit into them");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }

  std::optional<Candidate> match(linalg::LinalgOp op) {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        op.getNumReductionLoops() == 0)
      return std::nullopt;
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    if (!out.isProjectedPermutation() || out.getNumResults() == 0)
      return std::nullopt;
    unsigned column = cast<AffineDimExpr>(out.getResults().back()).getPosition();
    // Either input can be the weights: the one that moves with the columns.
    for (unsigned i : {0, 1}) {
      OpOperand *input = op.getDpsInputOperand(i), *other = op.getDpsInputOperand(1 - i);
      AffineMap map = op.getMatchingIndexingMap(input);
      if (!map.isProjectedPermutation() || !map.isFunctionOfDim(column))
        continue;
      int64_t offset;
      arith::ConstantOp constant = constantBehind(input->get(), offset);
      auto type = dyn_cast<RankedTensorType>(input->get().getType());
      if (!constant || !type || !type.hasStaticShape())
        continue;
      ArrayRef<char> bytes = rawBytes(cast<ElementsAttr>(constant.getValue()));
      if (bytes.empty() || type.getElementTypeBitWidth() % 8 != 0 ||
          static_cast<int64_t>(bytes.size()) <
              (offset + type.getNumElements()) * (type.getElementTypeBitWidth() / 8))
        continue;
      AffineMap otherMap = op.getMatchingIndexingMap(other);
      Candidate c{op, input, constant, type, computeSuffixProduct(type.getShape()), column, {}, {},
                  !otherMap.isFunctionOfDim(column), 0, 1, offset};
      for (auto [dim, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
        bool follows = map.isFunctionOfDim(dim);
        if (iterator == utils::IteratorType::reduction) {
          if (follows)
            c.depth.push_back(dim);
        } else if (!follows) {
          ++c.rowLoops;
          int64_t size = op.getStaticLoopRanges()[dim];
          c.rows = ShapedType::isDynamic(size) || ShapedType::isDynamic(c.rows) ? ShapedType::kDynamic : c.rows * size;
        } else if (dim != column) {
          if (!otherMap.isFunctionOfDim(dim))
            return std::nullopt; // several loops of columns
          c.batch.push_back(dim);
        }
      }
      if (!c.depth.empty())
        return c;
    }
    return std::nullopt;
  }

  LogicalResult pack(IRRewriter &rewriter, Candidate &c) {
    AffineMap map = c.op.getMatchingIndexingMap(c.weights);
    unsigned columnAt = *map.getResultPosition(getDim(c.column));
    int64_t columns = c.type.getDimSize(columnAt);
    cg::LoweringConfig config(c.op);
    ColumnPiece whole = {columns, columns};
    SmallVector<ColumnPiece> pieces = {whole};
    if (config.panel) {
      whole.width = *config.panel;
      if (whole.width != 0 && (!c.shared || columns % whole.width != 0))
        return c.op.emitError("has a strategy with panels of ")
               << whole.width << " columns, which do not divide its " << columns << " columns";
      if (whole.width == 0)
        whole.width = columns;
      pieces = {whole};
      config.panel.reset();
    } else if (c.shared) {
      int64_t tile = config.tileSizes.empty() ? 0 : config.tileSizes[c.column];
      pieces = chooseColumnPieces(columns, c.rows, /*image=*/c.rowLoops >= 3, tile);
    }
    unsigned side = c.weights->getOperandNumber();
    SmallVector<linalg::LinalgOp> products;
    if (pieces.size() > 1 && !config.hasLoops() && isWorthPieces(c.op))
      products = splitColumns(rewriter, c.op, c.column, pieces);
    if (products.empty())
      return packPiece(rewriter, c, map, pieces.size() > 1 ? whole : pieces.front(), config);
    for (auto [product, piece] : llvm::zip(products, pieces)) {
      Candidate part = c;
      part.op = product;
      part.weights = &product->getOpOperand(side);
      part.type = cast<RankedTensorType>(part.weights->get().getType());
      if (failed(packPiece(rewriter, part, map, piece, config)))
        return failure();
      c.offset += piece.size * c.strides[columnAt];
    }
    return success();
  }

  LogicalResult packPiece(IRRewriter &rewriter, Candidate &c, AffineMap map, ColumnPiece piece,
                          cg::LoweringConfig config) {
    int64_t columns = piece.size;
    SmallVector<unsigned> order(c.batch);
    if (piece.width < piece.size) {
      if (failed(config.splitLoop(c.column, piece.width, c.op.getNumLoops())))
        return c.op.emitError("has a strategy with tiles that are no whole panels of ")
               << piece.width;
      packPanels(rewriter, c, map, columns, piece.width, config);
      return success();
    }
    config.setOn(c.op);
    // Sums along the depth where the columns are few and the other operand is contiguous there.
    OpOperand *other = c.op.getDpsInputOperand(c.weights == c.op.getDpsInputOperand(0) ? 1 : 0);
    AffineMap otherMap = c.op.getMatchingIndexingMap(other);
    bool alongDepth = c.shared && columns < kFewColumns && otherMap.getNumResults() > 0 &&
                      c.op.getStaticLoopRanges()[c.depth.back()] >= kVectorDepth &&
                      isContiguousAlong(otherMap, c.depth.back());
    if (alongDepth)
      order.push_back(c.column);
    order.append(c.depth);
    if (!alongDepth)
      order.push_back(c.column);
    reorder(rewriter, c, map, order);
    return success();
  }

  /// The last result moves by one with the loop (it may slide with others, too), the rest does not.
  static bool isContiguousAlong(AffineMap map, unsigned dim) {
    for (AffineExpr expr : map.getResults().drop_back())
      if (expr.isFunctionOfDim(dim))
        return false;
    AffineExpr last = map.getResults().back(), d = getAffineDimExpr(dim, map.getContext());
    return simplifyAffineExpr(last.replace(d, d + 1) - last, map.getNumDims(), 0) == 1;
  }

  AffineExpr getDim(unsigned dim) { return getAffineDimExpr(dim, &getContext()); }

  /// Weights [batch..., columns / width, depth..., width].
  void packPanels(IRRewriter &rewriter, Candidate &c, AffineMap map, int64_t columns,
                  int64_t width, const cg::LoweringConfig &config) {
    rewriter.setInsertionPoint(c.op);
    SmallVector<int64_t> shape, strides;
    auto add = [&](unsigned dim) {
      unsigned position = *map.getResultPosition(getDim(dim));
      shape.push_back(c.type.getDimSize(position));
      strides.push_back(c.strides[position]);
    };
    for (unsigned dim : c.batch)
      add(dim);
    add(c.column);
    shape.back() = columns / width;
    int64_t step = strides.back();
    strides.back() *= width;
    for (unsigned dim : c.depth)
      add(dim);
    shape.push_back(width);
    strides.push_back(step);
    Value packed = makeConstant(
        rewriter, c, RankedTensorType::get(shape, c.type.getElementType()), strides);

    Value weights = c.weights->get();
    config.setOn(replaceByPanels(rewriter, c.op, *c.weights, packed, c.column, c.batch, c.depth));
    eraseUnused(rewriter, weights);
  }

  /// Weights with their dimensions in the order of the given loops.
  void reorder(IRRewriter &rewriter, Candidate &c, AffineMap map, ArrayRef<unsigned> order) {
    SmallVector<int64_t> shape, strides;
    SmallVector<AffineExpr> exprs;
    for (unsigned dim : order) {
      unsigned position = *map.getResultPosition(getDim(dim));
      shape.push_back(c.type.getDimSize(position));
      strides.push_back(c.strides[position]);
      exprs.push_back(getDim(dim));
    }
    if (ArrayRef(exprs) == map.getResults() && c.strides == computeSuffixProduct(c.type.getShape()) &&
        !hasNeedlessSubnormals(floatsOf(c)))
      return;
    rewriter.setInsertionPoint(c.op);
    Value turned = makeConstant(
        rewriter, c, RankedTensorType::get(shape, c.type.getElementType()), strides);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps = c.op.getIndexingMapsArray();
    for (auto [i, input] : llvm::enumerate(c.op.getDpsInputOperands())) {
      inputs.push_back(input == c.weights ? turned : input->get());
      if (input == c.weights)
        maps[i] = AffineMap::get(c.op.getNumLoops(), 0, exprs, &getContext());
    }
    auto generic = linalg::GenericOp::create(rewriter, c.op.getLoc(), c.op->getResultTypes(), inputs,
                                             ValueRange{c.op.getDpsInits()}, maps,
                                             c.op.getIteratorTypesArray());
    rewriter.cloneRegionBefore(c.op->getRegion(0), generic.getRegion(), generic.getRegion().begin());
    cg::LoweringConfig(c.op).setOn(generic);
    Value weights = c.weights->get();
    rewriter.replaceOp(c.op, generic.getResults());
    eraseUnused(rewriter, weights);
  }

  /// A constant of `type` whose dimensions walk the old data with the given strides (elements).
  Value makeConstant(IRRewriter &rewriter, Candidate &c, RankedTensorType type,
                     ArrayRef<int64_t> strides) {
    auto value = cast<ElementsAttr>(c.constant.getValue());
    ArrayRef<char> from = rawBytes(value);
    int64_t size = type.getElementTypeBitWidth() / 8;
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(type.getNumElements() * size, 64);
    char *to = blob.getMutableData().data();
    walk(type.getShape(), strides, c.offset, [&](int64_t element) {
      memcpy(to, from.data() + element * size, size);
      to += size;
    });
    if (type.getElementType().isF32()) {
      MutableArrayRef<float> floats(reinterpret_cast<float *>(blob.getMutableData().data()),
                                    type.getNumElements());
      if (hasNeedlessSubnormals(floats))
        flushSubnormals(floats);
    }
    auto attr = DenseResourceElementsAttr::get(type, "packed", std::move(blob));
    // Nothing else reads the old data: its memory is given back.
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
      if (isOnlyUse(c.weights->get()))
        releaseIfUnused(resource, c.constant);
    return arith::ConstantOp::create(rewriter, c.op.getLoc(), type, cast<TypedAttr>(Attribute(attr)));
  }

  /// The weights as they lie in the constant; empty if they are of another type.
  static ArrayRef<float> floatsOf(Candidate &c) {
    if (!c.type.getElementType().isF32())
      return {};
    auto *first = reinterpret_cast<const float *>(rawBytes(cast<ElementsAttr>(c.constant.getValue())).data());
    return {first + c.offset, static_cast<size_t>(c.type.getNumElements())};
  }

  template <typename Fn>
  static void walk(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides, int64_t at, Fn &&visit) {
    if (shape.empty())
      return visit(at);
    for (int64_t i = 0; i < shape.front(); ++i, at += strides.front())
      walk(shape.drop_front(), strides.drop_front(), at, visit);
  }

  /// Nothing but one operation reads the value, nor what it is a view of.
  static bool isOnlyUse(Value value) {
    while (value.hasOneUse()) {
      Operation *op = value.getDefiningOp();
      if (op->getNumOperands() == 0)
        return true;
      value = op->getOperand(0);
    }
    return false;
  }

  /// Erases the value's operation, and what only that read, if it has no users left.
  static void eraseUnused(IRRewriter &rewriter, Value value) {
    Operation *op = value.getDefiningOp();
    if (!value.use_empty())
      return;
    Value source = op->getNumOperands() > 0 ? op->getOperand(0) : Value();
    rewriter.eraseOp(op);
    if (source)
      eraseUnused(rewriter, source);
  }

  void releaseIfUnused(DenseResourceElementsAttr attr, arith::ConstantOp constant) {
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
