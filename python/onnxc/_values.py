"""Between Python's objects and the runtime's values.

Tensors of numbers are shared, not copied, where they are contiguous and aligned.
Element types are known by their onnx.TensorProto.DataType number.
"""

import numpy as np

from ._onnxc import Value
from .errors import InvalidArgument

STRING = 8
NONE, TENSOR, SEQUENCE, MAP = range(4)

# ONNX's name, then NumPy's or ml_dtypes', by number.
_TYPES = [
    None,
    ("float", "float32"),
    ("uint8", "uint8"),
    ("int8", "int8"),
    ("uint16", "uint16"),
    ("int16", "int16"),
    ("int32", "int32"),
    ("int64", "int64"),
    ("string", None),
    ("bool", "bool"),
    ("float16", "float16"),
    ("double", "float64"),
    ("uint32", "uint32"),
    ("uint64", "uint64"),
    ("complex64", "complex64"),
    ("complex128", "complex128"),
    ("bfloat16", "bfloat16"),
    ("float8e4m3fn", "float8_e4m3fn"),
    ("float8e4m3fnuz", "float8_e4m3fnuz"),
    ("float8e5m2", "float8_e5m2"),
    ("float8e5m2fnuz", "float8_e5m2fnuz"),
    ("uint4", "uint4"),
    ("int4", "int4"),
    ("float4e2m1", "float4_e2m1fn"),
    ("float8e8m0", "float8_e8m0fnu"),
    ("uint2", "uint2"),
    ("int2", "int2"),
]
FIRST_OF_ML_DTYPES = 16

ELEM_TYPES = {row[0]: number for number, row in enumerate(_TYPES) if row}
_BY_DTYPE_NAME = {row[1]: number for number, row in enumerate(_TYPES) if row and row[1]}
_BY_DTYPE = {np.dtype(row[1]): n for n, row in enumerate(_TYPES) if row and row[1] and n < FIRST_OF_ML_DTYPES}


def type_name(elem_type):
    """"tensor(float)" for 1."""
    return f"tensor({_TYPES[elem_type][0]})"


def dtype_of(elem_type):
    """NumPy's dtype for an element type; ml_dtypes' for those that NumPy lacks."""
    if elem_type == STRING:
        return np.dtype(object)
    if elem_type >= FIRST_OF_ML_DTYPES:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, _TYPES[elem_type][1]))
    return np.dtype(_TYPES[elem_type][1])


def elem_type_of(dtype):
    """The element type of a NumPy dtype; raises InvalidArgument if ONNX has none."""
    found = _BY_DTYPE.get(dtype)
    if found is None:
        found = STRING if dtype.kind in "OUST" else _BY_DTYPE_NAME.get(dtype.name)
    if found is None:
        raise InvalidArgument(f"ONNX has no element type for NumPy's {dtype}")
    return found


_SIGNED_BELOW_A_BYTE = {ELEM_TYPES["int4"], ELEM_TYPES["int2"]}


def to_storage(array, elem_type):
    """An array of ml_dtypes as integers that hold what the runtime does. Below a byte ml_dtypes
    ignores the upper bits, the runtime wants them sign- or zero-extended."""
    if elem_type in _SIGNED_BELOW_A_BYTE:
        return array.astype(np.int8)
    if elem_type in (ELEM_TYPES["uint4"], ELEM_TYPES["uint2"]):
        return array.astype(np.uint8)
    raw = array.view(f"u{array.itemsize}")
    return raw & 0x0F if elem_type == ELEM_TYPES["float4e2m1"] else raw


def from_storage(raw, elem_type):
    """The reverse; a copy for signed types below a byte, else the same memory."""
    dtype = dtype_of(elem_type)
    return raw.view(np.int8).astype(dtype) if elem_type in _SIGNED_BELOW_A_BYTE else raw.view(dtype)


def tensor_from_array(array):
    elem_type = _BY_DTYPE.get(array.dtype)
    if elem_type is not None:  # of native byte order
        try:
            return Value.from_buffer(array, elem_type)
        except ValueError:  # not contiguous, or not aligned
            return Value.from_buffer(np.require(array, None, ["C", "A"]), elem_type)
    elem_type = elem_type_of(array.dtype)
    if elem_type == STRING:
        return Value.from_strings(array.ravel().tolist(), list(array.shape))
    array = np.require(array, array.dtype.newbyteorder("="), ["C", "A"])
    if elem_type >= FIRST_OF_ML_DTYPES:
        array = to_storage(array, elem_type)
    return Value.from_buffer(array, elem_type)


def _tensor(obj, expected):
    if isinstance(obj, np.ndarray):
        return tensor_from_array(obj)
    if isinstance(obj, np.generic):
        return tensor_from_array(np.asarray(obj))
    if hasattr(obj, "__dlpack__"):
        return Value.from_dlpack(obj)
    if isinstance(obj, (bool, int, float, complex, str)):
        elem_type = ELEM_TYPES.get(expected[len("tensor(") : -1], 0)
        try:
            return tensor_from_array(np.asarray(obj, dtype_of(elem_type)) if elem_type else np.asarray(obj))
        except (ValueError, OverflowError) as error:
            raise InvalidArgument(f"expected {expected}: {error}") from None
    if isinstance(obj, bytes) and expected == "tensor(string)":
        return tensor_from_array(np.asarray(obj, object))
    if hasattr(obj, "__array__"):
        return tensor_from_array(np.asarray(obj))
    try:
        view = memoryview(obj)
    except TypeError:
        raise InvalidArgument(
            f"expected {expected}: an array, or an object with __dlpack__ or the buffer protocol, got {type(obj).__name__}"
        ) from None
    return tensor_from_array(np.asarray(view))


def _inside(type_):
    return type_[type_.index("(") + 1 : -1]


def to_value(obj, type_):
    """A value for an input of the given ONNX type."""
    if type(obj) is np.ndarray and type_.startswith("tensor("):
        return tensor_from_array(obj)
    if isinstance(obj, Value):
        return obj
    value = getattr(obj, "_value", None)
    if isinstance(value, Value):  # an OrtValue
        return value
    if type_.startswith("optional("):
        return Value() if obj is None else to_value(obj, _inside(type_))
    if obj is None:
        return Value()
    if type_.startswith("seq("):
        if isinstance(obj, (str, bytes, dict)) or not hasattr(obj, "__iter__"):
            raise InvalidArgument(f"expected {type_}: a list, got {type(obj).__name__}")
        return Value.sequence([to_value(item, _inside(type_)) for item in obj])
    if type_.startswith("map("):
        if not isinstance(obj, dict):
            raise InvalidArgument(f"expected {type_}: a dict, got {type(obj).__name__}")
        key, item = _inside(type_).split(",", 1)
        if item.startswith("tensor("):
            item = _inside(item)
        try:
            keys, values = (
                np.asarray(list(part), dtype_of(ELEM_TYPES[name]))
                for part, name in ((obj.keys(), key), (obj.values(), item))
            )
        except (KeyError, ValueError, TypeError, OverflowError) as error:
            raise InvalidArgument(f"expected {type_}: {error}") from None
        return Value.map(tensor_from_array(keys), tensor_from_array(values))
    return _tensor(obj, type_)


def from_value(value):
    """Arrays for tensors, lists for sequences, dicts for maps, None for absent optionals."""
    kind = value.kind
    if kind == TENSOR:
        elem_type = value.elem_type
        if elem_type == STRING:
            array = np.empty(value.shape, object)
            value.put_strings(array)
            return array
        array = value.array()
        return from_storage(array, elem_type) if elem_type >= FIRST_OF_ML_DTYPES else array
    if kind == SEQUENCE:
        dicts = value.dicts()
        if dicts is not None:
            return dicts
        return [from_value(item) for item in value.items]
    if kind == MAP:
        keys, values = (from_value(item).tolist() for item in value.items)
        return dict(zip(keys, values, strict=True))
    return None
