// Evaluates tree ensembles (ai.onnx.ml TreeEnsemble and the older Regressor and Classifier).
// The first call turns the attributes into arrays of nodes.
#include <algorithm>

#include "mlTree.h"

using namespace onnxc_k;

namespace {

bool goesTrue(const TreeEnsemble &trees, const TreeNode &node, double x) {
  if (node.missingTracksTrue && x != x)
    return true;
  switch (node.mode) {
  case TreeMode::Leq: return x <= node.split;
  case TreeMode::Lt: return x < node.split;
  case TreeMode::Gte: return x >= node.split;
  case TreeMode::Gt: return x > node.split;
  case TreeMode::Eq: return x == node.split;
  case TreeMode::Neq: return x != node.split;
  case TreeMode::Member:
    for (int64_t i = node.membersBegin; i < node.membersEnd; ++i)
      if (trees.members[i] == x)
        return true;
    return false;
  case TreeMode::Leaf: break;
  }
  return false;
}

const TreeLeaf &findLeaf(const TreeEnsemble &trees, int64_t root, const double *row) {
  int64_t at = root;
  while (at >= 0) {
    const TreeNode &node = trees.nodes[at];
    at = goesTrue(trees, node, row[node.feature]) ? node.whenTrue : node.whenFalse;
  }
  return trees.leaves[~at];
}

} // namespace

namespace {

// Ends the run unless every index is in range and every tree ends.
void checkTrees(onnxc_ctx *ctx, const TreeEnsemble &trees) {
  for (int64_t i = 0; i < trees.numNodes; ++i) {
    const TreeNode &node = trees.nodes[i];
    bool valid = node.feature >= 0;
    for (int64_t next : {node.whenTrue, node.whenFalse})
      valid &= next >= 0 ? next < trees.numNodes : ~next < trees.numLeaves;
    if (!valid)
      onnxc_fail(ctx, "tree node %lld refers to what is not there", static_cast<long long>(i));
  }
  // A cycle would never end: children that come before their parent are followed
  // only as far as there are nodes.
  auto *depth = scratch<int64_t>(ctx, trees.numNodes + 1);
  for (int64_t r = 0; r < trees.numRoots; ++r) {
    int64_t top = 0, visited = 0;
    if (trees.roots[r] < 0)
      continue;
    depth[top++] = trees.roots[r];
    while (top > 0) {
      const TreeNode &node = trees.nodes[depth[--top]];
      if (++visited > trees.numNodes)
        onnxc_fail(ctx, "the nodes of a tree form a cycle");
      if (node.whenFalse >= 0 && top < trees.numNodes)
        depth[top++] = node.whenFalse;
      if (node.whenTrue >= 0 && node.whenTrue != node.whenFalse && top < trees.numNodes)
        depth[top++] = node.whenTrue;
    }
  }
  onnxc_free(ctx, depth);
  for (int64_t i = 0; i < trees.numWeights; ++i)
    if (trees.weights[i].target < 0 || trees.weights[i].target >= trees.numTargets)
      onnxc_fail(ctx, "a tree's leaf refers to target %lld of %lld", static_cast<long long>(trees.weights[i].target),
                 static_cast<long long>(trees.numTargets));
}

} // namespace

const TreeEnsemble *onnxc_k::keptTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs) {
  return static_cast<const TreeEnsemble *>(onnxc_kept(ctx, attrs));
}

const TreeEnsemble *onnxc_k::keepTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs, const TreeEnsemble &trees,
                                       const onnxc_tensor &x) {
  checkTrees(ctx, trees);
  auto *copy = scratch<TreeEnsemble>(ctx, 1);
  *copy = trees;
  for (int64_t i = 0; i < trees.numNodes; ++i)
    copy->maxFeature = std::max(copy->maxFeature, trees.nodes[i].feature);
  copy->onlyTarget = trees.numWeights > 0 ? trees.weights[0].target : 0;
  copy->positive = true;
  for (int64_t i = 0; i < trees.numWeights; ++i) {
    copy->onlyTarget = trees.weights[i].target == copy->onlyTarget ? copy->onlyTarget : -1;
    copy->positive &= trees.weights[i].weight >= 0;
  }
  copy->flat = flattenTrees(ctx, trees, x.elem_type == ONNXC_FLOAT);
  for (const void *part : {static_cast<const void *>(trees.nodes), static_cast<const void *>(trees.leaves),
                           static_cast<const void *>(trees.weights), static_cast<const void *>(trees.roots),
                           static_cast<const void *>(trees.members), static_cast<const void *>(trees.baseValues)})
    if (part)
      onnxc_keep(ctx, nullptr, const_cast<void *>(part));
  onnxc_keep(ctx, attrs, copy);
  return copy;
}

void onnxc_k::checkColumns(onnxc_ctx *ctx, const TreeEnsemble &trees, int64_t columns) {
  if (trees.numNodes > 0 && trees.maxFeature >= columns)
    onnxc_fail(ctx, "the trees read column %lld, the input has %lld columns", static_cast<long long>(trees.maxFeature),
               static_cast<long long>(columns));
}

void onnxc_k::addLeafWeights(const TreeEnsemble &trees, const TreeLeaf &leaf, double *scores, bool *scored) {
  for (int64_t i = leaf.begin; i < leaf.end; ++i) {
    const TreeWeight &w = trees.weights[i];
    double &score = scores[w.target];
    switch (trees.aggregate) {
    case TreeAggregate::Average:
    case TreeAggregate::Sum: score += w.weight; break;
    case TreeAggregate::Min: score = scored[w.target] ? std::min(score, w.weight) : w.weight; break;
    case TreeAggregate::Max: score = scored[w.target] ? std::max(score, w.weight) : w.weight; break;
    }
    scored[w.target] = true;
  }
}

void onnxc_k::scoreRows(onnxc_ctx *ctx, const TreeEnsemble &trees, const onnxc_tensor &x, const Rows &rows,
                        int64_t begin, int64_t count, double *space, double *scores, bool *scored) {
  int64_t targets = trees.numTargets;
  std::fill_n(scores, count * targets, 0.0);
  std::fill_n(scored, count * targets, false);
  const void *from = space;
  bool inPlace = trees.flat && trees.flat->isFloat && rows.columns > 0;
  if (inPlace) {
    from = dataOf<float>(x) + begin * rows.columns;
  } else if (rows.columns > 0) {
    loadDoubles(ctx, x, begin * rows.columns, count * rows.columns, space);
  } else {
    std::fill_n(space, count, 0.0); // only leaves are left to read it
  }
  if (trees.flat) {
    evaluateFlat(trees, from, rows.columns, count, scores, scored);
  } else {
    for (int64_t n = 0; n < count; ++n)
      for (int64_t r = 0; r < trees.numRoots; ++r)
        addLeafWeights(trees, findLeaf(trees, trees.roots[r], space + n * rows.columns), scores + n * targets,
                       scored + n * targets);
  }
  if (trees.aggregate == TreeAggregate::Average && trees.numRoots > 0)
    for (int64_t i = 0; i < count * targets; ++i)
      scores[i] /= static_cast<double>(trees.numRoots);
}

void onnxc_k::regressTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, PostTransform transform, const onnxc_tensor &x,
                           onnxc_tensor &out) {
  Dims dims;
  dims.push(rowsOf(ctx, x).count);
  dims.push(trees.numTargets);
  prepareOut(ctx, out, dims);
  const onnxc_tensor *to = &out;
  evaluateTrees(ctx, trees, x, [=, &trees](int64_t n, double *scores) {
    for (int64_t t = 0; t < trees.numTargets && trees.numBase > 0; ++t)
      scores[t] += trees.baseValues[std::min(t, trees.numBase - 1)];
    applyPostTransform(transform, scores, trees.numTargets);
    for (int64_t t = 0; t < trees.numTargets; ++t)
      storeScore(*to, n * trees.numTargets + t, scores[t]);
  });
}

namespace {

// Tensor attributes follow the input in alphabetical order.
enum { kX, kLeafWeights, kMembership, kHitRates, kModes, kSplits };

const TreeEnsemble *loadTrees(onnxc_ctx *ctx, const onnxc_attrs *attrs, int32_t numIn, const onnxc_tensor *in) {
  auto failMissing = [&](const char *name) { onnxc_fail(ctx, "TreeEnsemble: %s is missing or too short", name); };
  AttrArray<int64_t> roots = attrInts(attrs, "tree_roots"), features = attrInts(attrs, "nodes_featureids");
  AttrArray<int64_t> trueIds = attrInts(attrs, "nodes_truenodeids"), falseIds = attrInts(attrs, "nodes_falsenodeids");
  AttrArray<int64_t> trueLeafs = attrInts(attrs, "nodes_trueleafs"), falseLeafs = attrInts(attrs, "nodes_falseleafs");
  AttrArray<int64_t> missing = attrInts(attrs, "nodes_missing_value_tracks_true");
  AttrArray<int64_t> targets = attrInts(attrs, "leaf_targetids");
  int64_t n = features.size;
  auto hasTensor = [&](int32_t i, int64_t size) { return isPresent(numIn, in, i) && onnxc_num_elements(&in[i]) >= size; };
  if (trueIds.size < n || falseIds.size < n || trueLeafs.size < n || falseLeafs.size < n)
    failMissing("a list of children");
  if (!hasTensor(kModes, n))
    failMissing("nodes_modes");
  if (!hasTensor(kSplits, n))
    failMissing("nodes_splits");
  if (!hasTensor(kLeafWeights, targets.size))
    failMissing("leaf_weights");

  TreeEnsemble trees = {};
  trees.nodes = scratch<TreeNode>(ctx, n);
  trees.leaves = scratch<TreeLeaf>(ctx, targets.size);
  trees.weights = scratch<TreeWeight>(ctx, targets.size);
  trees.numNodes = n;
  trees.numLeaves = trees.numWeights = targets.size;
  trees.numTargets = onnxc_attr_int(attrs, "n_targets", 1);
  auto *rootIds = scratch<int64_t>(ctx, roots.size);
  trees.roots = rootIds;
  trees.numRoots = roots.size;
  for (int64_t r = 0; r < roots.size; ++r) {
    if (roots[r] < 0 || roots[r] >= n)
      onnxc_fail(ctx, "TreeEnsemble: tree_roots refers to node %lld of %lld", static_cast<long long>(roots[r]),
                 static_cast<long long>(n));
    rootIds[r] = roots[r];
  }
  int64_t numMembers = isPresent(numIn, in, kMembership) ? onnxc_num_elements(&in[kMembership]) : 0, member = 0;
  auto *members = scratch<double>(ctx, numMembers);
  if (numMembers > 0)
    loadDoubles(ctx, in[kMembership], 0, numMembers, members);
  trees.members = members;
  for (int64_t i = 0; i < n; ++i) {
    TreeNode &node = trees.nodes[i];
    node = {};
    int64_t mode = dataOf<uint8_t>(in[kModes])[i];
    if (mode > static_cast<int64_t>(TreeMode::Member))
      onnxc_fail(ctx, "TreeEnsemble: node mode %lld is not known", static_cast<long long>(mode));
    node.mode = static_cast<TreeMode>(mode);
    node.split = numberAt(ctx, in[kSplits], i);
    node.feature = features[i];
    node.missingTracksTrue = i < missing.size && missing[i] != 0;
    node.whenTrue = trueLeafs[i] ? ~trueIds[i] : trueIds[i];
    node.whenFalse = falseLeafs[i] ? ~falseIds[i] : falseIds[i];
    if (node.mode == TreeMode::Member) { // sets end with NaN
      node.membersBegin = member;
      while (member < numMembers && members[member] == members[member])
        ++member;
      node.membersEnd = member++;
    }
  }
  for (int64_t i = 0; i < targets.size; ++i) {
    trees.leaves[i] = {i, i + 1};
    trees.weights[i] = {targets[i], numberAt(ctx, in[kLeafWeights], i)};
  }
  int64_t aggregate = onnxc_attr_int(attrs, "aggregate_function", 1);
  if (aggregate < 0 || aggregate > 3)
    onnxc_fail(ctx, "TreeEnsemble: aggregate_function %lld is not known", static_cast<long long>(aggregate));
  trees.aggregate = static_cast<TreeAggregate>(aggregate);
  return keepTrees(ctx, attrs, trees, in[kX]);
}

} // namespace

ONNXC_KERNEL(TreeEnsemble) {
  const TreeEnsemble *trees = keptTrees(ctx, attrs);
  if (!trees)
    trees = loadTrees(ctx, attrs, numIn, in);
  int64_t transform = onnxc_attr_int(attrs, "post_transform", 0);
  if (transform < 0 || transform > 4)
    onnxc_fail(ctx, "TreeEnsemble: post_transform %lld is not known", static_cast<long long>(transform));
  regressTrees(ctx, *trees, static_cast<PostTransform>(transform), in[kX], out[0]);
  return 0;
}
