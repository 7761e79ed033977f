"""Values of every type through a model that gives its inputs back."""

import gc

import ml_dtypes
import numpy as np
import pytest

import onnxc

NUMPY = {
    "float": np.float32, "uint8": np.uint8, "int8": np.int8, "uint16": np.uint16, "int16": np.int16,
    "int32": np.int32, "int64": np.int64, "bool": np.bool_, "float16": np.float16, "double": np.float64,
    "uint32": np.uint32, "uint64": np.uint64, "complex64": np.complex64, "complex128": np.complex128,
    "bfloat16": ml_dtypes.bfloat16, "float8e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "float8e5m2": ml_dtypes.float8_e5m2,
    "float8e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "uint4": ml_dtypes.uint4, "int4": ml_dtypes.int4,
    "float4e2m1": ml_dtypes.float4_e2m1fn, "float8e8m0": ml_dtypes.float8_e8m0fnu,
    "uint2": ml_dtypes.uint2, "int2": ml_dtypes.int2,
}  # fmt: skip


@pytest.fixture(scope="module")
def session(handWritten):
    return onnxc.InferenceSession(handWritten("Identity"))


def feedOf(**changes):
    feed = {name: np.array([[1, 0, 1]]).astype(dtype) for name, dtype in NUMPY.items()}
    feed["string"] = np.array([["a", "", "ü"]], object)
    feed["seq_float"] = [np.ones((2, 1), np.float32), np.zeros((), np.float32)]
    feed["seq_string"] = [np.array(["x"], object)]
    feed["seq_seq"] = [[np.array([1, 2])], []]
    feed["seq_map"] = [{"a": 0.5, "b": 0.25}, {}]
    feed["map"] = {3: "three", -1: ""}
    feed["optional"] = np.array([2], np.float32)
    feed["optional_seq"] = None
    return feed | changes


def run(session, name, value):
    return session.run([name], feedOf(**{name: value}))[0]


@pytest.mark.parametrize("name", NUMPY)
def testTensor(session, name):
    value = np.array([[1, 0], [0, 1], [1, 1]]).astype(NUMPY[name])
    result = run(session, name, value)
    assert result.dtype == value.dtype
    assert result.tobytes() == value.tobytes()
    assert run(session, name, np.zeros((0, 4), NUMPY[name])).shape == (0, 4)


@pytest.mark.parametrize("name", ["int4", "int2", "uint4", "uint2", "float4e2m1"])
def testBelowAByteTheRuntimeExtends(name):
    """The runtime reads whole bytes, ml_dtypes only the lower bits."""
    values = np.array([-2, -1, 1]) if name[0] == "i" else np.array([1, 2, 3])
    array = values.astype(NUMPY[name])
    value = onnxc.OrtValue.ortvalue_from_numpy(array)
    stored = value._value.array()
    if name.startswith("float"):
        assert (stored == array.view(np.uint8)).all()
        stray = (array.view(np.uint8) | 0xF0).view(array.dtype)
        assert (onnxc.OrtValue.ortvalue_from_numpy(stray)._value.array() == array.view(np.uint8)).all()
    else:
        assert stored.view(np.int8).tolist() == values.tolist()
    assert value.numpy().tobytes() == array.tobytes()
    value.update_inplace(array[::-1])
    assert value.numpy().tobytes() == array[::-1].tobytes()


def testTypesInTheSignature(session):
    assert [i.type for i in session.get_inputs()][:26] == [
        f"tensor({name})" for name in [*list(NUMPY)[:7], "string", *list(NUMPY)[7:]]
    ]


@pytest.mark.parametrize(
    "value",
    [
        np.array([["a", "bc"]], object),
        np.array([["a", "bc"]]),
        np.array([[b"a", b"bc"]]),
        np.array([["a", b"bc"]], object),
    ],
    ids=["object", "str", "bytes", "mixed"],
)
def testStrings(session, value):
    result = run(session, "string", value)
    assert result.dtype == object
    assert result.tolist() == [["a", "bc"]]


def testStringsThatAreNotUtf8(session):
    raw = b"\xff\x00z"
    result = run(session, "string", np.array([[raw]], object))
    assert result[0, 0].encode("utf-8", "surrogateescape") == raw
    assert run(session, "string", result)[0, 0] == result[0, 0]


def testOtherKinds(session):
    feed = feedOf()
    names = ["seq_float", "seq_string", "seq_seq", "seq_map", "map", "optional", "optional_seq"]
    found = dict(zip(names, session.run(names, feed), strict=True))
    assert [v.shape for v in found["seq_float"]] == [(2, 1), ()]
    assert found["seq_string"][0].tolist() == ["x"]
    assert found["seq_seq"][0][0].tolist() == [1, 2] and found["seq_seq"][1] == []
    assert found["seq_map"] == [{"a": 0.5, "b": 0.25}, {}]
    assert found["map"] == {3: "three", -1: ""}
    assert found["optional"].tolist() == [2]
    assert found["optional_seq"] is None
    feed["optional_seq"] = [np.ones(3, np.float32)]
    del feed["optional"]
    absent, present = session.run(["optional", "optional_seq"], feed)
    assert absent is None and present[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "name, value",
    [
        ("seq_float", np.ones(3, np.float32)[0]),
        ("seq_float", [np.ones(3)]),
        ("seq_string", "text"),
        ("map", [1, 2]),
        ("map", {"a": "b"}),
        ("map", {1: 2}),
        ("optional", "text"),
        ("float", [[1.0]]),
        ("float", object()),
        ("float", np.zeros((1, 1), "datetime64[s]")),
        ("string", np.array([[1, None]], object)),
    ],
)
def testWrongKind(session, name, value):
    with pytest.raises(onnxc.InvalidArgument, match=name.split("_")[0]):
        run(session, name, value)


def testLayouts(session):
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    swapped = base.astype(">f4")
    unaligned = np.frombuffer(b"\0" + base.tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 4)
    frozen = base.copy()
    frozen.setflags(write=False)
    for value in (base.T, base[::2, ::-1], swapped, unaligned, frozen, np.asfortranarray(base)):
        np.testing.assert_array_equal(run(session, "float", value), value)


class OnlyDLPack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OldDLPack(OnlyDLPack):
    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()


def testProtocols(session):
    base = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(run(session, "float", OnlyDLPack(base)), base)
    np.testing.assert_array_equal(run(session, "float", OnlyDLPack(base.T)), base.T)
    np.testing.assert_array_equal(run(session, "float", OldDLPack(base)), base)
    np.testing.assert_array_equal(run(session, "float", memoryview(base)), base)


def testOrtValueSharesMemory():
    array = np.zeros((2, 2), np.float32)
    value = onnxc.OrtValue.ortvalue_from_numpy(array)
    array[0, 1] = 5
    assert value.numpy()[0, 1] == 5
    assert value.numpy().__array_interface__["data"][0] == array.__array_interface__["data"][0]
    assert np.from_dlpack(value)[0, 1] == 5
    assert onnxc.OrtValue.from_dlpack(array).data_ptr() == value.data_ptr()
    value.update_inplace(np.ones((2, 2), np.float32))
    assert array.sum() == 4
    assert (value.shape(), value.element_type(), value.data_type()) == ([2, 2], 1, "tensor(float)")
    with pytest.raises(onnxc.InvalidArgument):
        value.update_inplace(np.ones(3, np.float32))
    made = onnxc.OrtValue.ortvalue_from_shape_and_type([3], np.int64)
    assert made.numpy().shape == (3,) and made.numpy().dtype == np.int64


def testArraysOutliveTheirValue():
    def make():
        return onnxc.OrtValue.ortvalue_from_numpy(np.full(1000, 7, np.int64)).numpy()

    kept = [make() for _ in range(100)]
    gc.collect()
    assert all((array == 7).all() for array in kept)
