#include "KernelTest.h"

#include <functional>

#include "model/generated.h"

extern "C" const onnxc_model *onnxc_model_entry(uint32_t abi);

namespace {
std::function<void(onnxc_ctx *)> body;
} // namespace

extern "C" {
static int32_t runBody(onnxc_ctx *ctx) {
  body(ctx);
  return 0;
}
extern const onnxc_model_desc onnxc_generated_desc;
extern const onnxc_custom_desc onnxc_generated_custom;
const onnxc_custom_desc onnxc_generated_custom = {};
const onnxc_variant variant = {"any", runBody, 0, nullptr, 0, nullptr, 0, 0};
const onnxc_model_desc onnxc_generated_desc = {"{}", 2, 0, 0, nullptr, nullptr, 64, &variant, 1};
}

namespace onnxc_test {

Call::~Call() { onnxc_model_entry(ONNXC_ABI_VERSION)->destroy(instance); }

Call &Call::add(const Shape &shape, void *data, int32_t elemType) {
  auto dims = std::make_shared<Shape>(shape);
  kept.push_back(dims);
  ins.push_back({data, dims->data(), static_cast<int32_t>(shape.size()), elemType});
  return *this;
}

Call &Call::bits16(int32_t elemType, const Shape &shape, const std::vector<uint16_t> &values) {
  auto bits = std::make_shared<std::vector<uint16_t>>(values);
  kept.push_back(bits);
  return add(shape, bits->data(), elemType);
}

Call &Call::bools(const Shape &shape, const std::vector<uint8_t> &values) {
  in<uint8_t>(shape, values);
  ins.back().elem_type = ONNXC_BOOL;
  return *this;
}

const onnxc_str *Call::keepString(const std::string &value) {
  auto text = std::make_shared<std::string>(value);
  auto string = std::make_shared<onnxc_str>(onnxc_str{static_cast<int64_t>(text->size()), text->data()});
  kept.push_back(text);
  kept.push_back(string);
  return string.get();
}

Call &Call::strings(const Shape &shape, const Strings &values) {
  auto handles = std::make_shared<std::vector<const onnxc_str *>>(1);
  handles->clear();
  for (const std::string &value : values)
    handles->push_back(keepString(value));
  kept.push_back(handles);
  return add(shape, handles->data(), ONNXC_STRING);
}

Call &Call::handle(void *object) {
  auto cell = std::make_shared<void *>(object);
  kept.push_back(cell);
  return add({}, cell.get(), ONNXC_HANDLE);
}

Call &Call::absent() {
  ins.push_back({});
  return *this;
}

void Call::keepAttr(const char *name, int64_t kind, int64_t count, const void *data) {
  attrs.push_back({name, kind, count, data});
}

Call &Call::attr(const char *name, int64_t value) {
  auto data = std::make_shared<int64_t>(value);
  kept.push_back(data);
  keepAttr(name, ONNXC_ATTR_INT, 1, data.get());
  return *this;
}
Call &Call::attr(const char *name, float value) {
  auto data = std::make_shared<float>(value);
  kept.push_back(data);
  keepAttr(name, ONNXC_ATTR_FLOAT, 1, data.get());
  return *this;
}
Call &Call::attr(const char *name, const char *value) {
  keepAttr(name, ONNXC_ATTR_STRING, 1, keepString(value));
  return *this;
}
Call &Call::ints(const char *name, const Shape &values) {
  auto data = std::make_shared<Shape>(values);
  kept.push_back(data);
  keepAttr(name, ONNXC_ATTR_INTS, static_cast<int64_t>(values.size()), data->data());
  return *this;
}
Call &Call::floats(const char *name, const std::vector<float> &values) {
  auto data = std::make_shared<std::vector<float>>(values);
  kept.push_back(data);
  keepAttr(name, ONNXC_ATTR_FLOATS, static_cast<int64_t>(values.size()), data->data());
  return *this;
}
Call &Call::stringList(const char *name, const Strings &values) {
  auto data = std::make_shared<std::vector<onnxc_str>>();
  for (const std::string &value : values)
    data->push_back(*keepString(value));
  kept.push_back(data);
  keepAttr(name, ONNXC_ATTR_STRINGS, static_cast<int64_t>(values.size()), data->data());
  return *this;
}

std::string Call::run(const std::vector<int32_t> &outTypes) {
  const onnxc_model *model = onnxc_model_entry(ONNXC_ABI_VERSION);
  if (!instance)
    EXPECT_EQ(model->create(nullptr, &instance), ONNXC_OK);
  onnxc_attrs all = {static_cast<int64_t>(attrs.size()), attrs.data()};
  outs.assign(outTypes.size(), {});
  for (size_t i = 0; i < outTypes.size(); ++i)
    outs[i].elem_type = outTypes[i];
  body = [&](onnxc_ctx *ctx) {
    onnxc_call_kernel(ctx, kernel, &all, static_cast<int32_t>(ins.size()), ins.data(),
                      static_cast<int32_t>(outs.size()), outs.data());
  };
  return model->run(instance, nullptr, nullptr, nullptr) == ONNXC_OK ? "" : model->last_error(instance);
}

Strings Call::stringValues(size_t i) const {
  Strings result;
  auto *handles = static_cast<const onnxc_str *const *>(outs[i].data);
  for (int64_t k = 0; k < onnxc_num_elements(&outs[i]); ++k)
    result.emplace_back(handles[k]->data, static_cast<size_t>(handles[k]->size));
  return result;
}

std::vector<float> tensorOf(const onnxc_object *object) {
  EXPECT_EQ(object->kind, ONNXC_TENSOR);
  auto *data = static_cast<const float *>(object->tensor.data);
  return {data, data + onnxc_num_elements(&object->tensor)};
}

} // namespace onnxc_test
