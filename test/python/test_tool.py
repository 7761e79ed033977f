"""onnxc run and onnxc inspect on models that need no compiler."""

import json
import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import onnx
import pytest
from conftest import BUILD
from onnx import helper, numpy_helper
from test_values import NUMPY

TOOL = BUILD / "bin" / "onnxc"


@pytest.fixture(scope="module", autouse=True)
def tool():
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is not built")


def call(*args, status=0):
    done = subprocess.run([TOOL, *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def writeInputs(folder):
    """One input for each of Identity's, and what they hold."""
    arrays = {}
    for name, dtype in NUMPY.items():
        values = np.array([[1, 0, 1]]) if name != "int4" else np.array([[-8, 7, -1]])
        arrays[name] = values.astype(dtype)
    arrays["string"] = np.array([["a", "", "ü"]], object)
    order = [*list(NUMPY)[:7], "string", *list(NUMPY)[7:]]
    protos = [numpy_helper.from_array(arrays[name], name) for name in order]
    for i, proto in enumerate(protos):
        # Both forms that a TensorProto has for numbers.
        if i % 2 and proto.raw_data and proto.data_type not in (
            onnx.TensorProto.FLOAT8E8M0, onnx.TensorProto.UINT2, onnx.TensorProto.INT2,
        ):  # fmt: skip
            proto = helper.make_tensor(proto.name, proto.data_type, proto.dims, arrays[proto.name].ravel().tolist())
        (folder / f"input_{i}.pb").write_bytes(proto.SerializeToString())
    floats = [np.ones((2, 1), np.float32), np.zeros(0, np.float32)]
    sequences = [
        numpy_helper.from_list(floats, "seq_float"),
        numpy_helper.from_list([np.array(["x"], object)], "seq_string", onnx.SequenceProto.TENSOR),
        onnx.SequenceProto(name="seq_seq", elem_type=onnx.SequenceProto.SEQUENCE),
        onnx.SequenceProto(name="seq_map", elem_type=onnx.SequenceProto.MAP),
    ]
    for i, proto in enumerate(sequences):
        (folder / f"input_{26 + i}.pb").write_bytes(proto.SerializeToString())
    return order, arrays, floats


def testMapsCannotBeRead(handWritten, tmp_path):
    writeInputs(tmp_path)
    assert "'map'" in call("run", handWritten("Identity"), "--inputs", tmp_path, status=1)


@pytest.fixture(scope="module")
def files(handWritten, tmp_path_factory):
    """Inputs of the model Files: Identity without maps."""
    folder = tmp_path_factory.mktemp("inputs")
    return handWritten("Files"), folder, *writeInputs(folder)


def testEveryTypeThroughPb(files, tmp_path):
    model, folder, order, arrays, floats = files
    call("run", model, "--inputs", folder, "--output-dir", tmp_path)
    for i, name in enumerate(order):
        proto = onnx.TensorProto.FromString((tmp_path / f"output_{i}.pb").read_bytes())
        assert proto.name == name
        result = numpy_helper.to_array(proto)
        if name == "string":
            assert [[s.decode() for s in row] for row in np.char.encode(result.astype(str), "utf-8")] == arrays[name].tolist()
            continue
        assert result.dtype == arrays[name].dtype
        assert result.tobytes() == arrays[name].tobytes(), name
    sequence = onnx.SequenceProto.FromString((tmp_path / "output_26.pb").read_bytes())
    for want, got in zip(floats, numpy_helper.to_list(sequence), strict=True):
        np.testing.assert_array_equal(got, want)


def testEveryTypeThroughNpy(files, tmp_path):
    model, folder, order, arrays, _ = files
    inputs = []
    for i, name in enumerate(order):
        value = arrays[name].astype(str) if name == "string" else arrays[name]
        path = tmp_path / f"{name}.npy"
        np.save(path, np.asfortranarray(np.repeat(value, 2, 0)) if i % 2 else np.repeat(value, 2, 0))
        inputs += ["--input", f"{name}={path}"]
    # Sequences can't be saved as .npy, the tensors before them can.
    error = call("run", model, *inputs, "--inputs", folder, "--output-dir", tmp_path, "--format=npy", status=1)
    assert "output_26.npy" in error and ".pb" in error
    for i, name in enumerate(order):
        result = np.load(tmp_path / f"output_{i}.npy")
        want = np.repeat(arrays[name], 2, 0)
        if name == "string":
            assert result.tolist() == want.tolist()
        else:
            assert result.view(want.dtype).tobytes() == want.tobytes(), name


def testRandom(handWritten):
    model = handWritten("Features")
    output = call("run", model, "--random", "--dim", "N=3")
    assert "doubled: float[3,3]" in output and "t: string[3]" in output
    assert output == call("run", model, "--random", "--dim=N=3", "--threads=1")
    assert output != call("run", model, "--random", "--dim=N=3", "--seed=1")
    assert "median" in call("run", model, "--random", "--repeat", "3", "--warmup", "0")


@pytest.mark.parametrize(
    "args, status, says",
    [
        (["--random", "--nonsense", "1"], 2, "--nonsense"),
        (["--random", "--threads", "many"], 2, "--threads"),
        (["--random", "--repeat"], 2, "--repeat"),
        ([], 1, "'a'"),
        (["--input", "a=/nowhere.npy"], 1, "/nowhere.npy"),
        (["--random", "--input", "x=/nowhere.npy"], 1, "'x'"),
        (["--random", "--output-dir", "/proc/nowhere"], 1, "/proc/nowhere"),
        (["--random", "--dim", "N=99999999999999999"], 1, "'a'"),
    ],
)
def testWrongUse(handWritten, args, status, says):
    assert says in call("run", handWritten("Features"), *args, status=status)


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.pb", b"garbage that is no message at all"),
        ("a.pb", numpy_helper.from_array(np.ones((2, 3), np.float32)).SerializeToString()[:-4]),
        ("a.pb", onnx.TensorProto(data_type=1, dims=[2, 3], raw_data=b"xx").SerializeToString()),
        ("a.pb", onnx.TensorProto(data_type=1, dims=[1 << 40, 1 << 40]).SerializeToString()),
        ("a.pb", onnx.TensorProto(data_type=99, dims=[1]).SerializeToString()),
        ("a.pb", onnx.TensorProto(data_type=1, dims=[-1]).SerializeToString()),
        ("a.npy", b""),
        ("a.npy", b"\x93NUMPY\x01\x00\xff\xff{}"),
        ("a.npy", b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (9, 3), }".ljust(64)),
        ("a.npy", b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(64)),
        ("a.txt", b"1"),
    ],
)  # fmt: skip
def testBadFiles(handWritten, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert name in call("run", handWritten("Features"), "--random", "--input", f"a={path}", status=1)


def testTheModuleIsTheCommand(handWritten):
    environment = dict(os.environ, PYTHONPATH=str(BUILD / "python"))
    command = [sys.executable, "-m", "onnxc", "inspect", handWritten("Features")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0 and "doubled: tensor(float)" in done.stdout, done.stderr


def testInspectSharedObject(handWritten):
    text = call("inspect", handWritten("Features"))
    assert "a: tensor(float) [N,3]" in text and "ai.onnx 21" in text and "x86_64-linux-gnu" in text
    data = json.loads(call("inspect", "--json", handWritten("Features")))
    assert data["inputs"][0]["shape"] == ["N", 3]
    assert data["planned_memory"]["arena_bytes"] == 64


def testInspectOnnx(tmp_path):
    weights = numpy_helper.from_array(np.ones((3, 5), ml_dtypes.bfloat16), "w")
    tensor = helper.make_tensor_value_info
    optional = helper.make_optional_type_proto(
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(onnx.TensorProto.INT64, None))
    )
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Foo", ["y"], ["z"], domain="my")],
            "graph",
            [tensor("x", 16, ["batch", None, 3]), tensor("w", 16, [3, 5]), helper.make_value_info("o", optional)],
            [tensor("z", 16, None)],
            [weights],
        ),
        producer_name="me",
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("my", 1)],
    )
    helper.set_model_props(model, {"author": "nobody"})
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    data = json.loads(call("inspect", "--json", path))
    assert data["inputs"] == [
        {"name": "x", "type": "tensor(bfloat16)", "shape": ["batch", None, 3]},
        {"name": "o", "type": "optional(seq(tensor(int64)))", "shape": None},
    ]
    assert data["outputs"][0]["shape"] is None
    assert data["operators"] == {"MatMul": 1, "my.Foo": 1}
    assert (data["weights_bytes"], data["producer"]) == (30, "me")
    assert data["opsets"] == {"ai.onnx": 21, "my": 1} and data["metadata_props"] == {"author": "nobody"}
    assert "MatMul 1, my.Foo 1" in call("inspect", path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x3a\xff\xff\xff\xff\x0f"])
def testInspectGarbage(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert "model.onnx" in call("inspect", path, status=1)
    assert "absent" in call("inspect", tmp_path / "absent.onnx", status=1)
