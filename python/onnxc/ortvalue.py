"""OrtValue and IOBinding, with ONNX Runtime's names."""

import numpy as np

from . import _values
from ._onnxc import Value
from .errors import InvalidArgument, Unsupported


def _check_cpu(device_type):
    if str(device_type).lower() != "cpu":
        raise Unsupported(f"device '{device_type}': values live in CPU memory")


class OrtValue:
    """A value of the runtime. Tensors share memory with what they were made from."""

    def __init__(self, value):
        self._value = value

    @classmethod
    def ortvalue_from_numpy(cls, numpy_obj, device_type="cpu", device_id=0):
        """Over the array's memory, if it is contiguous."""
        _check_cpu(device_type)
        return cls(_values.tensor_from_array(np.asarray(numpy_obj)))

    @classmethod
    def ortvalue_from_shape_and_type(cls, shape, element_type=np.float32, device_type="cpu", device_id=0):
        """A tensor that is not initialised."""
        _check_cpu(device_type)
        number = element_type if isinstance(element_type, int) else _values.elem_type_of(np.dtype(element_type))
        return cls(Value.empty(number, list(shape)))

    @classmethod
    def from_dlpack(cls, obj):
        """Over the memory of any object with __dlpack__."""
        return cls(Value.from_dlpack(obj))

    def __dlpack__(self, **kwargs):
        return self._value.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self._value.__dlpack_device__()

    def to_dlpack(self):
        return self._value.__dlpack__()

    def numpy(self):
        """The tensor's memory as an array; strings, int4 and int2 are copied."""
        if not self.is_tensor():
            raise InvalidArgument("the value is not a tensor")
        return _values.from_value(self._value)

    def to_object(self):
        """As InferenceSession.run gives it: an array, list, dict or None."""
        return _values.from_value(self._value)

    def update_inplace(self, np_arr):
        """Copies an array of the same type and shape into the tensor."""
        if not self.is_tensor():
            raise InvalidArgument("the value is not a tensor")
        elem_type = self._value.elem_type
        if elem_type == _values.STRING:
            raise Unsupported("strings cannot be updated in place")
        dtype = _values.dtype_of(elem_type)
        if np_arr.dtype != dtype or np_arr.shape != self._value.shape:
            raise InvalidArgument(f"expected {dtype} {self.shape()}, got {np_arr.dtype} {list(np_arr.shape)}")
        if elem_type >= _values.FIRST_OF_ML_DTYPES:
            np_arr = _values.to_storage(np.ascontiguousarray(np_arr), elem_type)
        mine = self._value.array()
        mine[...] = np_arr.view(mine.dtype)

    def shape(self):
        return list(self._value.shape)

    def element_type(self):
        """The onnx.TensorProto.DataType."""
        return self._value.elem_type

    def data_type(self):
        """'tensor(float)'."""
        return _values.type_name(self._value.elem_type) if self.is_tensor() else None

    def data_ptr(self):
        return self._value.data_ptr

    def device_name(self):
        return "cpu"

    def has_value(self):
        return self._value.kind != _values.NONE

    def is_tensor(self):
        return self._value.kind == _values.TENSOR

    def is_tensor_sequence(self):
        return self._value.kind == _values.SEQUENCE


class IOBinding:
    """Inputs and outputs kept for several runs. Bound outputs are written in place."""

    def __init__(self, session):
        self._session = session
        self._types = {info.name: info.type for info in session.get_inputs()}
        self._inputs = {}
        self._outputs = {}
        self._results = {}

    def bind_cpu_input(self, name, arr_on_cpu):
        self._inputs[name] = OrtValue(_values.to_value(arr_on_cpu, self._types.get(name, "tensor()")))

    def bind_ortvalue_input(self, name, ortvalue):
        self._inputs[name] = ortvalue

    def bind_output(self, name, device_type="cpu", device_id=0, element_type=None, shape=None, buffer_ptr=None):
        """Asks for an output, allocated by each run."""
        _check_cpu(device_type)
        if buffer_ptr is not None:
            raise Unsupported("bind_output with buffer_ptr; use bind_ortvalue_output")
        self._outputs[name] = None

    def bind_ortvalue_output(self, name, ortvalue):
        """Asks for an output in the memory of `ortvalue`, which must fit."""
        self._outputs[name] = ortvalue

    def synchronize_inputs(self):
        """Nothing to wait for: all memory is the CPU's."""

    def synchronize_outputs(self):
        """Nothing to wait for: all memory is the CPU's."""

    def get_outputs(self):
        return [self._results[name] for name in self._outputs]

    def copy_outputs_to_cpu(self):
        return [value.to_object() for value in self.get_outputs()]

    def clear_binding_inputs(self):
        self._inputs.clear()

    def clear_binding_outputs(self):
        self._outputs.clear()
        self._results.clear()
