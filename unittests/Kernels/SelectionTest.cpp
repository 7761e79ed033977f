// TopK, NonMaxSuppression, NonZero, Compress, Unique.
#include <algorithm>
#include <cmath>

#include "KernelTest.h"

ONNXC_DECLARE_KERNEL(TopK)
ONNXC_DECLARE_KERNEL(NonMaxSuppression)
ONNXC_DECLARE_KERNEL(NonZero)
ONNXC_DECLARE_KERNEL(Compress)
ONNXC_DECLARE_KERNEL(Unique)

using namespace onnxc_test;

TEST(TopK, OrderAndTies) {
  Call call(onnxc_kernel_TopK);
  call.in<float>({2, 4}, {3, 1, 3, 2, -1, NAN, -3, 0}).in<int64_t>({1}, {3});
  ASSERT_EQ(call.run({ONNXC_FLOAT, ONNXC_INT64}), "");
  EXPECT_EQ(call.shape(), (Shape{2, 3}));
  EXPECT_EQ(call.values<int64_t>(1), (Shape{0, 2, 3, 1, 3, 0}));
}

TEST(TopK, SmallestAlongFirstAxisOfHalf) {
  Call call(onnxc_kernel_TopK);
  call.bits16(ONNXC_FLOAT16, {3, 2}, {0x3c00, 0xbc00, 0x4000, 0x0000, 0xc000, 0x3c00}).in<int64_t>({1}, {1});
  call.attr("axis", 0).attr("largest", 0);
  ASSERT_EQ(call.run({ONNXC_FLOAT16, ONNXC_INT64}), "");
  EXPECT_EQ(call.shape(1), (Shape{1, 2}));
  EXPECT_EQ(call.values<int64_t>(1), (Shape{2, 0}));
}

// Against a sort, for few and many of a long row, which go different ways, and both directions.
TEST(TopK, LongRows) {
  std::vector<float> x;
  for (int i = 0; i < 500; ++i)
    x.push_back(static_cast<float>(i * 7919 % 251) - 100); // with ties
  x[77] = NAN;
  for (int64_t k : {1, 5, 40, 499, 500})
    for (int64_t largest : {0, 1}) {
      Shape order;
      for (int64_t i = 0; i < 500; ++i)
        order.push_back(i);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        float p = x[largest ? b : a], q = x[largest ? a : b]; // NaN is the greatest
        return p < q || (q != q && p == p);
      });
      order.resize(k);
      Call call(onnxc_kernel_TopK), wide(onnxc_kernel_TopK);
      call.in<float>({500}, x).in<int64_t>({1}, {k}).attr("largest", largest);
      ASSERT_EQ(call.run({ONNXC_FLOAT, ONNXC_INT64}), "");
      EXPECT_EQ(call.values<int64_t>(1), order) << k << " " << largest;
      wide.in<double>({500}, std::vector<double>(x.begin(), x.end())).in<int64_t>({1}, {k}).attr("largest", largest);
      ASSERT_EQ(wide.run({ONNXC_DOUBLE, ONNXC_INT64}), "");
      EXPECT_EQ(wide.values<int64_t>(1), order) << k << " " << largest;
    }
}

TEST(TopK, TooMany) {
  Call call(onnxc_kernel_TopK);
  call.in<float>({2}, {1, 2}).in<int64_t>({1}, {3});
  EXPECT_EQ(call.run({ONNXC_FLOAT, ONNXC_INT64}), "TopK: k is 3, the axis has 2 elements");
}

TEST(NonMaxSuppression, SuppressesOverlaps) {
  Call call(onnxc_kernel_NonMaxSuppression);
  call.in<float>({1, 4, 4}, {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 10, 1, 11, 1, 101, 0, 100});
  call.in<float>({1, 1, 4}, {0.9f, 0.75f, 0.6f, 0.1f}).in<int64_t>({1}, {3}).in<float>({1}, {0.5f}).in<float>({1}, {0.2f});
  ASSERT_EQ(call.run({ONNXC_INT64}), "");
  EXPECT_EQ(call.shape(), (Shape{2, 3}));
  EXPECT_EQ(call.values<int64_t>(), (Shape{0, 0, 0, 0, 0, 2}));
}

TEST(NonZero, Positions) {
  Call call(onnxc_kernel_NonZero);
  call.in<float>({2, 3}, {1, 0, -2, 0, NAN, 0});
  ASSERT_EQ(call.run({ONNXC_INT64}), "");
  EXPECT_EQ(call.shape(), (Shape{2, 3}));
  EXPECT_EQ(call.values<int64_t>(), (Shape{0, 0, 1, 0, 2, 1}));
}

TEST(Compress, AlongAxisAndFlat) {
  Call call(onnxc_kernel_Compress);
  call.in<float>({3, 2}, {1, 2, 3, 4, 5, 6}).bools({3}, {0, 1, 1}).attr("axis", 0);
  ASSERT_EQ(call.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(call.values<float>(), (std::vector<float>{3, 4, 5, 6}));
  Call flat(onnxc_kernel_Compress);
  flat.in<float>({3, 2}, {1, 2, 3, 4, 5, 6}).bools({5}, {0, 1, 0, 0, 1});
  ASSERT_EQ(flat.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(flat.values<float>(), (std::vector<float>{2, 5}));
}

TEST(Unique, SortedElements) {
  Call call(onnxc_kernel_Unique);
  call.in<float>({6}, {2, 1, 1, 3, 4, 3});
  ASSERT_EQ(call.run({ONNXC_FLOAT, ONNXC_INT64, ONNXC_INT64, ONNXC_INT64}), "");
  EXPECT_EQ(call.values<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(call.values<int64_t>(1), (Shape{1, 0, 3, 4}));
  EXPECT_EQ(call.values<int64_t>(2), (Shape{1, 0, 0, 2, 3, 2}));
  EXPECT_EQ(call.values<int64_t>(3), (Shape{2, 1, 2, 1}));
}

TEST(Unique, RowsInOrderOfAppearance) {
  Call call(onnxc_kernel_Unique);
  call.strings({3, 1}, {"b", "a", "b"}).attr("axis", 0).attr("sorted", 0);
  ASSERT_EQ(call.run({ONNXC_STRING, 0, 0, ONNXC_INT64}), "");
  EXPECT_EQ(call.stringValues(), (Strings{"b", "a"}));
  EXPECT_EQ(call.values<int64_t>(3), (Shape{2, 1}));
}
