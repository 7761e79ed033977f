// Sequences and optionals. Objects live until the instance's next run, so a chain of
// calls keeps its Call objects.
#include "KernelTest.h"

ONNXC_DECLARE_KERNEL(SequenceConstruct)
ONNXC_DECLARE_KERNEL(SequenceEmpty)
ONNXC_DECLARE_KERNEL(SequenceInsert)
ONNXC_DECLARE_KERNEL(SequenceErase)
ONNXC_DECLARE_KERNEL(SequenceAt)
ONNXC_DECLARE_KERNEL(SequenceLength)
ONNXC_DECLARE_KERNEL(SplitToSequence)
ONNXC_DECLARE_KERNEL(ConcatFromSequence)
ONNXC_DECLARE_KERNEL(Optional)
ONNXC_DECLARE_KERNEL(OptionalHasElement)
ONNXC_DECLARE_KERNEL(OptionalGetElement)

using namespace onnxc_test;

TEST(Sequence, InsertSharesWithoutChangingItsInput) {
  Call empty(onnxc_kernel_SequenceEmpty);
  ASSERT_EQ(empty.run({ONNXC_HANDLE}), "");
  Call first(onnxc_kernel_SequenceInsert), second(onnxc_kernel_SequenceInsert), other(onnxc_kernel_SequenceInsert);
  first.handle(empty.object()).in<float>({1}, {1});
  ASSERT_EQ(first.run({ONNXC_HANDLE}), "");
  second.handle(first.object()).in<float>({1}, {2});
  ASSERT_EQ(second.run({ONNXC_HANDLE}), "");
  other.handle(first.object()).in<float>({1}, {3}); // a second append to the same sequence
  ASSERT_EQ(other.run({ONNXC_HANDLE}), "");
  EXPECT_EQ(empty.object()->count, 0);
  EXPECT_EQ(first.object()->count, 1);
  EXPECT_EQ(tensorOf(second.object()->items[1]), (std::vector<float>{2}));
  EXPECT_EQ(tensorOf(other.object()->items[1]), (std::vector<float>{3}));
  Call middle(onnxc_kernel_SequenceInsert);
  middle.handle(second.object()).in<float>({1}, {9}).in<int64_t>({}, {-1});
  ASSERT_EQ(middle.run({ONNXC_HANDLE}), "");
  EXPECT_EQ(tensorOf(middle.object()->items[1]), (std::vector<float>{9}));
  Call outside(onnxc_kernel_SequenceInsert);
  outside.handle(second.object()).in<float>({1}, {9}).in<int64_t>({}, {3});
  EXPECT_EQ(outside.run({ONNXC_HANDLE}), "SequenceInsert: position 3 is out of range for a sequence of 2");
}

TEST(Sequence, SplitAtEraseConcat) {
  Call split(onnxc_kernel_SplitToSequence);
  split.in<float>({5, 1}, {1, 2, 3, 4, 5}).in<int64_t>({}, {2});
  ASSERT_EQ(split.run({ONNXC_HANDLE}), "");
  ASSERT_EQ(split.object()->count, 3);
  EXPECT_EQ(tensorOf(split.object()->items[2]), (std::vector<float>{5}));
  Call erase(onnxc_kernel_SequenceErase), at(onnxc_kernel_SequenceAt), length(onnxc_kernel_SequenceLength);
  erase.handle(split.object()).in<int32_t>({}, {0});
  ASSERT_EQ(erase.run({ONNXC_HANDLE}), "");
  at.handle(erase.object()).in<int64_t>({}, {-2});
  ASSERT_EQ(at.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(at.values<float>(), (std::vector<float>{3, 4}));
  length.handle(erase.object());
  ASSERT_EQ(length.run({ONNXC_INT64}), "");
  EXPECT_EQ(length.values<int64_t>(), (Shape{2}));
  Call concat(onnxc_kernel_ConcatFromSequence), stack(onnxc_kernel_ConcatFromSequence);
  concat.handle(erase.object()).attr("axis", 0);
  ASSERT_EQ(concat.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(concat.shape(), (Shape{3, 1}));
  stack.handle(erase.object()).attr("axis", 0).attr("new_axis", 1);
  EXPECT_EQ(stack.run({ONNXC_FLOAT}), "ConcatFromSequence: the shape of item 1 does not fit the first");
}

TEST(Sequence, StackOnLastAxisAndEmpty) {
  Call construct(onnxc_kernel_SequenceConstruct), stack(onnxc_kernel_ConcatFromSequence);
  construct.in<float>({2}, {1, 2}).in<float>({2}, {3, 4});
  ASSERT_EQ(construct.run({ONNXC_HANDLE}), "");
  stack.handle(construct.object()).attr("axis", -1).attr("new_axis", 1);
  ASSERT_EQ(stack.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(stack.shape(), (Shape{2, 2}));
  EXPECT_EQ(stack.values<float>(), (std::vector<float>{1, 3, 2, 4}));
  Call empty(onnxc_kernel_SequenceEmpty), none(onnxc_kernel_ConcatFromSequence);
  ASSERT_EQ(empty.run({ONNXC_HANDLE}), "");
  none.handle(empty.object()).attr("axis", 0).attr("new_axis", 1).ints("empty_dims", {0, 7});
  ASSERT_EQ(none.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(none.shape(), (Shape{0, 7}));
}

TEST(Optional, ElementOrNone) {
  Call none(onnxc_kernel_Optional), some(onnxc_kernel_Optional);
  ASSERT_EQ(none.run({ONNXC_HANDLE}), "");
  some.in<float>({2}, {1, 2});
  ASSERT_EQ(some.run({ONNXC_HANDLE}), "");
  Call hasNone(onnxc_kernel_OptionalHasElement), hasSome(onnxc_kernel_OptionalHasElement);
  hasNone.handle(none.object());
  ASSERT_EQ(hasNone.run({ONNXC_BOOL}), "");
  EXPECT_EQ(hasNone.values<uint8_t>(), (std::vector<uint8_t>{0}));
  hasSome.handle(some.object());
  ASSERT_EQ(hasSome.run({ONNXC_BOOL}), "");
  EXPECT_EQ(hasSome.values<uint8_t>(), (std::vector<uint8_t>{1}));
  Call getNone(onnxc_kernel_OptionalGetElement), getSome(onnxc_kernel_OptionalGetElement);
  getNone.handle(none.object());
  EXPECT_EQ(getNone.run({ONNXC_FLOAT}), "OptionalGetElement: the optional has no element");
  getSome.handle(some.object());
  ASSERT_EQ(getSome.run({ONNXC_FLOAT}), "");
  EXPECT_EQ(getSome.values<float>(), (std::vector<float>{1, 2}));
}
