// onnxc-winograd: see Passes.td. Only this file decides which convolutions take Winograd's method,
// and in what blocks.
#include "onnxc/Codegen/Common/Winograd.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

namespace onnxc {
#define GEN_PASS_DEF_WINOGRADPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Above this error (Winograd.h) a method is not taken.
constexpr double kMostError = 1e-5;
/// Filters of a panel, the same for every target: so code for several CPUs shares the weights.
constexpr int64_t kPanel = 32;
/// Transformed weights may make a model's constants this large, or larger by this part of them. Small
/// maps with many channels have the largest weights and gain least.
constexpr int64_t kSmallModel = 64 << 20;
constexpr double kMostGrowth = 0.14;

/// What an unknown row of an image is taken for: networks have smaller images where they have more channels.
int64_t assumedRow(int64_t channels) { return std::clamp<int64_t>(8192 / channels, 16, 256); }

/// A convolution that the method fits.
struct Candidate {
  linalg::LinalgOp op;
  arith::ConstantOp constant;
  Value input;
  std::array<int64_t, 2> low = {0, 0};
  WinogradFilters filters;
  std::vector<float> splat; // the data of a splat constant
  int64_t images, height, width;
  bool isDynamic; // the image's size is only known at run time
  std::optional<int64_t> given; // the strategy's tile, 0: the direct form
};

/// How a convolution is computed.
struct Form {
  int64_t tile = 0;       // 0: the direct form
  bool isStored = false;  // transformed weights are part of the model; otherwise made when it runs
  bool operator==(const Form &other) const = default;
};

/// A candidate in this form instead of another one.
struct Choice {
  size_t candidate;
  Form form, before;
  double gain;  // cycles
  int64_t cost; // bytes
};

/// See cg.winograd_conv.
struct Schedule {
  int64_t block, splits, rows, depth;
};

/// d_parallel + d_tap: the tap's loop.
std::optional<unsigned> matchTap(AffineExpr expr, unsigned parallel) {
  auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!sum || sum.getKind() != AffineExprKind::Add)
    return std::nullopt;
  auto lhs = dyn_cast<AffineDimExpr>(sum.getLHS()), rhs = dyn_cast<AffineDimExpr>(sum.getRHS());
  if (!lhs || !rhs)
    return std::nullopt;
  if (lhs.getPosition() == parallel)
    return rhs.getPosition();
  if (rhs.getPosition() == parallel)
    return lhs.getPosition();
  return std::nullopt;
}

bool isMultiplyAdd(linalg::LinalgOp op) {
  Block &body = op->getRegion(0).front();
  auto add = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add || llvm::range_size(body.without_terminator()) != 2)
    return false;
  Value sum = body.getArgument(2);
  Value product = add.getLhs() == sum ? add.getRhs() : add.getLhs();
  if (add.getLhs() != sum && add.getRhs() != sum)
    return false;
  auto mul = product.getDefiningOp<arith::MulFOp>();
  return mul && (mul.getLhs() == body.getArgument(0) || mul.getLhs() == body.getArgument(1)) &&
         (mul.getRhs() == body.getArgument(0) || mul.getRhs() == body.getArgument(1)) &&
         mul.getLhs() != mul.getRhs();
}

/// The constant's data, or null.
const float *readFloats(arith::ConstantOp constant, std::vector<float> &splat) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue())) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) != type.getNumElements() * 4)
      return nullptr;
    return reinterpret_cast<const float *>(blob->getData().data());
  }
  auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!dense)
    return nullptr;
  if (!dense.isSplat())
    return reinterpret_cast<const float *>(dense.getRawData().data());
  splat.assign(type.getNumElements(), dense.getSplatValue<float>());
  return splat.data();
}

bool isZeroFill(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// Takes the padding of the image into the operation.
void absorbPadding(Candidate &c) {
  auto pad = c.input.getDefiningOp<tensor::PadOp>();
  if (!pad)
    return;
  Value value = pad.getConstantPaddingValue();
  if (!value || !matchPattern(value, m_AnyZeroFloat()))
    return;
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  if (low[0] != 0 || high[0] != 0 || low[3] != 0 || high[3] != 0 || low[1] < 0 || low[2] < 0 ||
      pad.getNofold())
    return;
  // What the padding cuts off must stay out of sight; unknown sizes may cut.
  if (high[1] < 0 || high[2] < 0)
    return;
  c.input = pad.getSource();
  c.low = {low[1], low[2]};
}

struct Winograd : impl::WinogradPassBase<Winograd> {
  using WinogradPassBase::WinogradPassBase;

  void runOnOperation() override {
    if (vectorBits < 128)
      return;
    lanes = std::min<int64_t>(vectorBits / 32, kPanel / 2);
    std::vector<Candidate> candidates;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (std::optional<Candidate> candidate = match(op))
        candidates.push_back(std::move(*candidate));
    });
    for (Candidate &c : candidates) {
      cg::LoweringConfig config(c.op);
      if (config.winograd.empty())
        continue;
      c.given = config.winograd == "off" ? 0 : config.winograd == "f2" ? 2 : 4;
      config.winograd.clear();
      if (*c.given && !config.isEmpty()) {
        c.op.emitError("has a strategy by Winograd's method, which takes nothing beside it");
        return signalPassFailure();
      }
      config.setOn(c.op);
    }
    WalkResult left = getOperation().walk([&](linalg::LinalgOp op) {
      if (std::string method = cg::LoweringConfig(op).winograd; method.empty() || method == "off")
        return WalkResult::advance();
      op.emitError("has a strategy by Winograd's method, which takes channels-last 3x3 convolutions "
                   "in f32 with constant weights, stride and dilation one");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      return signalPassFailure();
    if (candidates.empty())
      return;
    IRRewriter rewriter(&getContext());
    for (const Choice &choice : mode == "auto" ? chooseByGain(candidates) : chooseAll(candidates))
      rewrite(rewriter, candidates[choice.candidate], choice.form);
    release();
  }

  std::optional<Candidate> match(linalg::LinalgOp op) {
    if (!op.hasPureTensorSemantics() || op.getNumLoops() != 7 || op.getNumParallelLoops() != 4 ||
        op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op->getNumRegions() != 1 ||
        !isMultiplyAdd(op) || !isZeroFill(op.getDpsInits()[0]))
      return std::nullopt;
    for (OpOperand *weights : op.getDpsInputOperands()) {
      OpOperand *input = op.getDpsInputOperand(1 - weights->getOperandNumber());
      Candidate c;
      c.op = op;
      c.constant = weights->get().getDefiningOp<arith::ConstantOp>();
      c.input = input->get();
      auto type = cast<RankedTensorType>(weights->get().getType());
      if (!c.constant || type.getRank() != 4 || !type.getElementType().isF32() ||
          !cast<RankedTensorType>(c.input.getType()).getElementType().isF32() ||
          !getElementTypeOrSelf(op->getResult(0).getType()).isF32())
        continue;
      if (!matchLoops(c, op.getMatchingIndexingMap(input), op.getMatchingIndexingMap(weights), type))
        continue;
      absorbPadding(c);
      return c;
    }
    return std::nullopt;
  }

  /// Loops n, oh, ow, f (the result's dimensions) and kh, kw, c (in any order).
  bool matchLoops(Candidate &c, AffineMap input, AffineMap weights, RankedTensorType weightType) {
    AffineMap out = c.op.getMatchingIndexingMap(c.op.getDpsInitOperand(0));
    if (!out.isProjectedPermutation() || out.getNumResults() != 4 || input.getNumResults() != 4 ||
        !weights.isProjectedPermutation())
      return false;
    std::array<unsigned, 4> loops;
    for (unsigned i = 0; i < 4; ++i)
      loops[i] = out.getDimPosition(i);
    auto image = dyn_cast<AffineDimExpr>(input.getResult(0));
    auto channel = dyn_cast<AffineDimExpr>(input.getResult(3));
    std::optional<unsigned> row = matchTap(input.getResult(1), loops[1]);
    std::optional<unsigned> column = matchTap(input.getResult(2), loops[2]);
    if (!image || image.getPosition() != loops[0] || !channel || !row || !column)
      return false;
    auto place = [&](unsigned loop) {
      return weights.getResultPosition(getAffineDimExpr(loop, &getContext()));
    };
    std::optional<unsigned> f = place(loops[3]), ch = place(channel.getPosition()), i = place(*row),
                            j = place(*column);
    if (!f || !ch || !i || !j || weightType.getDimSize(*i) != 3 || weightType.getDimSize(*j) != 3 ||
        !weightType.hasStaticShape() || weightType.getNumElements() == 0)
      return false;
    SmallVector<int64_t> strides(4, 1);
    for (int dim = 2; dim >= 0; --dim)
      strides[dim] = strides[dim + 1] * weightType.getDimSize(dim + 1);
    const float *data = readFloats(c.constant, c.splat);
    if (!data)
      return false;
    c.filters = {data,        weightType.getDimSize(*ch), weightType.getDimSize(*f), strides[*ch],
                 strides[*f], strides[*i],                strides[*j]};
    ArrayRef<int64_t> shape = cast<RankedTensorType>(c.op->getResult(0).getType()).getShape();
    auto assumed = [](int64_t size, int64_t otherwise) {
      return ShapedType::isDynamic(size) ? otherwise : size;
    };
    c.isDynamic = ShapedType::isDynamic(shape[1]) || ShapedType::isDynamic(shape[2]);
    c.images = assumed(shape[0], 1);
    int64_t assumedSize = assumedRow(std::max(c.filters.channels, c.filters.filters));
    c.height = assumed(shape[1], assumedSize);
    c.width = assumed(shape[2], assumedSize);
    return c.images > 0 && c.height > 0 && c.width > 0;
  }

  // ---- policy ----

  int64_t countTiles(const Candidate &c, int64_t tile) {
    return c.images * llvm::divideCeil(c.height, tile) * llvm::divideCeil(c.width, tile);
  }

  /// Cycles of the direct convolution, at nine tenths of two vector products a cycle.
  double directCycles(const Candidate &c) {
    double products = double(c.images) * c.height * c.width * 9 * c.filters.channels;
    double vectors = llvm::divideCeil(c.filters.filters, lanes);
    return products * vectors / kDirectProducts + 9.0 * c.filters.channels * c.filters.filters * 4 / kStreamBytes;
  }

  double winogradCycles(const Candidate &c, Form form) {
    double matrices = (form.tile + 2) * (form.tile + 2), tiles = countTiles(c, form.tile);
    double in = llvm::divideCeil(c.filters.channels, lanes), out = llvm::divideCeil(c.filters.filters, lanes);
    double products = tiles * matrices * c.filters.channels * out / kMatrixProducts;
    double transforms = tiles * matrices * (in + out) * kTransformCycles;
    double blocks = std::ceil(tiles / schedule(c, form).block);
    double vectors = matrices * c.filters.channels * out;
    double bytes = (form.isStored ? matrices : 9) * c.filters.channels * c.filters.filters * 4;
    // Each block of tiles reads all weights; what comes from far away while little is computed is waited for.
    double weights = bytes / kStreamBytes + blocks * std::max(0.0, bytes / kFarBytes - products / blocks);
    if (!form.isStored)
      weights += blocks * vectors * kFilterCycles;
    return products + transforms + weights;
  }

  /// Bytes that tiles of this size add to the model where their weights are stored.
  int64_t extraBytes(const Candidate &c, int64_t tile) {
    int64_t raw = 9 * c.filters.channels * c.filters.filters;
    return 4 * std::max<int64_t>(
                   countWinogradWeights(tile, c.filters.channels, c.filters.filters, kPanel) - raw, 1);
  }

  /// Stored weights where that saves time, for someone who wants tiles of this size.
  Form bestForm(const Candidate &c, int64_t tile) {
    if (tile == 0)
      return {};
    double made = winogradCycles(c, {tile, false}), stored = winogradCycles(c, {tile, true});
    return {tile, made - stored > kLeastStoredGain * made};
  }

  std::vector<Choice> chooseAll(ArrayRef<Candidate> candidates) {
    std::vector<Choice> choices;
    int64_t otherwise = mode == "f4" ? 4 : mode == "f2" ? 2 : 0;
    for (auto [i, c] : llvm::enumerate(candidates))
      if (int64_t tile = c.given.value_or(otherwise))
        choices.push_back({i, bestForm(c, tile), {}, 0, 0});
    return choices;
  }

  /// First the best form that adds nothing to the model; then the stored weights that save the most for the
  /// bytes that they add, within what a model may grow by.
  std::vector<Choice> chooseByGain(ArrayRef<Candidate> candidates) {
    std::vector<Choice> offers, chosen(candidates.size());
    int64_t room = countWinogradRoom(getOperation());
    for (auto [i, c] : llvm::enumerate(candidates)) {
      if (c.given) {
        chosen[i] = {i, bestForm(c, *c.given), {}, 0, 0};
        room -= chosen[i].form.isStored ? extraBytes(c, *c.given) : 0;
        continue;
      }
      double direct = directCycles(c), base = direct;
      Form first;
      for (int64_t tile : {2, 4})
        if (double cycles = winogradCycles(c, {tile, false});
            cycles < std::min(base, (1 - kLeastGain) * direct)) {
          first = {tile, false};
          base = cycles;
        }
      chosen[i] = {i, first, {}, 0, 0};
      double least = first.tile ? kLeastStoredGain * base : kLeastGain * direct;
      auto offer = [&](int64_t tile) -> Choice {
        return {i, {tile, true}, first, base - winogradCycles(c, {tile, true}), extraBytes(c, tile)};
      };
      Choice small = offer(2), large = offer(4);
      bool isLarge = large.gain > std::max(small.gain, least);
      bool isSmall = small.gain > least;
      if (isLarge && isSmall && ratio(small) > ratio(large))
        large = {i, large.form, small.form, large.gain - small.gain, large.cost - small.cost};
      else if (isLarge)
        isSmall = false;
      if (isSmall)
        offers.push_back(small);
      if (isLarge)
        offers.push_back(large);
    }
    // A larger tile comes after the smaller one that it goes on from: it saves less for its bytes.
    llvm::sort(offers, [](const Choice &a, const Choice &b) {
      return std::make_tuple(-ratio(a), a.candidate, a.form.tile) <
             std::make_tuple(-ratio(b), b.candidate, b.form.tile);
    });
    for (const Choice &offer : offers) {
      if (offer.cost > room || chosen[offer.candidate].form != offer.before)
        continue;
      room -= offer.cost;
      chosen[offer.candidate] = offer;
    }
    llvm::erase_if(chosen, [](const Choice &choice) { return choice.form.tile == 0; });
    return chosen;
  }

  static double ratio(const Choice &choice) { return choice.gain / choice.cost; }

  // ---- the operation ----

  void rewrite(IRRewriter &rewriter, Candidate &c, Form form) {
    Value weights;
    // Too coarse in float: the smaller tile, then the direct form.
    for (; form.tile >= 2 && !weights; form.tile -= 2)
      weights = makeWeights(rewriter, c, form);
    form.tile += 2;
    if (c.given && (!weights || form.tile != *c.given))
      c.op.emitWarning("loses too much accuracy by Winograd's method with tiles of ") << *c.given;
    if (!weights)
      return;
    rewriter.setInsertionPoint(c.op);
    Location loc = c.op.getLoc();
    auto type = cast<RankedTensorType>(c.op->getResult(0).getType());
    Value init = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, c.op.getDpsInits()[0]),
        type.getElementType());
    if (init.getType() != type)
      init = tensor::CastOp::create(rewriter, loc, type, init);
    Schedule s = schedule(c, form);
    auto conv = cg::WinogradConvOp::create(
        rewriter, loc, TypeRange{type}, c.input, weights, ValueRange{}, init,
        rewriter.getAffineMapArrayAttr({}), form.tile, c.low, kPanel, lanes, s.rows, s.block, s.splits,
        s.depth);
    Block *body = rewriter.createBlock(&conv.getEpilogue());
    body->addArgument(rewriter.getF32Type(), loc);
    cg::YieldOp::create(rewriter, loc, body->getArgument(0));
    rewriter.replaceOp(c.op, conv->getResults());
    if (c.constant->use_empty()) {
      if (auto resource = dyn_cast<DenseResourceElementsAttr>(c.constant.getValue()))
        unused.insert(resource);
      rewriter.eraseOp(c.constant);
    }
  }

  /// Null where they lose too much accuracy.
  Value makeWeights(IRRewriter &rewriter, Candidate &c, Form form) {
    Attribute &packed = made[{c.constant.getValue(), 2 * form.tile + form.isStored}];
    if (!packed) {
      const WinogradFilters &filters = c.filters;
      int64_t count = countWinogradWeights(form.tile, filters.channels, filters.filters, kPanel);
      AsmResourceBlob blob = allocate(count);
      packWinogradWeights(filters, form.tile, kPanel, /*inDouble=*/form.isStored, floatsOf(blob));
      if (measureWinogradError(filters, form.tile, kPanel, floatsOf(blob)) > kMostError)
        return {};
      if (!form.isStored) {
        count = countWinogradFilters(filters.channels, filters.filters, kPanel);
        blob = allocate(count);
        packWinogradFilters(filters, kPanel, floatsOf(blob));
      }
      auto type = RankedTensorType::get({count}, rewriter.getF32Type());
      packed = DenseResourceElementsAttr::get(type, "winograd", std::move(blob));
    }
    rewriter.setInsertionPoint(c.op);
    return arith::ConstantOp::create(rewriter, c.op.getLoc(), cast<TypedAttr>(packed));
  }

  static AsmResourceBlob allocate(int64_t floats) { return HeapAsmResourceBlob::allocate(floats * 4, 64); }
  static MutableArrayRef<float> floatsOf(AsmResourceBlob &blob) {
    MutableArrayRef<char> data = blob.getMutableData();
    return {reinterpret_cast<float *>(data.data()), data.size() / 4};
  }

  /// Blocks whose V fits the cache, and tasks for at least two threads.
  Schedule schedule(const Candidate &c, Form form) {
    int64_t matrices = (form.tile + 2) * (form.tile + 2);
    // As many sums as registers, but for two vectors of weights and an element of V.
    int64_t mostRows = std::max<int64_t>(1, (static_cast<int64_t>(numRegisters) - 3) / 2);
    int64_t bytes = matrices * c.filters.channels * 4; // of V, for each tile
    int64_t panels = llvm::divideCeil(c.filters.filters, kPanel);
    Schedule s = {0, 1, mostRows, 0};
    if (form.isStored) {
      // Each block reads all weights: where these come from memory, larger blocks read them less often.
      int64_t room = bytes * c.filters.filters > 8 * cacheBytes ? 2 * cacheBytes : cacheBytes;
      s.block = std::clamp<int64_t>(room / (bytes * mostRows), 1, 4) * mostRows;
    } else {
      // Each block makes all weights, so blocks are as large as can be; with many filters tasks rather share
      // these than the tiles. The part of a panel that is made at a time leaves the cache to V.
      s.block = std::clamp<int64_t>(5 * cacheBytes / 2 / bytes, mostRows, 4 * mostRows);
      s.splits = panels >= kManyPanels ? 2 : 1;
      int64_t most = std::max<int64_t>(cacheBytes / 2 / (matrices * kPanel * 4), 1);
      s.depth = llvm::divideCeil(c.filters.channels, llvm::divideCeil(c.filters.channels, most));
    }
    if (c.isDynamic)
      return s;
    int64_t tiles = countTiles(c, form.tile), blocks = llvm::divideCeil(tiles, s.block);
    if (blocks == 1)
      s.splits = std::min<int64_t>(panels, 2);
    else if (s.splits == 1)
      blocks = llvm::alignTo(blocks, 2);
    s.block = llvm::divideCeil(tiles, blocks);
    s.rows = llvm::divideCeil(s.block, llvm::divideCeil(s.block, mostRows));
    return s;
  }

  /// Gives back the memory of constants that nothing reads any more.
  void release() {
    getOperation().walk([&](arith::ConstantOp constant) {
      if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue()))
        unused.remove(resource);
    });
    for (DenseResourceElementsAttr attr : unused)
      attr.getRawHandle().getResource()->setBlob(AsmResourceBlob());
    unused.clear();
  }

  // Measured on a machine with two units for 512-bit products: vector products a cycle; cycles to
  // transform a vector of a patch, or of filters; bytes of weights that come in a cycle, one after the other
  // and while products are computed.
  static constexpr double kDirectProducts = 1.8, kMatrixProducts = 1.9;
  static constexpr double kTransformCycles = 2.5, kFilterCycles = 4;
  static constexpr double kStreamBytes = 8, kFarBytes = 5;
  /// Parts of the time that must be saved: of the direct form's, and of what making the weights each time takes.
  static constexpr double kLeastGain = 0.2, kLeastStoredGain = 0.06;
  /// From here on a second transform of the patches costs less than a second transform of the filters.
  static constexpr int64_t kManyPanels = 8;

  int64_t lanes = 0;
  DenseMap<std::pair<Attribute, int64_t>, Attribute> made;
  llvm::SetVector<DenseResourceElementsAttr> unused;
};

} // namespace

int64_t countWinogradRoom(Operation *op) {
  DenseSet<Attribute> seen;
  int64_t bytes = 0;
  op->walk([&](arith::ConstantOp constant) {
    auto type = dyn_cast<RankedTensorType>(constant.getType());
    if (type && type.getElementType().isIntOrFloat() && seen.insert(constant.getValue()).second)
      bytes += type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  });
  return std::max<int64_t>(kSmallModel - bytes, kMostGrowth * bytes);
}

} // namespace onnxc
