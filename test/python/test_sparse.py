"""Sparse initializers and constants, which ONNX's text format has no form for, against onnx's reference evaluator."""

import numpy as np
import onnx
import onnxc
import pytest
from conftest import BUILD
from onnx import TensorProto, helper


@pytest.fixture(autouse=True)
def compiler():
    if not (BUILD / "lib" / "libonnxc.so").exists():
        pytest.skip("the compiler is not built")


def sparse(name, values, indices, dims, type=TensorProto.FLOAT):
    indices = np.asarray(indices)
    return helper.make_sparse_tensor(
        helper.make_tensor(name, type, [len(values)], values),
        helper.make_tensor(f"{name}_indices", TensorProto.INT64, indices.shape, indices.flatten()),
        dims,
    )


def dense(values, indices, dims, dtype=np.float32):
    result = np.zeros(dims, dtype)
    for value, index in zip(values, indices):
        result[tuple(index) if np.ndim(index) else np.unravel_index(index, dims)] = value
    return result


def run(model, path, **inputs):
    onnx.checker.check_model(model)
    onnxc.compile(model, str(path / "model.so"))
    return onnxc.InferenceSession(str(path / "model.so")).run(None, inputs)


def model(nodes, inputs, outputs, sparseInitializers=()):
    graph = helper.make_graph(nodes, "sparse", inputs, outputs, sparse_initializer=list(sparseInitializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
VALUES = [1.5, -2.0, 4.0]


@pytest.mark.parametrize("indices", [[0, 5, 10], [[0, 0], [1, 2], [3, 1]]], ids=["linear", "coordinates"])
def test_initializer(tmp_path, indices):
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    weights = sparse("w", VALUES, indices, [4, 3])
    (y,) = run(model([helper.make_node("MatMul", ["x", "w"], ["y"])], [X], [Y], [weights]), tmp_path, x=x)
    np.testing.assert_allclose(y, x @ dense(VALUES, indices, (4, 3)), rtol=1e-6)


def test_initializer_without_values(tmp_path):
    x = np.ones((1, 4), np.float32)
    weights = sparse("w", [], np.zeros((0,), np.int64), [4, 3])
    (y,) = run(model([helper.make_node("MatMul", ["x", "w"], ["y"])], [X], [Y], [weights]), tmp_path, x=x)
    np.testing.assert_array_equal(y, np.zeros((1, 3)))


def test_integers_that_shape(tmp_path):
    """A sparse shape: its zeros are copied sizes."""
    x = np.arange(24, dtype=np.float32).reshape(2, 12)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 12])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4, 3])
    shape = sparse("s", [4, 3], [1, 2], [3], TensorProto.INT64)
    (y,) = run(model([helper.make_node("Reshape", ["x", "s"], ["y"])], [value], [result], [shape]), tmp_path, x=x)
    np.testing.assert_array_equal(y, x.reshape(2, 4, 3))


def test_constant(tmp_path):
    x = np.ones((2, 4), np.float32)
    nodes = [
        helper.make_node("Constant", [], ["w"], sparse_value=sparse("w", VALUES, [2, 3, 11], [4, 3])),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    (y,) = run(model(nodes, [X], [Y]), tmp_path, x=x)
    np.testing.assert_allclose(y, x @ dense(VALUES, [2, 3, 11], (4, 3)), rtol=1e-6)


@pytest.mark.parametrize("indices", [[0, 5, 12], [-1, 5, 6], [[0, 0], [1, 2], [4, 0]]], ids=["past", "negative", "row"])
def test_positions_outside_are_refused(tmp_path, indices):
    weights = sparse("w", VALUES, indices, [4, 3])
    bad = model([helper.make_node("MatMul", ["x", "w"], ["y"])], [X], [Y], [weights])
    with pytest.raises(onnxc.CompileError, match="sparse|indices|index"):
        onnxc.compile(bad, str(tmp_path / "model.so"))
