/* Custom operators in C++ (custom_op.h says what happens when):
 *
 *   struct Scale : onnxc::custom::Operator<Scale> {
 *     static constexpr const char *domain = "my.ops", *name = "Scale";
 *     static Signature signature() {
 *       return Signature().input("x", floats, "T").output("y", floats, "T").attribute("factor", ONNXC_OP_FLOAT);
 *     }
 *     static void infer(Inference &in) { in.output(0, in.type(0), in.shape(0)); }
 *     explicit Scale(const Node &node) : factor(node.real("factor", 1)) {}
 *     void compute(Run &run) const { ... }
 *     float factor;
 *   };
 *   ONNXC_CUSTOM_OPS(Scale)
 *
 * The object is made once for each node and instance of the model. What the functions throw becomes
 * the error of the compilation or the run. Header only, C++17.
 */
#ifndef ONNXC_RUNTIME_CUSTOM_OP_HPP
#define ONNXC_RUNTIME_CUSTOM_OP_HPP

#include "onnxc/runtime/custom_op.h"

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace onnxc::custom {

using Shape = std::vector<int64_t>;

inline constexpr uint64_t any = ONNXC_OP_ANY_TYPE;
inline constexpr uint64_t floats = ONNXC_OP_TYPE(ONNXC_FLOAT) | ONNXC_OP_TYPE(ONNXC_DOUBLE) |
                                   ONNXC_OP_TYPE(ONNXC_FLOAT16) | ONNXC_OP_TYPE(ONNXC_BFLOAT16);

/// The element type that a C++ type holds as it is.
template <typename T> inline constexpr onnxc_elem_type elemType = ONNXC_UNDEFINED;
template <> inline constexpr onnxc_elem_type elemType<float> = ONNXC_FLOAT;
template <> inline constexpr onnxc_elem_type elemType<double> = ONNXC_DOUBLE;
template <> inline constexpr onnxc_elem_type elemType<int8_t> = ONNXC_INT8;
template <> inline constexpr onnxc_elem_type elemType<int16_t> = ONNXC_INT16;
template <> inline constexpr onnxc_elem_type elemType<int32_t> = ONNXC_INT32;
template <> inline constexpr onnxc_elem_type elemType<int64_t> = ONNXC_INT64;
template <> inline constexpr onnxc_elem_type elemType<uint8_t> = ONNXC_UINT8;
template <> inline constexpr onnxc_elem_type elemType<uint16_t> = ONNXC_UINT16;
template <> inline constexpr onnxc_elem_type elemType<uint32_t> = ONNXC_UINT32;
template <> inline constexpr onnxc_elem_type elemType<uint64_t> = ONNXC_UINT64;
template <> inline constexpr onnxc_elem_type elemType<bool> = ONNXC_BOOL;
template <> inline constexpr onnxc_elem_type elemType<onnxc_string> = ONNXC_STRING;

inline std::string_view view(const onnxc_string &text) { return {text.data, text.size}; }

/// A tensor that is read.
class Tensor {
public:
  explicit Tensor(const onnxc_op_tensor &tensor) : tensor(tensor) {}
  bool present() const { return tensor.elem_type != 0; }
  int32_t type() const { return tensor.elem_type; }
  Shape shape() const { return Shape(tensor.dims, tensor.dims + tensor.rank); }
  int64_t size() const { return onnxc_op_num_elements(&tensor); }
  const void *raw() const { return tensor.data; }
  template <typename T> const T *data() const {
    if (tensor.elem_type != elemType<T>)
      throw std::invalid_argument("a tensor has the element type " + std::to_string(tensor.elem_type) +
                                  ", not the one that is asked for");
    return static_cast<const T *>(tensor.data);
  }
  template <typename T> std::vector<T> values() const { return std::vector<T>(data<T>(), data<T>() + size()); }

private:
  const onnxc_op_tensor &tensor;
};

/// A node's name and attributes.
class Node {
public:
  explicit Node(const onnxc_op_node &node) : node(node) {}
  const char *name() const { return node.name; }
  int32_t inputs() const { return node.num_inputs; }
  int32_t outputs() const { return node.num_outputs; }
  int64_t integer(const char *name, int64_t fallback) const { return onnxc_op_int(&node, name, fallback); }
  float real(const char *name, float fallback) const { return onnxc_op_float(&node, name, fallback); }
  std::string string(const char *name, const char *fallback) const {
    return std::string(view(onnxc_op_string(&node, name, fallback)));
  }
  std::vector<int64_t> integers(const char *name) const {
    int64_t count;
    const int64_t *data = onnxc_op_ints(&node, name, &count);
    return std::vector<int64_t>(data, data + count);
  }
  std::vector<float> reals(const char *name) const {
    int64_t count;
    const float *data = onnxc_op_floats(&node, name, &count);
    return std::vector<float>(data, data + count);
  }
  std::vector<std::string> strings(const char *name) const {
    int64_t count;
    const onnxc_string *data = onnxc_op_strings(&node, name, &count);
    std::vector<std::string> result;
    for (int64_t i = 0; i < count; ++i)
      result.emplace_back(view(data[i]));
    return result;
  }
  /// Null if the node does not give it.
  const onnxc_op_tensor *tensor(const char *name) const { return onnxc_op_tensor_attr(&node, name); }

private:
  const onnxc_op_node &node;
};

/// What is known of a node when its model is compiled.
class Inference : public Node {
public:
  explicit Inference(onnxc_op_infer &infer) : Node(*infer.node), infer(infer) {}
  bool has(int32_t i) const { return i < inputs() && infer.inputs[i].elem_type != 0; }
  int32_t type(int32_t i) const { return input(i).elem_type; }
  bool hasRank(int32_t i) const { return input(i).rank >= 0; }
  /// Sizes that are not known are negative; equal ones below ONNXC_OP_UNKNOWN are equal sizes.
  Shape shape(int32_t i) const {
    const onnxc_op_tensor &tensor = input(i);
    return tensor.rank < 0 ? Shape() : Shape(tensor.dims, tensor.dims + tensor.rank);
  }
  /// A constant; null if it is none.
  const onnxc_op_tensor *constant(int32_t i) const { return input(i).data ? &input(i) : nullptr; }
  void output(int32_t i, int32_t type, const Shape &shape) {
    infer.set_output(&infer, i, type, static_cast<int32_t>(shape.size()), shape.data());
  }
  void outputOfUnknownRank(int32_t i, int32_t type) { infer.set_output(&infer, i, type, -1, nullptr); }
  /// An output like an input.
  void same(int32_t i, int32_t from) {
    const onnxc_op_tensor &tensor = input(from);
    infer.set_output(&infer, i, tensor.elem_type, tensor.rank, tensor.dims);
  }

private:
  const onnxc_op_tensor &input(int32_t i) const {
    if (!has(i))
      throw std::invalid_argument("input " + std::to_string(i) + " is missing");
    return infer.inputs[i];
  }
  onnxc_op_infer &infer;
};

/// One call of a node.
class Run {
public:
  explicit Run(onnxc_op_run &run) : run(run) {}
  int32_t inputs() const { return run.node->num_inputs; }
  Tensor input(int32_t i) const { return Tensor(run.inputs[i]); }
  bool has(int32_t i) const { return i < inputs() && run.inputs[i].elem_type != 0; }
  /// Whether the model uses an output.
  bool wants(int32_t i) const { return i < run.node->num_outputs && run.outputs[i].elem_type != 0; }
  void *output(int32_t i, const Shape &shape) {
    void *data = run.output(&run, i, static_cast<int32_t>(shape.size()), shape.data());
    if (!data)
      throw std::bad_alloc();
    return data;
  }
  template <typename T> T *output(int32_t i, const Shape &shape) {
    static_assert(elemType<T> != ONNXC_STRING, "strings are set by string()");
    if (run.outputs[i].elem_type != elemType<T>)
      throw std::invalid_argument("output " + std::to_string(i) + " has another element type");
    return static_cast<T *>(output(i, shape));
  }
  void string(int32_t i, int64_t element, std::string_view text) {
    if (run.set_string(&run, i, element, text.data(), text.size()))
      throw std::bad_alloc();
  }
  /// body(begin, end), which must not throw, on the session's threads; cost: nanoseconds of one iteration.
  template <typename Body> void parallel(int64_t n, double cost, Body body) {
    run.parallel_for(
        &run, [](void *arg, int64_t begin, int64_t end) { (*static_cast<Body *>(arg))(begin, end); }, &body, n, cost);
  }

private:
  onnxc_op_run &run;
};

/// What an operator takes and gives.
class Signature {
public:
  Signature &input(const char *name, uint64_t types, const char *typeVar = nullptr,
                   onnxc_op_presence presence = ONNXC_OP_REQUIRED, int32_t min = 0) {
    inputs.push_back({name, types, typeVar, presence, min});
    return *this;
  }
  Signature &output(const char *name, uint64_t types, const char *typeVar = nullptr,
                    onnxc_op_presence presence = ONNXC_OP_REQUIRED, int32_t min = 0) {
    outputs.push_back({name, types, typeVar, presence, min});
    return *this;
  }
  Signature &attribute(const char *name, onnxc_op_attr_kind kind, bool required = false) {
    attributes.push_back({name, kind, required});
    return *this;
  }

  std::vector<onnxc_op_param> inputs, outputs;
  std::vector<onnxc_op_attr_decl> attributes;
};

/// The base of an operator, with what may be left out.
template <typename Op> struct Operator {
  using Signature = custom::Signature;
  using Inference = custom::Inference;
  using Node = custom::Node;
  using Run = custom::Run;
  using Shape = custom::Shape;
  static constexpr uint64_t floats = custom::floats, any = custom::any;
  static constexpr int32_t sinceVersion = 1;
  static constexpr bool hasEffects = false;
};

namespace detail {

template <typename F> int32_t guarded(onnxc_op_error *error, F body) noexcept {
  try {
    body();
    return 0;
  } catch (const std::exception &e) {
    return onnxc_op_fail(error, "%s", e.what());
  } catch (...) {
    return onnxc_op_fail(error, "an exception");
  }
}

template <typename Op> const onnxc_op *declare() {
  static const Signature signature = Op::signature();
  static const onnxc_op op = [] {
    onnxc_op op{};
    op.struct_size = sizeof op;
    op.flags = Op::hasEffects ? ONNXC_OP_HAS_EFFECTS : 0;
    op.domain = Op::domain;
    op.name = Op::name;
    op.since_version = Op::sinceVersion;
    op.num_inputs = static_cast<int32_t>(signature.inputs.size());
    op.num_outputs = static_cast<int32_t>(signature.outputs.size());
    op.inputs = signature.inputs.data();
    op.outputs = signature.outputs.data();
    op.num_attrs = static_cast<int32_t>(signature.attributes.size());
    op.attrs = signature.attributes.data();
    op.infer = [](onnxc_op_infer *infer, onnxc_op_error *error) {
      return guarded(error, [&] {
        Inference inference(*infer);
        Op::infer(inference);
      });
    };
    op.compute = [](onnxc_op_run *run, onnxc_op_error *error) {
      return guarded(error, [&] {
        Run call(*run);
        static_cast<Op *>(run->state)->compute(call);
      });
    };
    op.create = [](const onnxc_op_node *node, void **state, onnxc_op_error *error) {
      return guarded(error, [&] { *state = new Op(Node(*node)); });
    };
    op.destroy = [](void *state) { delete static_cast<Op *>(state); };
    return op;
  }();
  return &op;
}

} // namespace detail
} // namespace onnxc::custom

/// The library's table; once in each library.
#define ONNXC_CUSTOM_OPS(...) ONNXC_CUSTOM_OPS_TABLE((::onnxc::custom::detail::Declare<__VA_ARGS__>::table()))
#define ONNXC_CUSTOM_OPS_TABLE(table)                                                                                  \
  extern "C" const onnxc_op_library *onnxc_custom_ops(uint32_t) { return table; }

namespace onnxc::custom::detail {
template <typename... Ops> struct Declare {
  static const onnxc_op_library *table() {
    static const onnxc_op *const ops[] = {declare<Ops>()...};
    static const onnxc_op_library library{ONNXC_CUSTOM_OP_ABI, sizeof(onnxc_op_library), sizeof...(Ops), ops};
    return &library;
  }
};
} // namespace onnxc::custom::detail

#endif
