#include "onnxc/runtime/value.h"

#include <gtest/gtest.h>

using namespace onnxc;

namespace {

template <typename F> std::string messageOf(F &&body) {
  try {
    body();
  } catch (const Error &e) {
    EXPECT_EQ(e.code(), ErrorCode::InvalidArgument);
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Value, OwnsAlignedMemory) {
  Value v = Value::tensor(ElementType::Float, {2, 3});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(v.data()) % 64, 0u);
  EXPECT_EQ(v.sizeInBytes(), 24u);
  v.data<float>()[5] = 1;
  Value other = v;
  EXPECT_EQ(other.data<float>()[5], 1);
  EXPECT_NE(messageOf([&] { v.data<double>(); }).find("double"), std::string::npos);
}

TEST(Value, BorrowsMemory) {
  float data[4] = {1, 2, 3, 4};
  EXPECT_EQ(Value::tensor<float>({2, 2}, data).data(), data);
  EXPECT_NE(Value::tensor<float>({0, 2}, static_cast<float *>(nullptr)).data(), nullptr);
  messageOf([] { Value::tensor<float>({1}, static_cast<float *>(nullptr)); });
}

TEST(Value, RefusesBadShapes) {
  messageOf([] { Value::tensor(ElementType::Float, {-1}); });
  messageOf([] { Value::tensor(ElementType::Float, {int64_t(1) << 40, int64_t(1) << 40}); });
  messageOf([] { Value::tensor(ElementType::Float, std::vector<int64_t>(33, 1)); });
  messageOf([] { Value::tensor(ElementType::Undefined, {1}); });
}

TEST(Value, Strings) {
  Value v = Value::strings({2}, {"", "xyz"});
  EXPECT_EQ(v.stringAt(0), "");
  EXPECT_EQ(v.stringAt(1), "xyz");
  messageOf([&] { v.stringAt(2); });
  messageOf([] { Value::strings({3}, {"a"}); });
  EXPECT_EQ(Value::tensor(ElementType::String, {1}).stringAt(0), "");
}

TEST(Value, CopiesOfNestedValuesAreIndependent) {
  int64_t keys[] = {4, 5};
  float values[] = {0.5f, 0.25f};
  Value copy;
  {
    Value map = Value::map(Value::tensor<int64_t>({2}, keys), Value::tensor<float>({2}, values));
    Value seq = Value::sequence({map, Value(), Value::strings({1}, {"s"})});
    copy = Value::copy(seq.abi());
  }
  keys[0] = 9;
  ASSERT_EQ(copy.items().size(), 3u);
  EXPECT_EQ(copy.items()[0].items()[0].data<int64_t>()[0], 4);
  EXPECT_TRUE(copy.items()[1].isNone());
  EXPECT_EQ(copy.items()[2].stringAt(0), "s");
  messageOf([&] { Value::map(Value::tensor<int64_t>({2}, keys), Value::tensor<float>({1}, values)); });
}

TEST(DLPack, RoundTripSharesMemory) {
  Value v = Value::tensor(ElementType::BFloat16, {2, 2});
  DLManagedTensorVersioned *m = v.toDLPack();
  EXPECT_EQ(m->dl_tensor.dtype.code, kDLBfloat);
  Value back = Value::fromDLPack(m);
  EXPECT_EQ(back.data(), v.data());
  EXPECT_EQ(back.elementType(), ElementType::BFloat16);
  EXPECT_EQ(Value::fromDLPack(v.toDLPackUnversioned()).data(), v.data());
  messageOf([] { Value::strings({1}, {"a"}).toDLPack(); });
  // A type below a byte is told apart from a packed tensor by a flag.
  Value nibbles = Value::tensor(ElementType::Int4, {3});
  EXPECT_EQ(Value::fromDLPack(nibbles.toDLPack()).elementType(), ElementType::Int4);
  messageOf([&] { nibbles.toDLPackUnversioned(); });
}

TEST(DLPack, StridedTensorsAreCopiedAndDeleted) {
  static int deleted;
  deleted = 0;
  int32_t data[] = {0, 1, 2, 3, 4, 5};
  int64_t shape[] = {3, 2}, strides[] = {1, 3};
  DLManagedTensor m{};
  m.dl_tensor = {data, {kDLCPU, 0}, 2, {kDLInt, 32, 1}, shape, strides, 0};
  m.deleter = [](DLManagedTensor *) { ++deleted; };
  Value v = Value::fromDLPack(&m);
  EXPECT_EQ(deleted, 1);
  EXPECT_EQ(std::vector<int32_t>(v.data<int32_t>(), v.data<int32_t>() + 6),
            (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
  m.dl_tensor.strides = nullptr;
  m.dl_tensor.byte_offset = 4;
  m.dl_tensor.ndim = 1;
  v = Value::fromDLPack(&m);
  EXPECT_EQ(v.data(), data + 1);
  v = Value();
  EXPECT_EQ(deleted, 2);
  m.dl_tensor.device = {kDLCUDA, 0};
  EXPECT_NE(messageOf([&] { Value::fromDLPack(&m); }).find("CPU"), std::string::npos);
  m.dl_tensor.device = {kDLCPU, 0};
  m.dl_tensor.dtype = {kDLFloat, 80, 1};
  messageOf([&] { Value::fromDLPack(&m); });
  EXPECT_EQ(deleted, 4);
}

TEST(ElementTypes, NamesRoundTrip) {
  for (int i = 1; i <= 26; ++i) {
    auto type = static_cast<ElementType>(i);
    EXPECT_EQ(elementTypeFromName(elementTypeName(type)), type);
    EXPECT_GT(elementSize(type), 0u);
  }
  EXPECT_EQ(elementTypeFromName("float32"), ElementType::Undefined);
}

} // namespace
