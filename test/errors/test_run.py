"""Wrong inputs to a compiled model, and files that are no compiled model: an exception or a
non-zero exit, never a crash, and the session stays usable."""

import numpy as np
import pytest
from conftest import addModel

GOOD = np.ones((2, 4), np.float32)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    from conftest import Compiler

    compiler = Compiler(tmp_path_factory.mktemp("model"))
    return compiler.accepts(compiler.write(addModel()))


@pytest.fixture
def session(library):
    import onnxc

    session = onnxc.InferenceSession(str(library))
    yield session
    (result,) = session.run(None, {"x": GOOD})
    np.testing.assert_array_equal(result, GOOD + np.arange(4, dtype=np.float32))


@pytest.mark.parametrize(
    "feed, says",
    [
        ({"wrong": GOOD}, "wrong|x"),
        ({}, "x"),
        ({"x": GOOD, "more": GOOD}, "more"),
        ({"x": GOOD.astype(np.float64)}, "x"),
        ({"x": GOOD.astype(np.int32)}, "x"),
        ({"x": np.array([["a"] * 4], dtype=object)}, "x"),
        ({"x": GOOD[0]}, "x"),
        ({"x": GOOD[None]}, "x"),
        ({"x": np.ones((2, 5), np.float32)}, "x"),
        ({"x": np.ones((2, 0), np.float32)}, "x"),
        ({"x": None}, "x"),
        ({"x": [GOOD, GOOD]}, "x"),
    ],
    ids=[
        "name", "missing", "more", "double", "int", "string", "lower-rank", "higher-rank", "size", "zero", "none", "list",
    ],
)
def testWrongInput(session, feed, says):
    with pytest.raises(Exception, match=says):
        session.run(None, feed)


def testUnknownOutput(session):
    with pytest.raises(Exception, match="nothing"):
        session.run(["nothing"], {"x": GOOD})


def testEmptyBatch(session):
    (result,) = session.run(None, {"x": np.ones((0, 4), np.float32)})
    assert result.shape == (0, 4)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x7fELF" + b"\0" * 200])
def testNoSharedObject(tmp_path, content):
    import onnxc

    path = tmp_path / "model.so"
    path.write_bytes(content)
    with pytest.raises(Exception, match="model.so"):
        onnxc.InferenceSession(str(path))


def testTruncatedSharedObject(tmp_path, library):
    """The loader must refuse what the dynamic linker would crash on."""
    import onnxc

    data = library.read_bytes()
    path = tmp_path / "cut.so"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Exception, match="cut.so"):
        onnxc.InferenceSession(str(path))


def testAnotherSharedObject():
    import ctypes.util

    import onnxc

    with pytest.raises(Exception):
        onnxc.InferenceSession(ctypes.util.find_library("z") or "libz.so.1")


def testMissingSharedObject(tmp_path):
    import onnxc

    with pytest.raises(Exception, match="absent"):
        onnxc.InferenceSession(str(tmp_path / "absent.so"))
