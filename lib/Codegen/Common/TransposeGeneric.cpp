// Transpositions and linalg.generic: every operand that is a transposition is read through its
// indexing map. Where most of what is read has another order than the result, the loops and the result
// take that order, so that the innermost loop runs along memory.
#include "Transposes.h"

#include "onnxc/Codegen/Common/ProductTiles.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

using Loops = SmallVector<unsigned>;

/// One tensor that the body sees, in the order that it has in memory.
struct Read {
  std::optional<Transposed> transposed;
  SmallVector<Loops> dims; // the loops that each dimension moves with
  int64_t weight = 0;      // elements to read in another order than memory's if the order is not this one's
  bool aligned = false;    // its dimensions are the result's (or of size 1)
};

class Sinker {
public:
  Sinker(Transposer &t, linalg::GenericOp op)
      : t(t), op(op), iterators(op.getIteratorTypesArray()), ranges(op.getStaticLoopRanges()) {}

  bool run() {
    collect();
    bool any = llvm::any_of(reads, [](const Read &read) { return read.transposed.has_value(); });
    if (!any)
      return false;
    if (isContraction(op))
      return foldIntoContraction();
    Loops order = chooseOrder();
    rewrite(order);
    return true;
  }

private:
  bool isParallel(unsigned loop) const { return iterators[loop] == utils::IteratorType::parallel; }
  bool isUnit(unsigned loop) const { return ranges[loop] == 1; }

  // ---- what is read ----

  void collect() {
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (!isa<RankedTensorType>(input->get().getType()))
        continue;
      SmallVector<Loops> dims;
      for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults())
        dims.push_back(loopsOf(expr));
      add(input->get(), std::move(dims), op.getMatchingBlockArgument(input).use_empty());
    }
    op.getRegion().walk([&](tensor::ExtractOp extract) {
      SmallVector<Loops> dims;
      for (Value index : extract.getIndices())
        dims.push_back(loopsOf(index));
      add(extract.getTensor(), std::move(dims), false);
    });
    for (OpOperand &init : op.getDpsInitsMutable())
      if (!op.getMatchingBlockArgument(&init).use_empty() &&
          !init.get().getDefiningOp<linalg::FillOp>()) {
        SmallVector<Loops> dims;
        for (AffineExpr expr : op.getMatchingIndexingMap(&init).getResults())
          dims.push_back(loopsOf(expr));
        add(init.get(), std::move(dims), false);
      }
  }

  void add(Value value, SmallVector<Loops> dims, bool unused) {
    Read read;
    read.aligned = isAligned(value, dims);
    read.transposed = t.match(value);
    if (read.transposed)
      dims = permuted(dims, invertPerm(read.transposed->perm));
    read.dims = std::move(dims);
    if (!unused && !value.getDefiningOp<arith::ConstantOp>())
      read.weight = assumedElements(value.getType());
    reads.push_back(std::move(read));
  }

  bool isAligned(Value value, ArrayRef<Loops> dims) {
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    if (dims.size() != out.getNumResults())
      return false;
    for (auto [dim, loops] : llvm::enumerate(dims))
      if (!loops.empty() && !llvm::is_contained(loops, out.getDimPosition(dim)))
        return false;
    return true;
  }

  Loops loopsOf(AffineExpr expr) {
    Loops loops;
    for (unsigned loop = 0; loop < iterators.size(); ++loop)
      if (expr.isFunctionOfDim(loop))
        loops.push_back(loop);
    return loops;
  }

  /// The loops that a value of the body is computed from.
  Loops loopsOf(Value value) {
    Operation *def = value.getDefiningOp();
    if (!def || !op.getRegion().isAncestor(def->getParentRegion()))
      return {};
    if (auto index = dyn_cast<linalg::IndexOp>(def))
      return {static_cast<unsigned>(index.getDim())};
    auto [known, isNew] = bodyLoops.try_emplace(value);
    if (!isNew)
      return known->second;
    Loops loops;
    for (Value operand : def->getOperands())
      for (unsigned loop : loopsOf(operand))
        if (!llvm::is_contained(loops, loop))
          loops.push_back(loop);
    bodyLoops[value] = loops;
    return loops;
  }

  // ---- the order ----

  /// The parallel loops as the first result has them.
  Loops currentOrder() {
    Loops order;
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    for (unsigned dim = 0; dim < out.getNumResults(); ++dim)
      order.push_back(out.getDimPosition(dim));
    return order;
  }

  /// The parallel loops in the order in which memory has them; empty if this read does not say.
  Loops orderOf(const Read &read) {
    Loops order = currentOrder();
    SmallVector<int64_t> position(iterators.size(), -1);
    for (auto [dim, loops] : llvm::enumerate(read.dims))
      for (unsigned loop : loops)
        position[loop] = dim;
    int64_t before = -1;
    for (auto [dim, loop] : llvm::enumerate(order)) {
      if (position[loop] < 0) {
        if (read.aligned && read.transposed)
          position[loop] = read.transposed->perm[dim];
        else if (isUnit(loop))
          position[loop] = before;
        else
          return {};
      }
      before = position[loop];
    }
    llvm::stable_sort(order, [&](unsigned x, unsigned y) { return position[x] < position[y]; });
    return order;
  }

  /// What is read in another order than memory's if the parallel loops have this order.
  int64_t cost(ArrayRef<unsigned> order) {
    SmallVector<int64_t> rank(iterators.size(), -1);
    for (auto [i, loop] : llvm::enumerate(order))
      rank[loop] = i;
    int64_t sum = 0;
    for (const Read &read : reads) {
      int64_t last = -1;
      bool inOrder = true;
      for (const Loops &loops : read.dims)
        for (unsigned loop : loops) {
          if (rank[loop] < 0 || isUnit(loop))
            continue;
          inOrder &= rank[loop] >= last;
          last = rank[loop];
        }
      if (!inOrder)
        sum += read.weight;
    }
    return sum;
  }

  Perm permFor(AffineMap out, ArrayRef<unsigned> order) {
    // Dimension i of the result is dimension perm[i] of what is computed.
    SmallVector<unsigned> computed;
    for (unsigned loop : order)
      computed.push_back(*out.getResultPosition(getAffineDimExpr(loop, op.getContext())));
    return invertPerm(SmallVector<int64_t>(computed.begin(), computed.end()));
  }

  Loops chooseOrder() {
    Loops current = currentOrder(), best = current;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      AffineMap map = op.getMatchingIndexingMap(&init);
      if (!map.isProjectedPermutation() || map.getNumResults() != op.getNumParallelLoops())
        return current;
    }
    int64_t least = cost(current);
    bool bestIsUndone = false;
    for (const Read &read : reads) {
      if (!read.transposed)
        continue;
      Loops order = orderOf(read);
      if (order.empty() || order == best)
        continue;
      OpResult result = op->getResult(0);
      Perm perm = permFor(op.getMatchingIndexingMap(op.getDpsInitOperand(0)), order);
      bool undone = isUndoneBelow(result, perm);
      int64_t price = cost(order);
      // What is transposed here but grew larger costs more below, unless it is undone there.
      if (!undone && !movesOnlyUnits(rankedType(result), invertPerm(perm)))
        price += std::max<int64_t>(0, assumedElements(result.getType()) - read.weight);
      if (price < least || (price == least && undone && !bestIsUndone)) {
        least = price;
        best = order;
        bestIsUndone = undone;
      }
    }
    return best;
  }

  // ---- the new operation ----

  /// Only what is then still read along rows: the innermost dimension in memory belongs to the
  /// innermost loop of the result, or to a reduction where the operand stays along that loop.
  bool foldIntoContraction() {
    AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    SmallVector<unsigned> folded;
    for (OpOperand *input : op.getDpsInputOperands()) {
      std::optional<Transposed> transposed = t.match(input->get());
      AffineMap map = op.getMatchingIndexingMap(input);
      if (!transposed || !map.isProjectedPermutation() || !out.isProjectedPermutation() ||
          out.getNumResults() == 0)
        continue;
      unsigned vector = out.getDimPosition(out.getNumResults() - 1);
      int64_t last = invertPerm(transposed->perm).back();
      unsigned inner = map.getDimPosition(last);
      if (map.isFunctionOfDim(vector) ? inner == vector : !isParallel(inner))
        folded.push_back(input->getOperandNumber());
    }
    if (folded.empty())
      return false;
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    t.b.modifyOpInPlace(op, [&] {
      for (unsigned operand : folded) {
        Transposed transposed = *t.match(op->getOperand(operand));
        op->setOperand(operand, transposed.source);
        maps[operand] = throughTransposition(maps[operand], transposed.perm);
      }
      op.setIndexingMapsAttr(t.b.getAffineMapArrayAttr(maps));
    });
    return true;
  }

  AffineMap throughTransposition(AffineMap map, ArrayRef<int64_t> perm) {
    return AffineMap::get(map.getNumDims(), 0, permuted(map.getResults(), invertPerm(perm)),
                          op.getContext());
  }

  void rewrite(ArrayRef<unsigned> parallel) {
    bool reordered = Loops(parallel) != currentOrder();
    // Loops: position in the new operation of each old one.
    unsigned numLoops = iterators.size();
    SmallVector<unsigned> loops(numLoops);
    if (!reordered) {
      std::iota(loops.begin(), loops.end(), 0);
    } else {
      unsigned next = 0;
      for (unsigned loop : parallel)
        loops[loop] = next++;
      for (unsigned loop = 0; loop < numLoops; ++loop)
        if (!isParallel(loop))
          loops[loop] = next++;
    }
    MLIRContext *context = op.getContext();
    SmallVector<AffineExpr> renamed;
    for (unsigned loop : loops)
      renamed.push_back(getAffineDimExpr(loop, context));
    SmallVector<utils::IteratorType> newIterators(numLoops);
    for (unsigned loop = 0; loop < numLoops; ++loop)
      newIterators[loops[loop]] = iterators[loop];

    Location loc = op.getLoc();
    t.b.setInsertionPoint(op);
    SmallVector<Value> inputs, inits;
    SmallVector<AffineMap> maps;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      Value value = input->get();
      if (std::optional<Transposed> transposed = t.match(value)) {
        map = throughTransposition(map, transposed->perm);
        value = transposed->source;
      }
      map = map.replaceDimsAndSymbols(renamed, {}, numLoops, 0);
      if (reordered)
        orderConstant(loc, value, map);
      inputs.push_back(value);
      maps.push_back(map);
    }
    SmallVector<Perm> perms;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      AffineMap map = op.getMatchingIndexingMap(&init);
      Value value = init.get();
      Perm perm = llvm::to_vector(llvm::seq<int64_t>(0, map.getNumResults()));
      if (reordered) {
        perm = permFor(map, parallel);
        map = throughTransposition(map, perm);
        value = op.getMatchingBlockArgument(&init).use_empty()
                    ? emptyLike(loc, value, invertPerm(perm))
                    : t.undo(loc, value, perm);
      }
      inits.push_back(value);
      maps.push_back(map.replaceDimsAndSymbols(renamed, {}, numLoops, 0));
      perms.push_back(perm);
    }
    auto generic = linalg::GenericOp::create(t.b, loc, TypeRange(ValueRange(inits)), inputs, inits,
                                             maps, newIterators);
    t.b.inlineRegionBefore(op.getRegion(), generic.getRegion(), generic.getRegion().begin());
    generic.getRegion().walk([&](Operation *inner) {
      if (auto index = dyn_cast<linalg::IndexOp>(inner); index && index->getParentOp() == generic)
        index.setDim(loops[index.getDim()]);
      if (auto extract = dyn_cast<tensor::ExtractOp>(inner))
        foldIntoExtract(extract);
    });
    t.b.setInsertionPointAfter(generic);
    for (auto [result, computed, perm] :
         llvm::zip(op->getResults(), generic->getResults(), perms))
      t.replace(cast<OpResult>(result), computed, perm);
    t.b.eraseOp(op);
  }

  void foldIntoExtract(tensor::ExtractOp extract) {
    std::optional<Transposed> transposed = t.match(extract.getTensor());
    if (!transposed)
      return;
    SmallVector<Value> indices(extract.getIndices());
    indices = permuted(indices, invertPerm(transposed->perm));
    t.b.modifyOpInPlace(extract, [&] {
      extract.getTensorMutable().assign(transposed->source);
      extract.getIndicesMutable().assign(indices);
    });
  }

  /// An empty tensor of the type of transpose(value, perm).
  Value emptyLike(Location loc, Value value, ArrayRef<int64_t> perm) {
    auto empty = value.getDefiningOp<tensor::EmptyOp>();
    SmallVector<OpFoldResult> sizes =
        permuted(empty ? empty.getMixedSizes() : tensor::getMixedSizes(t.b, loc, value), perm);
    Value result = tensor::EmptyOp::create(t.b, loc, sizes, rankedType(value).getElementType());
    RankedTensorType type = permutedType(rankedType(value), perm);
    if (result.getType() != type)
      result = tensor::CastOp::create(t.b, loc, type, result);
    return result;
  }

  /// A constant with more than one dimension is laid out as the loops run.
  void orderConstant(Location loc, Value &value, AffineMap &map) {
    if (!value.getDefiningOp<arith::ConstantOp>())
      return;
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, map.getNumResults()));
    auto loopOf = [&](int64_t dim) -> int64_t {
      auto expr = dyn_cast<AffineDimExpr>(map.getResult(dim));
      return expr ? expr.getPosition() : -1;
    };
    for (int64_t dim : dims)
      if (loopOf(dim) < 0 && rankedType(value).getDimSize(dim) != 1)
        return;
    llvm::stable_sort(dims, [&](int64_t x, int64_t y) { return loopOf(x) < loopOf(y); });
    if (isIdentityPerm(dims) || movesOnlyUnits(rankedType(value), dims))
      return;
    value = t.transpose(loc, value, dims);
    map = AffineMap::get(map.getNumDims(), 0, permuted(map.getResults(), dims), map.getContext());
  }

  Transposer &t;
  linalg::GenericOp op;
  SmallVector<utils::IteratorType> iterators;
  SmallVector<int64_t> ranges;
  SmallVector<Read> reads;
  llvm::DenseMap<Value, Loops> bodyLoops;
};

} // namespace

bool sinkThroughGeneric(Transposer &t, linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() == 0)
    return false;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (!op.getMatchingIndexingMap(&init).isProjectedPermutation())
      return false;
  return Sinker(t, op).run();
}

} // namespace onnxc
