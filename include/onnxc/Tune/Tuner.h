// Measures strategies on the machine: the best of a few for each distinct product or convolution.
// What it finds is kept in a cache, and later compilations with it make the same code without
// measuring.
#ifndef ONNXC_TUNE_TUNER_H
#define ONNXC_TUNE_TUNER_H

#include "mlir/IR/BuiltinOps.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"
#include "onnxc/Tune/TuneCache.h"
#include "onnxc/Tune/TuneOptions.h"
#include <chrono>

namespace onnxc {

class Tuner {
public:
  /// Compiles a kernel, from a stage on, to a model.so; takes the kernel apart.
  using Build = std::function<mlir::LogicalResult(mlir::ModuleOp kernel, TuneStage from,
                                                  llvm::StringRef path)>;

  /// `machine`: the CPU, and whatever else the best strategy depends on. Reads the cache; a damaged
  /// one is a warning at `loc`.
  Tuner(const TuneOptions &options, const VectorTarget &vectors, std::string machine, Build build,
        mlir::Location loc);

  /// Writes the best strategies onto the operations of a stage.
  mlir::LogicalResult tune(mlir::ModuleOp module, TuneStage stage);

  /// Writes the cache if something was measured. A file that cannot be written is a warning.
  void save(mlir::Location loc);

private:
  struct Task;
  class Search;
  struct Times {
    double one = 0, many = 0; ///< nanoseconds, by threads
  };
  using Ops = llvm::SmallVector<mlir::Operation *>;

  std::vector<Task> findTasks(mlir::ModuleOp module, TuneStage stage);
  static std::vector<Ops> findMethods(mlir::ModuleOp module);
  static std::vector<Ops> findGroups(mlir::ModuleOp module);
  std::optional<Times> time(llvm::ArrayRef<mlir::Operation *> ops,
                            llvm::ArrayRef<cg::LoweringConfig> strategies, TuneStage stage);
  void searchMethods(Search &search, mlir::linalg::LinalgOp product);
  void searchTiles(Search &search, mlir::linalg::LinalgOp product);
  std::optional<TuneCache::Entry> measure(const Task &task, TuneStage stage);
  static mlir::LogicalResult apply(const TuneCache::Entry &entry,
                                   llvm::ArrayRef<mlir::Operation *> ops);
  bool isOver() const { return std::chrono::steady_clock::now() >= end; }

  const TuneOptions &options;
  VectorTarget vectors;
  std::string machine;
  Build build;
  TuneCache cache;
  std::chrono::steady_clock::time_point begin, end; ///< of measuring; the end is the stage's
};

} // namespace onnxc

#endif
