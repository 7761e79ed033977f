// Runs single kernels: a "model" whose main function calls whatever the test set up.
#ifndef ONNXC_UNITTESTS_KERNELTEST_H
#define ONNXC_UNITTESTS_KERNELTEST_H

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/kernel.h"

namespace onnxc_test {

template <typename T> struct ElemTypeOf;
template <> struct ElemTypeOf<float> { static constexpr int32_t value = ONNXC_FLOAT; };
template <> struct ElemTypeOf<double> { static constexpr int32_t value = ONNXC_DOUBLE; };
template <> struct ElemTypeOf<int64_t> { static constexpr int32_t value = ONNXC_INT64; };
template <> struct ElemTypeOf<int32_t> { static constexpr int32_t value = ONNXC_INT32; };
template <> struct ElemTypeOf<uint8_t> { static constexpr int32_t value = ONNXC_UINT8; };

using Shape = std::vector<int64_t>;
using Strings = std::vector<std::string>;

// One call. Operands are added in order; results are read after run().
class Call {
public:
  explicit Call(onnxc_kernel_fn kernel) : kernel(kernel) {}
  ~Call();
  Call(const Call &) = delete;

  template <typename T> Call &in(const Shape &shape, const std::vector<T> &values) {
    auto bytes = std::make_shared<std::vector<T>>(values);
    bytes->resize(values.size() + 1); // never a null pointer
    kept.push_back(bytes);
    return add(shape, bytes->data(), ElemTypeOf<T>::value);
  }
  Call &bits16(int32_t elemType, const Shape &shape, const std::vector<uint16_t> &values);
  Call &bools(const Shape &shape, const std::vector<uint8_t> &values);
  Call &strings(const Shape &shape, const Strings &values);
  Call &handle(void *object);
  Call &absent();

  Call &attr(const char *name, int64_t value);
  Call &attr(const char *name, int value) { return attr(name, int64_t(value)); }
  Call &attr(const char *name, float value);
  Call &attr(const char *name, const char *value);
  Call &ints(const char *name, const Shape &values);
  Call &floats(const char *name, const std::vector<float> &values);
  Call &stringList(const char *name, const Strings &values);

  // Runs with outputs of these element types; "" or the error.
  std::string run(const std::vector<int32_t> &outTypes);

  Shape shape(size_t i = 0) const { return {outs[i].dims, outs[i].dims + outs[i].rank}; }
  template <typename T> std::vector<T> values(size_t i = 0) const {
    EXPECT_TRUE(outs[i].elem_type == ElemTypeOf<T>::value || outs[i].elem_type == ONNXC_BOOL);
    auto *data = static_cast<const T *>(outs[i].data);
    return {data, data + onnxc_num_elements(&outs[i])};
  }
  Strings stringValues(size_t i = 0) const;
  onnxc_object *object(size_t i = 0) const { return *static_cast<onnxc_object **>(outs[i].data); }

private:
  Call &add(const Shape &shape, void *data, int32_t elemType);
  const onnxc_str *keepString(const std::string &value);
  void keepAttr(const char *name, int64_t kind, int64_t count, const void *data);

  onnxc_kernel_fn kernel;
  std::deque<std::shared_ptr<void>> kept;
  std::vector<onnxc_tensor> ins, outs;
  std::vector<onnxc_attr> attrs;
  struct onnxc_instance *instance = nullptr;
};

std::vector<float> tensorOf(const onnxc_object *object);

inline void expectNear(const std::vector<float> &got, const std::vector<float> &expected, float tolerance = 1e-5f) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], tolerance) << "at " << i;
}

} // namespace onnxc_test

#define ONNXC_DECLARE_KERNEL(name)                                                                           \
  extern "C" int onnxc_kernel_##name(onnxc_ctx *, const onnxc_attrs *, int32_t, const onnxc_tensor *, int32_t, \
                                     onnxc_tensor *);

#endif
