// See Tuner.h. Two stages: how a product or convolution with constant weights is computed (its
// method, the width of its panels), measured alone before weights are packed; then the tiles of
// each group around a product and the rows of its register tile, measured with all that is fused.
// What the rules chose is always among what is measured, and stays unless something is clearly
// faster.
#include "onnxc/Tune/Tuner.h"

#include "ExtractKernel.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "onnxc/Codegen/Common/ProductTiles.h"
#include "onnxc/Codegen/Common/Winograd.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;

namespace onnxc {
namespace {

/// A strategy must save this part of the time to be taken: less is within the noise.
constexpr double kLeastGain = 0.03;
/// Scalar products below which a kernel's time is not worth measuring.
constexpr double kLeastWork = 64 * 1024;

using Strategies = std::vector<cg::LoweringConfig>;

Strategies readStrategies(ArrayRef<Operation *> ops) {
  Strategies strategies;
  for (Operation *op : ops)
    strategies.emplace_back(op);
  return strategies;
}

std::string toText(const cg::LoweringConfig &config, MLIRContext *context) {
  if (config.isEmpty())
    return "";
  std::string text;
  llvm::raw_string_ostream os(text);
  os << Attribute(config.toAttr(context));
  return text;
}

/// Scalar products of an operation; 0: a size is unknown.
double countWork(linalg::LinalgOp op) {
  double work = 1;
  for (int64_t size : op.getStaticLoopRanges())
    work *= ShapedType::isDynamic(size) ? 0 : size;
  return work;
}

std::string describe(linalg::LinalgOp op) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(
      op->getOperandTypes(), os, [&](Type type) { os << type; }, " * ");
  return text;
}

/// The operand with constant weights: the one along the result's last dimension.
OpOperand *findWeights(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || !isContraction(op) || op.getNumDpsInputs() != 2 ||
      op.getNumDpsInits() != 1)
    return nullptr;
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto column = out.getNumResults() ? dyn_cast<AffineDimExpr>(out.getResults().back())
                                    : AffineDimExpr(nullptr);
  if (!column)
    return nullptr;
  for (OpOperand *input : op.getDpsInputOperands())
    if (input->get().getDefiningOp<arith::ConstantOp>() &&
        op.getMatchingIndexingMap(input).isFunctionOfDim(column.getPosition()))
      return input;
  return nullptr;
}

int64_t countColumns(linalg::LinalgOp op) {
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return op.getStaticLoopRanges()[cast<AffineDimExpr>(out.getResults().back()).getPosition()];
}

/// Whether Winograd's method may fit; its pass knows for certain.
bool mayWinograd(linalg::LinalgOp op, OpOperand *weights) {
  auto type = cast<RankedTensorType>(weights->get().getType());
  return op.getNumLoops() == 7 && type.getRank() == 4 && type.getElementType().isF32() &&
         llvm::count(type.getShape(), 3) >= 2;
}

/// What the transformed weights of a convolution add to the model.
int64_t countWinogradBytes(linalg::LinalgOp op, StringRef method) {
  auto type = cast<RankedTensorType>(findWeights(op)->get().getType());
  int64_t tile = method == "f4" ? 4 : 2;
  return type.getNumElements() / 9 * ((tile + 2) * (tile + 2) - 9) * 4;
}

/// The text of a kernel: all that its speed depends on. Empty: it cannot be taken out of the model.
std::string describeKernel(ArrayRef<Operation *> ops) {
  Kernel kernel = extractKernel(ops, KernelConstants::Inputs);
  if (!kernel.module)
    return "";
  for (Operation *op : kernel.ops) {
    cg::LoweringConfig config(op);
    if (config.group)
      config.group = 0;
    config.setOn(op);
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  kernel.module->print(os);
  return text;
}

} // namespace

/// A kernel of the model, and all places where it occurs.
struct Tuner::Task {
  std::string key, what;
  std::vector<SmallVector<Operation *>> places;
  linalg::LinalgOp product; ///< at the first place
  double work = 0;          ///< of all places together
};

Tuner::Tuner(const TuneOptions &options, const VectorTarget &vectors, std::string machine,
             Build build, Location loc)
    : options(options), vectors(vectors), machine(std::move(machine)), build(std::move(build)),
      begin(std::chrono::steady_clock::now()), end(begin) {
  if (options.cacheFile.empty())
    return;
  if (llvm::Error error = cache.load(options.cacheFile))
    emitWarning(loc) << "the tuning cache " << options.cacheFile
                     << " is ignored: " << llvm::toString(std::move(error));
}

void Tuner::save(Location loc) {
  if (options.cacheFile.empty() || !cache.isChanged())
    return;
  if (llvm::Error error = cache.save(options.cacheFile))
    emitWarning(loc) << "the tuning cache " << options.cacheFile
                     << " cannot be written: " << llvm::toString(std::move(error));
}

std::vector<Tuner::Task> Tuner::findTasks(ModuleOp module, TuneStage stage) {
  std::vector<SmallVector<Operation *>> places =
      stage == TuneStage::Methods ? findMethods(module) : findGroups(module);
  std::vector<Task> tasks;
  std::map<std::string, size_t> known;
  for (SmallVector<Operation *> &ops : places) {
    linalg::LinalgOp product;
    for (Operation *op : ops)
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op); linalgOp && isContraction(linalgOp))
        product = linalgOp;
    double work = countWork(product);
    if (work < kLeastWork)
      continue;
    std::string text = describeKernel(ops);
    if (text.empty())
      continue;
    text += machine + (stage == TuneStage::Methods ? " methods " : " tiles ") +
            std::to_string(options.threads);
    auto digest =
        llvm::SHA256::hash(ArrayRef(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
    std::string key = llvm::toHex(ArrayRef(digest).take_front(16), /*LowerCase=*/true);
    auto [at, isNew] = known.try_emplace(key, tasks.size());
    if (isNew)
      tasks.push_back({key,
                       describe(product) + " on " + StringRef(machine).split(' ').first.str(),
                       {},
                       product,
                       0});
    Task &task = tasks[at->second];
    task.places.push_back(std::move(ops));
    task.work += work;
  }
  // What takes the most time first: the budget may end.
  llvm::stable_sort(tasks, [](const Task &a, const Task &b) { return a.work > b.work; });
  return tasks;
}

/// Products and convolutions with constant weights, with the padding and the fill that go with
/// each.
std::vector<SmallVector<Operation *>> Tuner::findMethods(ModuleOp module) {
  std::vector<SmallVector<Operation *>> places;
  module.walk([&](linalg::LinalgOp op) {
    OpOperand *weights = findWeights(op);
    if (!weights || cg::hasLoweringConfig(op))
      return;
    SmallVector<Operation *> ops{op};
    Value image = op.getDpsInputOperand(1 - weights->getOperandNumber())->get();
    if (auto pad = image.getDefiningOp<tensor::PadOp>();
        pad && pad->hasOneUse() && pad->getBlock() == op->getBlock())
      ops.insert(ops.begin(), pad);
    OpOperand *init = op.getDpsInitOperand(0);
    if (auto fill = init->get().getDefiningOp<linalg::FillOp>()) {
      // A fill of its own.
      if (!fill->hasOneUse() || fill->getBlock() != op->getBlock())
        fill = cast<linalg::FillOp>(OpBuilder(op).clone(*fill));
      init->set(fill->getResult(0));
      ops.insert(ops.begin(), fill);
    }
    llvm::sort(ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    places.push_back(ops);
  });
  return places;
}

/// Groups with a product in them.
std::vector<SmallVector<Operation *>> Tuner::findGroups(ModuleOp module) {
  std::map<int64_t, SmallVector<Operation *>> groups;
  module.walk([&](linalg::LinalgOp op) {
    if (std::optional<int64_t> group = cg::LoweringConfig(op).group)
      groups[*group].push_back(op);
  });
  std::vector<SmallVector<Operation *>> places;
  for (auto &[group, ops] : groups)
    if (llvm::any_of(ops, [](Operation *op) { return isContraction(cast<linalg::LinalgOp>(op)); }))
      places.push_back(std::move(ops));
  return places;
}

/// Compiles a place with other strategies and times it, on one thread and on many.
std::optional<Tuner::Times> Tuner::time(ArrayRef<Operation *> ops,
                                        ArrayRef<cg::LoweringConfig> strategies, TuneStage stage) {
  Kernel kernel = extractKernel(ops, stage == TuneStage::Methods ? KernelConstants::Copied
                                                                 : KernelConstants::Inputs);
  if (!kernel.module)
    return std::nullopt;
  for (auto [op, strategy] : llvm::zip_equal(kernel.ops, strategies))
    strategy.setOn(op);
  SmallString<128> path;
  if (llvm::sys::fs::createTemporaryFile("onnxc-tune", "so", path))
    return std::nullopt;
  llvm::FileRemover remover(path);
  // A strategy that does not fit is refused with a diagnostic: it is none then.
  ScopedDiagnosticHandler quiet(kernel.module->getContext(),
                                [](Diagnostic &) { return success(); });
  bool isBuilt = succeeded(verify(*kernel.module)) && succeeded(build(*kernel.module, stage, path));
  releaseData(*kernel.module);
  if (!isBuilt)
    return std::nullopt;
  std::optional<double> one = options.time(path.str().str(), 1);
  std::optional<double> many =
      options.threads == 1 ? one : options.time(path.str().str(), options.threads);
  if (!one || !many)
    return std::nullopt;
  return Times{*one, *many};
}

/// Tries strategies one after the other; keeps the best.
class Tuner::Search {
public:
  Search(Tuner &tuner, const Task &task, TuneStage stage)
      : tuner(tuner), ops(task.places.front()), stage(stage), best(readStrategies(ops)) {
    std::optional<Times> times = tuner.time(ops, best, stage);
    if (times)
      baseline = bestTimes = *times;
    isUsable = times.has_value();
  }

  void attempt(const Strategies &strategies) {
    if (tuner.isOver()) {
      isUsable = false; // not all was measured: nothing is concluded
      return;
    }
    if (!isUsable)
      return;
    std::optional<Times> times = tuner.time(ops, strategies, stage);
    if (!times || score(*times) > score(bestTimes) * (1 - kLeastGain))
      return;
    best = strategies;
    bestTimes = *times;
  }

  Tuner &tuner;
  ArrayRef<Operation *> ops;
  TuneStage stage;
  Strategies best;
  Times baseline, bestTimes;
  bool isUsable;

private:
  double score(const Times &times) const {
    return times.one / baseline.one + times.many / baseline.many;
  }
};

void Tuner::searchMethods(Search &search, linalg::LinalgOp product) {
  OpOperand *weights = findWeights(product);
  unsigned at = llvm::find(search.ops, product.getOperation()) - search.ops.begin();
  Strategies start = search.best;
  auto attempt = [&](StringRef winograd, std::optional<int64_t> panel) {
    Strategies strategies = start;
    strategies[at].winograd = winograd.str();
    strategies[at].panel = panel;
    search.attempt(strategies);
  };
  bool winograd = mayWinograd(product, weights);
  if (winograd)
    for (StringRef method : {"f4", "f2", "off"})
      attempt(method, std::nullopt);
  int64_t columns = countColumns(product);
  for (int64_t width : {64, 48, 32, 16})
    if (columns % width == 0 && columns > width)
      attempt(winograd ? "off" : "", width);
}

void Tuner::searchTiles(Search &search, linalg::LinalgOp product) {
  unsigned root = 0, at = llvm::find(search.ops, product.getOperation()) - search.ops.begin();
  for (auto [i, strategy] : llvm::enumerate(search.best))
    if (!strategy.tileSizes.empty())
      root = i;
  SmallVector<int64_t> sizes = cast<linalg::LinalgOp>(search.ops[root]).getStaticLoopRanges();
  SmallVector<unsigned> tiled;
  Strategies start = search.best;
  ArrayRef<int64_t> tiles = start[root].tileSizes;
  for (auto [dim, tile] : llvm::enumerate(tiles))
    if (tile != 0 && sizes[dim] > 1)
      tiled.push_back(dim);
  // Half and twice along each loop, and along two against each other.
  auto scaled = [&](unsigned dim, bool twice) {
    return twice ? std::min(sizes[dim], tiles[dim] * 2)
                 : llvm::divideCeil(tiles[dim], static_cast<int64_t>(2));
  };
  auto attempt = [&](ArrayRef<std::pair<unsigned, bool>> changes) {
    Strategies strategies = start;
    for (auto [dim, twice] : changes)
      strategies[root].tileSizes[dim] = scaled(dim, twice);
    if (strategies[root].tileSizes != start[root].tileSizes)
      search.attempt(strategies);
  };
  for (unsigned dim : tiled)
    for (bool twice : {false, true})
      attempt({{dim, twice}});
  for (size_t i = 0; i < tiled.size(); ++i)
    for (size_t j = i + 1; j < tiled.size(); ++j)
      for (bool twice : {false, true})
        attempt({{tiled[i], twice}, {tiled[j], !twice}});

  // The rows of the register tile, for products of floats in whole vectors.
  AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  auto column = out.getNumResults() ? dyn_cast<AffineDimExpr>(out.getResults().back())
                                    : AffineDimExpr(nullptr);
  int64_t lanes = vectors.vectorBits / 32;
  SmallVector<int64_t> ranges = product.getStaticLoopRanges();
  if (!column || lanes == 0 || ranges[column.getPosition()] % lanes != 0 ||
      !llvm::all_of(product->getOperandTypes(),
                    [](Type t) { return getElementTypeOrSelf(t).isF32(); }))
    return;
  int64_t width =
      std::min<int64_t>(ranges[column.getPosition()] / lanes, vectors.numRegisters >= 32 ? 4 : 2);
  std::optional<unsigned> rows;
  for (unsigned dim = 0; dim < product.getNumLoops(); ++dim) {
    bool isRow =
        product.getIteratorTypesArray()[dim] == utils::IteratorType::parallel && ranges[dim] >= 4;
    for (OpOperand *input : product.getDpsInputOperands()) {
      AffineMap map = product.getMatchingIndexingMap(input);
      isRow &= !map.isFunctionOfDim(column.getPosition()) || !map.isFunctionOfDim(dim);
    }
    if (isRow && dim != column.getPosition())
      rows = dim;
  }
  if (!rows)
    return;
  start = search.best;
  for (int64_t height : {4, 5, 6, 7, 8, 10, 12, 14, 20, 28}) {
    if (height > ranges[*rows] || height * width + width + 1 > vectors.numRegisters)
      continue;
    Strategies strategies = start;
    strategies[at].unroll.assign(product.getNumLoops(), 1);
    strategies[at].unroll[*rows] = height;
    strategies[at].unroll[column.getPosition()] = width;
    search.attempt(strategies);
  }
}

std::optional<TuneCache::Entry> Tuner::measure(const Task &task, TuneStage stage) {
  if (isOver() || !options.time)
    return std::nullopt;
  Search search(*this, task, stage);
  if (stage == TuneStage::Methods)
    searchMethods(search, task.product);
  else
    searchTiles(search, task.product);
  if (!search.isUsable)
    return std::nullopt;
  TuneCache::Entry entry;
  entry.what = task.what;
  entry.before = search.baseline.one;
  entry.after = search.bestTimes.one;
  for (cg::LoweringConfig &strategy : search.best) {
    strategy.group.reset();
    entry.strategies.push_back(toText(strategy, task.product->getContext()));
  }
  return entry;
}

/// Writes the strategies of an entry onto the operations; fails, and leaves them, where one does
/// not fit.
LogicalResult Tuner::apply(const TuneCache::Entry &entry, ArrayRef<Operation *> ops) {
  if (entry.strategies.size() != ops.size())
    return failure();
  Strategies before = readStrategies(ops);
  ScopedDiagnosticHandler quiet(ops.front()->getContext(), [](Diagnostic &) { return success(); });
  for (auto [op, text, old] : llvm::zip_equal(ops, entry.strategies, before)) {
    cg::LoweringConfig config;
    if (!text.empty()) {
      auto attr = dyn_cast_or_null<cg::LoweringConfigAttr>(parseAttribute(text, op->getContext()));
      if (!attr)
        break;
      config = cg::LoweringConfig(attr);
    }
    config.group = old.group;
    config.setOn(op);
    if (succeeded(verify(op)))
      continue;
    for (auto [op, old] : llvm::zip_equal(ops, before))
      old.setOn(op);
    return failure();
  }
  return success();
}

LogicalResult Tuner::tune(ModuleOp module, TuneStage stage) {
  struct Found {
    const Task *task;
    const TuneCache::Entry *entry;
    int64_t bytes = 0; // that it adds to the model
    double gain = 0;
  };
  // The first stage leaves time for the second.
  double seconds = stage == TuneStage::Methods ? options.seconds / 2 : options.seconds;
  end = begin + std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6));
  std::vector<Task> tasks = findTasks(module, stage);
  std::vector<Found> found;
  for (const Task &task : tasks) {
    const TuneCache::Entry *entry = cache.find(task.key);
    if (!entry)
      if (std::optional<TuneCache::Entry> measured = measure(task, stage)) {
        cache.insert(task.key, std::move(*measured));
        entry = cache.find(task.key);
      }
    if (entry)
      found.push_back({&task, entry});
  }
  // Transformed weights may make the model larger only as much as without tuning: first where they
  // save the most for their bytes. Convolutions for which there is no room keep what the rules
  // choose.
  int64_t room = countWinogradRoom(module);
  for (Found &f : found) {
    for (StringRef method : {"f2", "f4"})
      if (stage == TuneStage::Methods && llvm::any_of(f.entry->strategies, [&](StringRef text) {
            return text.contains(("winograd = \"" + method + "\"").str());
          }))
        f.bytes = countWinogradBytes(f.task->product, method) * f.task->places.size();
    f.gain = (f.entry->before - f.entry->after) * f.task->places.size();
  }
  llvm::stable_sort(found, [](const Found &a, const Found &b) {
    return a.gain * std::max<int64_t>(b.bytes, 1) > b.gain * std::max<int64_t>(a.bytes, 1);
  });
  for (const Found &f : found) {
    if (f.bytes > room)
      continue;
    room -= f.bytes;
    for (ArrayRef<Operation *> ops : f.task->places)
      if (failed(apply(*f.entry, ops)))
        emitWarning(ops.back()->getLoc())
            << "the tuning cache " << options.cacheFile << " has a strategy that does not fit";
  }
  return success();
}

} // namespace onnxc
