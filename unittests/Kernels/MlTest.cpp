// ai.onnx.ml kernels.
#include <cmath>

#include "KernelTest.h"

ONNXC_DECLARE_KERNEL(TreeEnsemble)
ONNXC_DECLARE_KERNEL(TreeEnsembleRegressor)
ONNXC_DECLARE_KERNEL(TreeEnsembleClassifier)
ONNXC_DECLARE_KERNEL(LabelEncoder)
ONNXC_DECLARE_KERNEL(LinearClassifier)
ONNXC_DECLARE_KERNEL(SVMRegressor)
ONNXC_DECLARE_KERNEL(SVMClassifier)
ONNXC_DECLARE_KERNEL(Normalizer)
ONNXC_DECLARE_KERNEL(Scaler)
ONNXC_DECLARE_KERNEL(Imputer)
ONNXC_DECLARE_KERNEL(ZipMap)
ONNXC_DECLARE_KERNEL(OneHotEncoder)

using namespace onnxc_test;

TEST(Tree, RegressorByPairs) {
  Call call(onnxc_kernel_TreeEnsembleRegressor);
  call.in<float>({3, 2}, {0, 5, 2, 0, NAN, 0});
  call.ints("nodes_treeids", {7, 7, 7}).ints("nodes_nodeids", {10, 11, 12}).ints("nodes_featureids", {0, 0, 0});
  call.ints("nodes_truenodeids", {11, 0, 0}).ints("nodes_falsenodeids", {12, 0, 0});
  call.ints("nodes_missing_value_tracks_true", {1, 0, 0}).floats("nodes_values", {1, 0, 0});
  call.ints("nodes_modes", {0, 7, 7}); // BRANCH_LEQ, LEAF, LEAF
  call.ints("target_treeids", {7, 7}).ints("target_nodeids", {11, 12}).ints("target_ids", {0, 0});
  call.floats("target_weights", {10, 20}).floats("base_values", {0.5f}).attr("n_targets", 1);
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(call.shape(), (Shape{3, 1}));
  EXPECT_EQ(call.values<float>(), (std::vector<float>{10.5f, 20.5f, 10.5f}));
}

// Two trees of different depth on many rows: the same as each row alone, and as by hand. The second
// ensemble compares in two ways, which has no quick form.
TEST(Tree, ManyRows) {
  std::vector<float> x;
  for (int i = 0; i < 21; ++i)
    x.insert(x.end(), {static_cast<float>(i), static_cast<float>(i % 4)});
  for (int64_t otherMode : {0, 3}) { // BRANCH_LEQ, BRANCH_GT
    auto make = [&](Call &call, const std::vector<float> &rows) {
      call.in<float>({static_cast<int64_t>(rows.size()) / 2, 2}, rows);
      call.ints("nodes_treeids", {0, 0, 0, 0, 0, 1, 1, 1}).ints("nodes_nodeids", {0, 1, 2, 3, 4, 0, 1, 2});
      call.ints("nodes_featureids", {0, 0, 1, 0, 0, 1, 0, 0}).floats("nodes_values", {9, 0, 1, 0, 0, 2, 0, 0});
      call.ints("nodes_truenodeids", {1, 0, 3, 0, 0, 1, 0, 0}).ints("nodes_falsenodeids", {2, 0, 4, 0, 0, 2, 0, 0});
      call.ints("nodes_modes", {0, 7, 0, 7, 7, otherMode, 7, 7});
      call.ints("target_treeids", {0, 0, 0, 1, 1}).ints("target_nodeids", {1, 3, 4, 1, 2}).ints("target_ids", {0, 0, 0, 0, 0});
      call.floats("target_weights", {1, 2, 4, 8, 16}).attr("n_targets", 1);
    };
    Call all(onnxc_kernel_TreeEnsembleRegressor);
    make(all, x);
    ASSERT_EQ(all.run({ONNXC_FLOAT}), "");
    for (int i = 0; i < 21; ++i) {
      float first = i <= 9 ? 1.0f : i % 4 <= 1 ? 2.0f : 4.0f;
      float second = (otherMode == 0 ? i % 4 <= 2 : i % 4 > 2) ? 8.0f : 16.0f;
      EXPECT_EQ(all.values<float>()[i], first + second) << i;
      Call one(onnxc_kernel_TreeEnsembleRegressor);
      make(one, {x[2 * i], x[2 * i + 1]});
      ASSERT_EQ(one.run({ONNXC_FLOAT}), "");
      EXPECT_EQ(one.values<float>()[0], first + second) << i;
    }
  }
}

TEST(Tree, ClassifierOneScore) {
  Call call(onnxc_kernel_TreeEnsembleClassifier);
  call.in<float>({2, 1}, {0, 2});
  call.ints("nodes_treeids", {0, 0, 0}).ints("nodes_nodeids", {0, 1, 2}).ints("nodes_featureids", {0, 0, 0});
  call.ints("nodes_truenodeids", {1, 0, 0}).ints("nodes_falsenodeids", {2, 0, 0}).floats("nodes_values", {1, 0, 0});
  call.ints("nodes_modes", {1, 7, 7}); // BRANCH_LT, LEAF, LEAF
  call.ints("class_treeids", {0, 0}).ints("class_nodeids", {1, 2}).ints("class_ids", {0, 0});
  call.floats("class_weights", {0.25f, 0.75f}).stringList("classlabels_strings", {"no", "yes"});
  ASSERT_EQ(call.run({ONNXC_STRING, ONNXC_FLOAT}), "");
  EXPECT_EQ(call.stringValues(), (Strings{"no", "yes"}));
  EXPECT_EQ(call.values<float>(1), (std::vector<float>{0.75f, 0.25f, 0.25f, 0.75f}));
}

// ONNX's example with set membership.
TEST(Tree, SetMembership) {
  Call call(onnxc_kernel_TreeEnsemble);
  call.in<float>({6, 1}, {1.2f, 3.4f, -0.12f, NAN, 12, 7});
  call.in<float>({4}, {1, 10, 1000, 100}).in<float>({8}, {1.2f, 3.7f, 8, 9, NAN, 12, 7, NAN}).absent();
  call.in<uint8_t>({3}, {0, 6, 6}).in<float>({3}, {11, 232344, NAN});
  call.attr("n_targets", 4).attr("aggregate_function", 1).ints("tree_roots", {0}).ints("nodes_featureids", {0, 0, 0});
  call.ints("nodes_truenodeids", {1, 0, 1}).ints("nodes_falsenodeids", {2, 2, 3});
  call.ints("nodes_trueleafs", {0, 1, 1}).ints("nodes_falseleafs", {1, 0, 1}).ints("leaf_targetids", {0, 1, 2, 3});
  std::string error = call.run({ONNXC_FLOAT});
  ASSERT_EQ(error, "");
  std::vector<float> y = call.values<float>();
  EXPECT_EQ(y[0], 1.0f); // 1.2 is in the first set
}

TEST(Tree, BrokenNodesAreRefused) {
  Call call(onnxc_kernel_TreeEnsemble);
  call.in<float>({1, 1}, {1}).in<float>({1}, {1}).absent().absent().in<uint8_t>({1}, {0}).in<float>({1}, {1});
  call.attr("n_targets", 1).ints("tree_roots", {0}).ints("nodes_featureids", {0});
  call.ints("nodes_truenodeids", {0}).ints("nodes_falsenodeids", {0}).ints("nodes_trueleafs", {0});
  call.ints("nodes_falseleafs", {1}).ints("leaf_targetids", {0});
  EXPECT_EQ(call.run({ONNXC_FLOAT}), "the nodes of a tree form a cycle");
}

TEST(LabelEncoder, TypesAndDefaults) {
  Call call(onnxc_kernel_LabelEncoder), numbers(onnxc_kernel_LabelEncoder), tensors(onnxc_kernel_LabelEncoder);
  call.strings({3}, {"b", "zzz", "a"}).stringList("keys_strings", {"a", "b"}).ints("values_int64s", {5, 6});
  ASSERT_EQ(call.run({ONNXC_INT64}), "");
  EXPECT_EQ(call.values<int64_t>(), (Shape{6, -1, 5}));
  numbers.in<float>({2}, {NAN, 2}).floats("keys_floats", {2, NAN}).stringList("values_strings", {"two", "nan"});
  ASSERT_EQ(numbers.run({ONNXC_STRING}), "");
  EXPECT_EQ(numbers.stringValues(), (Strings{"nan", "two"}));
  tensors.in<double>({2}, {1, 3}).in<int64_t>({1}, {42}).in<double>({1}, {1}).in<int64_t>({1}, {7});
  ASSERT_EQ(tensors.run({ONNXC_INT64}), "");
  EXPECT_EQ(tensors.values<int64_t>(), (Shape{7, 42}));
}

TEST(Linear, BinaryClassifier) {
  Call call(onnxc_kernel_LinearClassifier);
  call.in<float>({2, 2}, {1, 0, -1, 2}).floats("coefficients", {1, 1}).floats("intercepts", {-2});
  call.ints("classlabels_ints", {3, 4}).attr("post_transform", "LOGISTIC");
  ASSERT_EQ(call.run({ONNXC_INT64, ONNXC_FLOAT}), "");
  EXPECT_EQ(call.values<int64_t>(), (Shape{3, 3}));
  expectNear(call.values<float>(1), {0.7310586f, 0.2689414f, 0.7310586f, 0.2689414f});
}

TEST(Svm, RegressorAndClassifier) {
  Call regressor(onnxc_kernel_SVMRegressor), classifier(onnxc_kernel_SVMClassifier);
  regressor.in<float>({1, 1}, {1}).floats("coefficients", {2}).floats("support_vectors", {0}).attr("n_supports", 1);
  regressor.floats("rho", {0.5f}).attr("kernel_type", "RBF").floats("kernel_params", {1, 0, 0});
  ASSERT_EQ(regressor.run({ONNXC_FLOAT}), "");
  expectNear(regressor.values<float>(), {2 * std::exp(-1.0f) + 0.5f});
  classifier.in<float>({2, 1}, {1, -1}).floats("coefficients", {1, -1}).floats("support_vectors", {1, -1});
  classifier.ints("vectors_per_class", {1, 1}).floats("rho", {0}).attr("kernel_type", "LINEAR");
  classifier.ints("classlabels_ints", {5, 6});
  ASSERT_EQ(classifier.run({ONNXC_INT64, ONNXC_FLOAT}), "");
  EXPECT_EQ(classifier.values<int64_t>(), (Shape{5, 6}));
  EXPECT_EQ(classifier.values<float>(1), (std::vector<float>{-2, 2, 2, -2}));
}

TEST(Features, ScalerImputerNormalizer) {
  Call scaler(onnxc_kernel_Scaler), imputer(onnxc_kernel_Imputer), normalizer(onnxc_kernel_Normalizer);
  scaler.in<int64_t>({2, 2}, {1, 2, 3, 4}).floats("offset", {1}).floats("scale", {2, 10});
  ASSERT_EQ(scaler.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(scaler.values<float>(), (std::vector<float>{0, 10, 4, 30}));
  imputer.in<float>({1, 3}, {NAN, 1, NAN}).floats("imputed_value_floats", {7, 8, 9}).attr("replaced_value_float", NAN);
  ASSERT_EQ(imputer.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(imputer.values<float>(), (std::vector<float>{7, 1, 9}));
  normalizer.in<float>({2, 2}, {3, -4, 0, 0}).attr("norm", "L2");
  ASSERT_EQ(normalizer.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(normalizer.values<float>(), (std::vector<float>{0.6f, -0.8f, 0, 0}));
}

TEST(Features, OneHotAndZipMap) {
  Call oneHot(onnxc_kernel_OneHotEncoder), unknown(onnxc_kernel_OneHotEncoder), zip(onnxc_kernel_ZipMap);
  oneHot.strings({2}, {"b", "?"}).stringList("cats_strings", {"a", "b"});
  ASSERT_EQ(oneHot.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(oneHot.values<float>(), (std::vector<float>{0, 1, 0, 0}));
  unknown.in<int64_t>({1}, {9}).ints("cats_int64s", {1}).attr("zeros", 0);
  EXPECT_EQ(unknown.run({ONNXC_FLOAT}), "OneHotEncoder: element 0 is not a known category");
  zip.in<float>({2, 2}, {0.1f, 0.9f, 0.6f, 0.4f}).stringList("classlabels_strings", {"x", "y"});
  ASSERT_EQ(zip.run({ONNXC_HANDLE}), "");
  onnxc_object *maps = zip.object();
  ASSERT_EQ(maps->count, 2);
  ASSERT_EQ(maps->items[1]->kind, ONNXC_MAP);
  EXPECT_EQ(tensorOf(maps->items[1]->items[1]), (std::vector<float>{0.6f, 0.4f}));
}
