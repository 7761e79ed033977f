"""onnxc.compile, sessions on ONNX models, and onnxc.backend, against ONNX Runtime and NumPy."""

import os
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import BUILD
from onnx import parser

import onnxc
import onnxc.backend

MODEL = """
<ir_version: 10, opset_import: ["" : 21], producer_name: "test">
graph (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>
{
  product = MatMul (x, w)
  y = Relu (product)
}
"""
X = np.array([[1, -2, 3, -4], [0, 1, 0, -1]], np.float32)


@pytest.fixture(scope="module", autouse=True)
def compiler():
    if not (BUILD / "lib" / "libonnxc.so").exists():
        pytest.skip("the compiler is not built")


@pytest.fixture(scope="module")
def model():
    return parser.parse_model(MODEL)


@pytest.fixture(scope="module")
def expected(model):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": X})


def check(session, expected):
    np.testing.assert_allclose(session.run(None, {"x": X})[0], expected[0], rtol=1e-6)


def testCompileFromPathBytesAndModel(model, expected, tmp_path):
    onnx.save(model, tmp_path / "m.onnx")
    assert onnxc.compile(tmp_path / "m.onnx") == str(tmp_path / "m.so")
    check(onnxc.InferenceSession(tmp_path / "m.so"), expected)
    for i, source in enumerate((str(tmp_path / "m.onnx"), model.SerializeToString(), model)):
        output = str(tmp_path / f"{i}.so")
        assert onnxc.compile(source, output) == output
        check(onnxc.InferenceSession(output), expected)


def testTextFormat(expected, tmp_path):
    (tmp_path / "m.onnxtxt").write_text(MODEL)
    check(onnxc.InferenceSession(onnxc.compile(tmp_path / "m.onnxtxt")), expected)


def testOptions(model, expected, tmp_path):
    output = str(tmp_path / "m.so")
    onnxc.compile(model, output, O=0, march="x86-64-v2", dim={"N": 2})
    session = onnxc.InferenceSession(output)
    assert session.get_inputs()[0].shape == [2, 4]
    check(session, expected)
    onnxc.compile(model, output, shape={"x": [2, 4]})
    assert onnxc.InferenceSession(output).get_inputs()[0].shape == [2, 4]
    os.remove(output)
    for wrong in ({"nonsense": 1}, {"O": "fast"}, {"march": "nonsense"}, {"dim": "N"}):
        with pytest.raises(onnxc.CompileError):
            onnxc.compile(model, output, **wrong)
        assert not os.path.exists(output)


def testMetadata(model):
    meta = onnxc.InferenceSession(model).get_modelmeta()
    assert (meta.producer_name, meta.graph_name, meta.opsets) == ("test", "graph", {"ai.onnx": 21})


def testErrors(model, tmp_path):
    output = tmp_path / "m.so"
    broken = onnx.ModelProto.FromString(model.SerializeToString())
    broken.graph.node[0].op_type = "Nonsense"
    with pytest.raises(onnxc.CompileError, match="Nonsense") as caught:
        onnxc.compile(broken, output)
    assert caught.value.diagnostics[0][0] == "error"
    assert not output.exists()
    for data in (b"", b"garbage"):
        with pytest.raises(onnxc.CompileError):
            onnxc.compile(data, output)
        with pytest.raises(onnxc.CompileError):
            onnxc.InferenceSession(data)
    with pytest.raises(onnxc.CompileError, match="absent"):
        onnxc.compile(tmp_path / "absent.onnx", output)
    with pytest.raises(onnxc.CompileError, match="nowhere"):
        onnxc.compile(model, tmp_path / "nowhere" / "m.so")
    with pytest.raises(onnxc.InvalidArgument):
        onnxc.compile(3)


def testSessionOnOnnx(model, expected, tmp_path):
    onnx.save(model, tmp_path / "m.onnx")
    options = onnxc.SessionOptions()
    options.graph_optimization_level = onnxc.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_free_dimension_override_by_name("N", 2)
    for source in (str(tmp_path / "m.onnx"), model.SerializeToString(), model):
        check(onnxc.InferenceSession(source), expected)
        session = onnxc.InferenceSession(source, options)
        assert session.get_inputs()[0].shape == [2, 4]
        check(session, expected)
    assert os.listdir(tmp_path) == ["m.onnx"]


def testCache(model, expected, tmp_path):
    cache = tmp_path / "cache"
    options = onnxc.SessionOptions()
    options.add_session_config_entry("onnxc.cache_dir", cache)
    check(onnxc.InferenceSession(model, options), expected)
    (first,) = cache.iterdir()
    stamp = first.stat().st_mtime_ns
    check(onnxc.InferenceSession(model, options), expected)
    assert [p.stat().st_mtime_ns for p in cache.iterdir()] == [stamp]
    options.add_session_config_entry("onnxc.O", "0")
    check(onnxc.InferenceSession(model, options), expected)
    assert len(list(cache.iterdir())) == 2


def testCompilingReleasesTheGilAndMayOverlap(model, expected, tmp_path):
    problems = []

    def work(i):
        try:
            check(onnxc.InferenceSession(onnxc.compile(model, tmp_path / f"{i}.so")), expected)
        except Exception as error:  # told by the main thread
            problems.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def testBackend(model, expected):
    assert onnxc.backend.supports_device("CPU") and onnxc.backend.supports_device("CPU:0")
    assert not onnxc.backend.supports_device("CUDA")
    assert onnxc.backend.is_compatible(model)
    rep = onnxc.backend.prepare(model)
    for inputs in ([X], X, {"x": X}):
        np.testing.assert_allclose(rep.run(inputs)[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(onnxc.backend.run_model(model, [X])[0], expected[0], rtol=1e-6)
    with pytest.raises(onnxc.InvalidArgument):
        rep.run([X, X])
    with pytest.raises(onnxc.Unsupported):
        onnxc.backend.prepare(model, "CUDA")


def testBackendRunNode():
    node = onnx.helper.make_node("Add", ["a", "b"], ["c"])
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(onnxc.backend.run_node(node, [a, a])[0], a + a)
    (scalar,) = onnxc.backend.run_node(node, [np.float32(1), np.float32(2)])
    assert scalar.shape == () and scalar == 3
    b = a.astype(ml_dtypes.bfloat16)
    (result,) = onnxc.backend.run_node(node, [b, b], outputs_info=[(b.dtype, b.shape)])
    assert result.dtype == b.dtype and (result == b + b).all()


def testManyModelsLeaveNothingBehind(model, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def resources():
        return len(os.listdir("/proc/self/fd")), Path("/proc/self/maps").read_text().count("model.so")

    onnxc.backend.prepare(model).run([X])
    before = resources()
    for _ in range(5):
        onnxc.backend.prepare(model).run([X])
    assert resources() == before
    assert os.listdir(tmp_path) == []
