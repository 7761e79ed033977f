// Values between Python and the runtime without copying: buffers and DLPack tensors go
// in, NumPy arrays over the runtime's memory come out.
#include "Value.h"

#include "onnxc/runtime/value.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace onnxc;
namespace nb = nanobind;
using namespace nb::literals;

namespace {

[[noreturn]] void invalid(const std::string &message) {
  throw Error(ErrorCode::InvalidArgument, message);
}

/// A tensor over the memory of an object with the buffer protocol, C-contiguous.
Value fromBuffer(nb::handle object, int elementType) {
  auto type = static_cast<ElementType>(elementType);
  auto buffer = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(object.ptr(), buffer.get(), PyBUF_ND | PyBUF_C_CONTIGUOUS) != 0)
    throw nb::python_error();
  // The last reference may go away in a thread without the GIL, or after the interpreter.
  std::shared_ptr<void> owner(buffer.release(), [](void *p) {
    std::unique_ptr<Py_buffer> held(static_cast<Py_buffer *>(p));
    if (!Py_IsInitialized())
      return;
    nb::gil_scoped_acquire acquire;
    PyBuffer_Release(held.get());
  });
  auto *view = static_cast<Py_buffer *>(owner.get());
  if (static_cast<size_t>(view->itemsize) != elementSize(type))
    invalid("a buffer with elements of " + std::to_string(view->itemsize) + " bytes for a tensor of " +
            elementTypeName(type));
  size_t align = std::min<size_t>(elementSize(type), 8);
  if (reinterpret_cast<uintptr_t>(view->buf) % align != 0)
    throw nb::value_error("the buffer is not aligned to its elements");
  std::vector<int64_t> shape(view->shape, view->shape + view->ndim);
  return Value::tensor(type, std::move(shape), view->buf, std::move(owner));
}

/// A string tensor from a flat list of str or bytes.
Value fromStrings(nb::list items, std::vector<int64_t> shape) {
  std::vector<nb::object> encoded;
  std::vector<std::string_view> views;
  views.reserve(nb::len(items));
  for (nb::handle item : items) {
    nb::object bytes;
    if (PyUnicode_Check(item.ptr())) {
      Py_ssize_t size = 0;
      if (const char *data = PyUnicode_AsUTF8AndSize(item.ptr(), &size)) {
        views.emplace_back(data, size); // the string's own memory
        continue;
      }
      // Bytes that are not UTF-8 came out as surrogates and go back unchanged.
      PyErr_Clear();
      bytes = nb::steal(PyUnicode_AsEncodedString(item.ptr(), "utf-8", "surrogateescape"));
    } else if (PyBytes_Check(item.ptr())) {
      bytes = nb::borrow(item);
    } else {
      invalid(std::string("a string tensor's elements are str or bytes, not ") +
              Py_TYPE(item.ptr())->tp_name);
    }
    if (!bytes.is_valid())
      throw nb::python_error();
    views.emplace_back(PyBytes_AsString(bytes.ptr()), PyBytes_Size(bytes.ptr()));
    encoded.push_back(std::move(bytes));
  }
  return Value::strings(std::move(shape), views);
}

Value fromDLPack(nb::handle object) {
  // Version 1.0's keyword is unknown to older producers.
  nb::object method = object.attr("__dlpack__"), capsule;
  try {
    capsule = method("max_version"_a = nb::make_tuple(DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION));
  } catch (nb::python_error &error) {
    if (!error.matches(PyExc_TypeError))
      throw;
    capsule = method();
  }
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto *tensor = static_cast<DLManagedTensorVersioned *>(
        PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    return Value::fromDLPack(tensor);
  }
  if (!PyCapsule_IsValid(capsule.ptr(), "dltensor"))
    invalid("__dlpack__ did not return a DLPack tensor");
  auto *tensor = static_cast<DLManagedTensor *>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  return Value::fromDLPack(tensor);
}

template <typename Managed> nb::object makeCapsule(Managed *managed, const char *name) {
  // A consumer renames the capsule; then the tensor is its own to delete.
  PyObject *capsule = PyCapsule_New(managed, name, [](PyObject *self) {
    for (const char *unused : {"dltensor", "dltensor_versioned"})
      if (PyCapsule_IsValid(self, unused)) {
        auto *m = static_cast<Managed *>(PyCapsule_GetPointer(self, unused));
        m->deleter(m);
      }
  });
  return nb::steal(capsule);
}

nb::object toDLPack(const Value &value, nb::kwargs kwargs) {
  if (kwargs.contains("max_version") && !kwargs["max_version"].is_none() &&
      nb::cast<int>(kwargs["max_version"][0]) >= 1)
    return makeCapsule(value.toDLPack(), "dltensor_versioned");
  return makeCapsule(value.toDLPackUnversioned(), "dltensor");
}

/// NumPy's own type for an element type, or an unsigned integer of its size.
nb::dlpack::dtype numpyType(ElementType type) {
  auto make = [](nb::dlpack::dtype_code code, size_t bytes) {
    return nb::dlpack::dtype{static_cast<uint8_t>(code), static_cast<uint8_t>(8 * bytes), 1};
  };
  size_t size = elementSize(type);
  switch (type) {
  case ElementType::Float:
  case ElementType::Double:
  case ElementType::Float16:
    return make(nb::dlpack::dtype_code::Float, size);
  case ElementType::Int8:
  case ElementType::Int16:
  case ElementType::Int32:
  case ElementType::Int64:
    return make(nb::dlpack::dtype_code::Int, size);
  case ElementType::Bool:
    return make(nb::dlpack::dtype_code::Bool, size);
  case ElementType::Complex64:
  case ElementType::Complex128:
    return make(nb::dlpack::dtype_code::Complex, size);
  default:
    return make(nb::dlpack::dtype_code::UInt, size);
  }
}

nb::object toArray(const Value &value) {
  if (!value.isTensor() || value.elementType() == ElementType::String)
    invalid("only a tensor of numbers is an array");
  std::vector<size_t> shape(value.shape().begin(), value.shape().end());
  nb::capsule owner(new Value(value), [](void *p) noexcept { delete static_cast<Value *>(p); });
  nb::ndarray<nb::numpy> array(value.data(), shape.size(), shape.data(), owner, nullptr,
                               numpyType(value.elementType()), nb::device::cpu::value);
  return nb::cast(array, nb::rv_policy::reference);
}

PyObject *toText(const onnxc_string &s) {
  return PyUnicode_DecodeUTF8(s.data, static_cast<Py_ssize_t>(s.size), "surrogateescape");
}

/// Fills an array of objects, contiguous and of the tensor's size, with its strings.
void putStrings(const Value &value, nb::handle array) {
  Py_buffer view;
  if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0)
    throw nb::python_error();
  std::unique_ptr<Py_buffer, void (*)(Py_buffer *)> release(&view, PyBuffer_Release);
  int64_t count = value.numElements();
  if (!view.format || std::strcmp(view.format, "O") != 0 ||
      view.len != count * static_cast<int64_t>(sizeof(PyObject *)))
    invalid("strings need an array of as many objects");
  auto *strings = static_cast<const onnxc_string *>(value.data());
  auto **objects = static_cast<PyObject **>(view.buf);
  for (int64_t i = 0; i < count; ++i) {
    PyObject *text = toText(strings[i]), *before = objects[i];
    if (!text)
      throw nb::python_error();
    objects[i] = text;
    Py_XDECREF(before);
  }
}

/// Calls use(i, object) for each element of a tensor as Python's own object; false where its type has none here.
template <typename Use> bool forObjects(const onnxc_value &value, Use use) {
  int64_t count = 1;
  for (int i = 0; i < value.tensor.ndim; ++i)
    count *= value.tensor.shape[i];
  auto all = [&](auto *data, auto make) {
    for (int64_t i = 0; i < count; ++i) {
      PyObject *object = make(data[i]);
      if (!object)
        throw nb::python_error();
      use(i, nb::steal(object));
    }
    return true;
  };
  const void *data = value.tensor.data;
  switch (static_cast<ElementType>(value.elem_type)) {
  case ElementType::Int64:
    return all(static_cast<const int64_t *>(data), PyLong_FromLongLong);
  case ElementType::Float:
    return all(static_cast<const float *>(data), [](float x) { return PyFloat_FromDouble(x); });
  case ElementType::Double:
    return all(static_cast<const double *>(data), PyFloat_FromDouble);
  case ElementType::String:
    return all(static_cast<const onnxc_string *>(data), toText);
  default:
    return false;
  }
}

/// A sequence of maps as a list of dicts, without a Value for each; None for anything else.
nb::object toDicts(const Value &value) {
  const onnxc_value &sequence = value.abi();
  auto result = nb::steal<nb::object>(PyList_New(static_cast<Py_ssize_t>(sequence.count)));
  if (!result.is_valid())
    throw nb::python_error();
  std::vector<nb::object> keys;
  const void *keysOf = nullptr;
  for (size_t i = 0; i < sequence.count; ++i) {
    const onnxc_value &map = sequence.items[i];
    if (map.kind != ONNXC_MAP || map.items[0].kind != ONNXC_TENSOR || map.items[1].kind != ONNXC_TENSOR)
      return nb::none();
    // Maps in a sequence often share their keys.
    const onnxc_value &key = map.items[0];
    if (!keysOf || keysOf != key.tensor.shape) { // the shape is the tensor's own
      keys.clear();
      if (!forObjects(key, [&](int64_t, nb::object object) { keys.push_back(std::move(object)); }))
        return nb::none();
      keysOf = key.tensor.shape;
    }
    auto dict = nb::steal<nb::object>(PyDict_New());
    if (!dict.is_valid())
      throw nb::python_error();
    size_t count = 0;
    bool known = forObjects(map.items[1], [&](int64_t k, nb::object object) {
      ++count;
      if (static_cast<size_t>(k) < keys.size() && PyDict_SetItem(dict.ptr(), keys[k].ptr(), object.ptr()) != 0)
        throw nb::python_error();
    });
    if (!known || count != keys.size())
      return nb::none();
    PyList_SET_ITEM(result.ptr(), static_cast<Py_ssize_t>(i), dict.release().ptr());
  }
  return result;
}

} // namespace

void bindValue(nb::module_ &m) {
  nb::class_<Value>(m, "Value", "A value of the runtime; copies share their memory.")
      .def(nb::init<>(), "An absent optional.")
      .def_static("from_buffer", fromBuffer, "object"_a, "elem_type"_a)
      .def_static("from_strings", fromStrings, "strings"_a, "shape"_a)
      .def_static("from_dlpack", fromDLPack, "object"_a)
      .def_static("sequence", &Value::sequence, "items"_a)
      .def_static("map", &Value::map, "keys"_a, "values"_a)
      .def_static("empty", [](int type, std::vector<int64_t> shape) {
        return Value::tensor(static_cast<ElementType>(type), std::move(shape));
      }, "elem_type"_a, "shape"_a)
      .def_prop_ro("kind", [](const Value &v) { return static_cast<int>(v.kind()); })
      .def_prop_ro("elem_type", [](const Value &v) { return static_cast<int>(v.elementType()); })
      .def_prop_ro("shape", [](const Value &v) { return nb::tuple(nb::cast(v.shape())); })
      .def_prop_ro("items", &Value::items)
      .def_prop_ro("data_ptr", [](const Value &v) { return reinterpret_cast<uintptr_t>(v.data()); })
      .def("array", toArray)
      .def("put_strings", putStrings, "array"_a)
      .def("dicts", toDicts)
      .def("__dlpack__", toDLPack)
      .def("__dlpack_device__", [](const Value &) { return nb::make_tuple(int(kDLCPU), 0); });
}
