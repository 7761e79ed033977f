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
struct TreeEnsemble {
  TreeNode *nodes;
  TreeLeaf *leaves;
  TreeWeight *weights;
  const int64_t *roots; // a node, or ~leaf
  const double *members, *baseValues;
  int64_t numNodes, numLeaves, numWeights, numRoots, numTargets, numBase, maxFeature;
  TreeAggregate aggregate;
};

// The ensemble that an earlier run made of these attributes, or NULL; and to check and keep one (it ends the
// run if an index is out of range or a tree does not end).
const TreeEnsemble *keptTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs);
const TreeEnsemble *keepTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs, const TreeEnsemble &trees);

// Ends the run unless the input has the columns that the trees read.
void checkColumns(onnxc_ctx *ctx, const TreeEnsemble &trees, int64_t columns);
// The targets' scores of one row, and which targets a leaf gave a score.
void evaluateTrees(const TreeEnsemble &trees, const double *row, double *scores, bool *scored);
void regressTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, PostTransform transform, const onnxc_tensor &x,
                  onnxc_tensor &out);

} // namespace onnxc_k

#endif
