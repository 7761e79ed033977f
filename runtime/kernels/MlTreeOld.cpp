// ai.onnx.ml TreeEnsembleRegressor and TreeEnsembleClassifier (deprecated since version 5, but what
// most exporters write): nodes are named by (tree, node) pairs.
#include <algorithm>

#include "mlTree.h"

using namespace onnxc_k;

namespace {

// A list of numbers that is either a tensor (an input) or an attribute of floats.
struct Numbers {
  const onnxc_tensor *tensor;
  AttrArray<float> floats;
  int64_t size() const { return tensor ? onnxc_num_elements(tensor) : floats.size; }
  double at(onnxc_ctx *ctx, int64_t i) const {
    return tensor ? numberAt(ctx, *tensor, i) : static_cast<double>(floats[i]);
  }
};

Numbers numbers(int32_t numIn, const onnxc_tensor *in, int32_t i, const onnxc_attrs *attrs, const char *name) {
  bool isTensor = isPresent(numIn, in, i) && onnxc_num_elements(&in[i]) > 0;
  return {isTensor ? &in[i] : nullptr, attrFloats(attrs, name)};
}

// nodes_modes comes as the numbers of TreeMode.
TreeMode modeOf(onnxc_ctx *ctx, int64_t mode) {
  if (mode < 0 || mode > static_cast<int64_t>(TreeMode::Leaf) || mode == static_cast<int64_t>(TreeMode::Member))
    onnxc_fail(ctx, "a tree node has an unknown mode");
  return static_cast<TreeMode>(mode);
}

// Finds a node by its pair: indices sorted by (tree, node).
struct NodeIndex {
  AttrArray<int64_t> trees, nodes;
  int64_t *order;

  bool less(int64_t a, int64_t tree, int64_t node) const {
    return trees[a] != tree ? trees[a] < tree : nodes[a] < node;
  }
  int64_t find(onnxc_ctx *ctx, int64_t tree, int64_t node) const {
    int64_t *at = std::lower_bound(order, order + trees.size, 0,
                                   [&](int64_t index, int) { return less(index, tree, node); });
    if (at == order + trees.size || trees[*at] != tree || nodes[*at] != node)
      onnxc_fail(ctx, "tree %lld has no node %lld", static_cast<long long>(tree), static_cast<long long>(node));
    return *at;
  }
};

// The attributes that both operators have; prefix is "target" or "class".
TreeEnsemble loadTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs, const char *const *weightNames, const Numbers &splits,
                       const Numbers &weights, int64_t numTargets) {
  NodeIndex index = {attrInts(attrs, "nodes_treeids"), attrInts(attrs, "nodes_nodeids"), nullptr};
  AttrArray<int64_t> features = attrInts(attrs, "nodes_featureids");
  AttrArray<int64_t> trueIds = attrInts(attrs, "nodes_truenodeids"), falseIds = attrInts(attrs, "nodes_falsenodeids");
  AttrArray<int64_t> missing = attrInts(attrs, "nodes_missing_value_tracks_true");
  AttrArray<int64_t> modes = attrInts(attrs, "nodes_modes");
  AttrArray<int64_t> weightTrees = attrInts(attrs, weightNames[0]), weightNodes = attrInts(attrs, weightNames[1]);
  AttrArray<int64_t> weightTargets = attrInts(attrs, weightNames[2]);
  int64_t n = index.trees.size, numWeights = weightTargets.size;
  if (index.nodes.size != n || features.size != n || trueIds.size != n || falseIds.size != n || modes.size != n ||
      splits.size() != n || weightTrees.size != numWeights || weightNodes.size != numWeights ||
      weights.size() != numWeights)
    onnxc_fail(ctx, "the attributes of the tree ensemble have different lengths");
  index.order = scratch<int64_t>(ctx, n);
  for (int64_t i = 0; i < n; ++i)
    index.order[i] = i;
  std::sort(index.order, index.order + n, [&](int64_t a, int64_t b) { return index.less(a, index.trees[b], index.nodes[b]); });

  // Every node has a place in both arrays: as an inner node and as a leaf.
  TreeEnsemble trees = {};
  trees.nodes = scratch<TreeNode>(ctx, n);
  trees.leaves = scratch<TreeLeaf>(ctx, n);
  trees.weights = scratch<TreeWeight>(ctx, numWeights);
  trees.numNodes = trees.numLeaves = n;
  trees.numWeights = numWeights;
  trees.numTargets = numTargets;
  auto *isRoot = scratch<bool>(ctx, n);
  auto *isLeaf = scratch<bool>(ctx, n);
  for (int64_t i = 0; i < n; ++i) {
    isRoot[i] = true;
    isLeaf[i] = modeOf(ctx, modes[i]) == TreeMode::Leaf;
    trees.leaves[i] = {0, 0};
  }
  for (int64_t i = 0; i < n; ++i) {
    TreeNode &node = trees.nodes[i];
    node = {};
    node.mode = modeOf(ctx, modes[i]);
    if (isLeaf[i]) {
      node.whenTrue = node.whenFalse = ~i; // never followed
      continue;
    }
    node.split = splits.at(ctx, i);
    node.feature = features[i];
    node.missingTracksTrue = i < missing.size && missing[i] != 0;
    int64_t whenTrue = index.find(ctx, index.trees[i], trueIds[i]);
    int64_t whenFalse = index.find(ctx, index.trees[i], falseIds[i]);
    isRoot[whenTrue] = isRoot[whenFalse] = false;
    node.whenTrue = isLeaf[whenTrue] ? ~whenTrue : whenTrue;
    node.whenFalse = isLeaf[whenFalse] ? ~whenFalse : whenFalse;
  }
  auto *roots = scratch<int64_t>(ctx, n);
  for (int64_t i = 0; i < n; ++i)
    if (isRoot[i])
      roots[trees.numRoots++] = isLeaf[i] ? ~i : i;
  trees.roots = roots;

  // The weights of a leaf, in the order of the attributes.
  auto *leafOf = scratch<int64_t>(ctx, numWeights);
  for (int64_t i = 0; i < numWeights; ++i) {
    leafOf[i] = index.find(ctx, weightTrees[i], weightNodes[i]);
    ++trees.leaves[leafOf[i]].end;
  }
  int64_t begin = 0;
  for (int64_t i = 0; i < n; ++i) {
    int64_t count = trees.leaves[i].end;
    trees.leaves[i] = {begin, begin};
    begin += count;
  }
  for (int64_t i = 0; i < numWeights; ++i)
    trees.weights[trees.leaves[leafOf[i]].end++] = {weightTargets[i], weights.at(ctx, i)};
  for (void *data : {static_cast<void *>(leafOf), static_cast<void *>(isLeaf), static_cast<void *>(isRoot),
                     static_cast<void *>(index.order)})
    onnxc_free(ctx, data);
  trees.aggregate = TreeAggregate::Sum;
  return trees;
}

void loadBase(onnxc_ctx *ctx, const Numbers &base, TreeEnsemble &trees) {
  auto *values = scratch<double>(ctx, base.size());
  for (int64_t i = 0; i < base.size(); ++i)
    values[i] = base.at(ctx, i);
  trees.baseValues = values;
  trees.numBase = base.size();
}

// Tensor attributes follow the input in alphabetical order.
const TreeEnsemble *loadRegressor(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn, const onnxc_tensor *in) {
  Numbers splits = numbers(numIn, in, 3, attrs, "nodes_values");
  Numbers weights = numbers(numIn, in, 4, attrs, "target_weights");
  static const char *const kNames[] = {"target_treeids", "target_nodeids", "target_ids"};
  TreeEnsemble trees = loadTrees(ctx, attrs, kNames, splits, weights, onnxc_attr_int(attrs, "n_targets", 1));
  if (attrIs(attrs, "aggregate_function", "AVERAGE"))
    trees.aggregate = TreeAggregate::Average;
  else if (attrIs(attrs, "aggregate_function", "MIN"))
    trees.aggregate = TreeAggregate::Min;
  else if (attrIs(attrs, "aggregate_function", "MAX"))
    trees.aggregate = TreeAggregate::Max;
  loadBase(ctx, numbers(numIn, in, 1, attrs, "base_values"), trees);
  return keepTrees(ctx, attrs, trees, in[0]);
}

const TreeEnsemble *loadClassifier(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn, const onnxc_tensor *in,
                                   int64_t classes) {
  Numbers weights = numbers(numIn, in, 2, attrs, "class_weights");
  Numbers splits = numbers(numIn, in, 4, attrs, "nodes_values");
  static const char *const kNames[] = {"class_treeids", "class_nodeids", "class_ids"};
  TreeEnsemble trees = loadTrees(ctx, attrs, kNames, splits, weights, classes);
  loadBase(ctx, numbers(numIn, in, 1, attrs, "base_values"), trees);
  return keepTrees(ctx, attrs, trees, in[0]);
}

} // namespace

ONNXC_KERNEL(TreeEnsembleRegressor) {
  const TreeEnsemble *trees = keptTrees(ctx, attrs);
  if (!trees)
    trees = loadRegressor(ctx, attrs, numIn, in);
  // As in ONNX Runtime, which exporters test with: of the transforms only PROBIT changes a single score.
  PostTransform transform = postTransformOf(ctx, attrs);
  if (trees->numTargets == 1 && transform != PostTransform::Probit)
    transform = PostTransform::None;
  regressTrees(ctx, *trees, transform, in[0], out[0]);
  return 0;
}

ONNXC_KERNEL(TreeEnsembleClassifier) {
  const onnxc_tensor &x = in[0];
  ClassLabels labels = classLabels(attrs, "classlabels_strings", "classlabels_int64s");
  int64_t classes = labels.size();
  const TreeEnsemble *kept = keptTrees(ctx, attrs);
  if (!kept)
    kept = loadClassifier(ctx, attrs, numIn, in, classes);
  const TreeEnsemble &trees = *kept;
  const double *baseValues = trees.baseValues;
  int64_t numBase = trees.numBase;
  PostTransform transform = postTransformOf(ctx, attrs);
  // Two classes of which the leaves name only one: its score decides. It is a probability if no
  // weight is negative, else a margin.
  bool oneScore = classes == 2 && trees.onlyTarget >= 0, positive = trees.positive;
  int64_t only = trees.onlyTarget;
  Dims dims;
  dims.push(rowsOf(ctx, x).count);
  bool wantsLabels = isPresent(numOut, out, 0), wantsScores = isPresent(numOut, out, 1);
  if (wantsLabels)
    prepareOut(ctx, out[0], dims);
  dims.push(classes);
  if (wantsScores)
    prepareOut(ctx, out[1], dims);
  evaluateTrees(ctx, trees, x, [=](int64_t n, double *scores) {
    int64_t label;
    if (oneScore) {
      double score = scores[only] + (numBase > 0 ? baseValues[numBase - 1] : 0);
      label = static_cast<float>(score) > (positive ? 0.5f : 0.0f);
      if (only == 0) {
        scores[0] = score;
        expandBinary(transform, positive ? SecondClass::Complement : SecondClass::Negation, scores);
      } else {
        scores[only] = score;
        applyPostTransform(transform, scores, 2);
      }
    } else {
      for (int64_t c = 0; c < classes && c < numBase; ++c)
        scores[c] += baseValues[c];
      label = argMax(scores, classes);
      applyPostTransform(transform, scores, classes);
    }
    if (wantsLabels)
      giveLabel(ctx, labels, out[0], n, label);
    for (int64_t c = 0; wantsScores && c < classes; ++c)
      storeScore(out[1], n * classes + c, scores[c]);
  });
  return 0;
}
