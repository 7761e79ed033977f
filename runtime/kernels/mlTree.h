// Tree ensembles as the kernels evaluate them.
#ifndef ONNXC_KERNELS_MLTREE_H
#define ONNXC_KERNELS_MLTREE_H

#include "mlScores.h"

namespace onnxc_k {

// Values as in ai.onnx.ml TreeEnsemble.
enum class TreeMode : uint8_t { Leq, Lt, Gte, Gt, Eq, Neq, Member, Leaf };
enum class TreeAggregate { Average, Sum, Min, Max };

struct TreeNode {
  double split;
  int64_t feature;
  int64_t whenTrue, whenFalse; // a node, or ~leaf
  int64_t membersBegin, membersEnd;
  TreeMode mode;
  bool missingTracksTrue;
};
struct TreeLeaf {
  int64_t begin, end; // its weights
};
struct TreeWeight {
  int64_t target;
  double weight;
};
// An ensemble whose inner nodes all compare in the same way: nodes of a few bytes, first the inner ones of all
// trees, then the leaves.
struct FlatTrees {
  const void *nodes; // for float or double features
  int32_t *roots;
  int32_t *sure;   // levels of each tree that have no leaf above them
  int64_t *leaves; // the ensemble's number of each leaf
  double *values;  // of each leaf for each target; NULL: in the ensemble's weights
  int64_t numLeaves;
  int32_t numInner;
  TreeMode mode;
  bool isFloat, missing;
};
struct TreeEnsemble {
  TreeNode *nodes;
  TreeLeaf *leaves;
  TreeWeight *weights;
  const int64_t *roots; // a node, or ~leaf
  const double *members, *baseValues;
  int64_t numNodes, numLeaves, numWeights, numRoots, numTargets, numBase, maxFeature;
  TreeAggregate aggregate;
  int64_t onlyTarget; // the one that all leaves name, or -1
  bool positive;      // no weight is negative
  const FlatTrees *flat; // NULL: nodes have different modes
};

// The ensemble that an earlier run made of these attributes, or NULL; and to check and keep one for inputs like x
// (it ends the run if an index is out of range or a tree does not end).
const TreeEnsemble *keptTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs);
const TreeEnsemble *keepTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs, const TreeEnsemble &trees,
                              const onnxc_tensor &x);

// Calls each(n, scores of the targets) for the rows of x, on several threads. The scores may be changed.
template <typename Each>
void evaluateTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, const onnxc_tensor &x, Each each);
void regressTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, PostTransform transform, const onnxc_tensor &x,
                  onnxc_tensor &out);

// ---- parts of evaluateTrees ----

// Ends the run unless the input has the columns that the trees read.
void checkColumns(onnxc_ctx *ctx, const TreeEnsemble &trees, int64_t columns);
// MlTreeFlat.cpp: the flat form, kept, or NULL; and the sums of its trees. stride: elements between rows.
const FlatTrees *flattenTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, bool floatInput);
void evaluateFlat(const TreeEnsemble &trees, const void *rows, int64_t stride, int64_t count, double *scores,
                  bool *scored);
void addLeafWeights(const TreeEnsemble &trees, const TreeLeaf &leaf, double *scores, bool *scored);
// Rows [begin, begin + count) of x. Scratch: of space for as many doubles as the rows have elements.
void scoreRows(onnxc_ctx *ctx, const TreeEnsemble &trees, const onnxc_tensor &x, const Rows &rows, int64_t begin,
               int64_t count, double *space, double *scores, bool *scored);

template <typename Each>
void evaluateTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, const onnxc_tensor &x, Each each) {
  Rows rows = rowsOf(ctx, x);
  checkColumns(ctx, trees, rows.columns);
  int64_t targets = trees.numTargets;
  double cost = static_cast<double>(trees.numRoots) * 15 + 5;
  parallelFor(ctx, rows.count, cost, [=, &trees, &x](int64_t begin, int64_t end) {
    // As many rows at once as their scores leave room for in the cache.
    int64_t most = 8192 / (targets + rows.columns + 1);
    int64_t block = end - begin < most ? end - begin : most < 8 ? 8 : most;
    int64_t columns = rows.columns > 0 ? rows.columns : 1;
    auto *scores = scratch<double>(ctx, block * (targets + columns));
    auto *scored = scratch<bool>(ctx, block * targets);
    for (int64_t from = begin; from < end; from += block) {
      int64_t count = end - from < block ? end - from : block;
      scoreRows(ctx, trees, x, rows, from, count, scores + block * targets, scores, scored);
      for (int64_t n = 0; n < count; ++n)
        each(from + n, scores + n * targets);
    }
    onnxc_free(ctx, scored);
    onnxc_free(ctx, scores);
  });
}

} // namespace onnxc_k

#endif
