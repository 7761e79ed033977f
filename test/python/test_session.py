"""InferenceSession over a model made by hand: signature, options, errors, threads."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import onnxc


def feedOf(n=2, start=1.0):
    return {
        "a": start + np.arange(3 * n, dtype=np.float32).reshape(n, 3),
        "b": np.zeros((n, 1), np.float32),
        "s": np.array(["text"] * n, object),
    }


@pytest.fixture(scope="module")
def path(handWritten):
    return handWritten("Features")


@pytest.fixture(scope="module")
def session(path):
    return onnxc.InferenceSession(path)


def testSignature(session):
    a = session.get_inputs()[0]
    assert (a.name, a.type, a.shape) == ("a", "tensor(float)", ["N", 3])
    assert session.get_inputs()[1].shape == ["N", None]
    assert session.get_outputs()[2].type == "seq(tensor(float))"
    meta = session.get_modelmeta()
    assert (meta.producer_name, meta.graph_name, meta.domain) == ("by hand", "features", "test")
    assert (meta.description, meta.version) == ("doubles", 7)
    assert meta.custom_metadata_map == {"author": "nobody"}
    assert session.get_providers() == ["CPUExecutionProvider"]


def testRun(session):
    doubled, text, both = session.run(None, feedOf())
    np.testing.assert_array_equal(doubled, 2 * feedOf()["a"])
    assert text.tolist() == ["text"] * 2
    np.testing.assert_array_equal(both[0], feedOf()["a"])
    assert [v.shape for v in session.run(["t", "doubled"], feedOf(4))] == [(4,), (4, 3)]
    assert session.run(["doubled"], feedOf(0))[0].shape == (0, 3)


@pytest.mark.parametrize("kind", [str, Path, lambda p: Path(p).read_bytes()], ids=["str", "path", "bytes"])
def testSources(path, kind):
    session = onnxc.InferenceSession(kind(path), providers=["CPUExecutionProvider"])
    assert session.run(["doubled"], feedOf())[0][0, 0] == 2


@pytest.mark.parametrize(
    "change, says",
    [
        ({"x": np.ones(3)}, "'x'.*'a', 'b', 's'"),
        ({"a": np.ones((2, 3))}, r"'a'.*tensor\(float\).*tensor\(double\)"),
        ({"a": np.ones(3, np.float32)}, "'a'.*rank 2.*rank 1"),
        ({"a": np.ones((2, 4), np.float32)}, r"'a'.*\[N,3\].*\[2,4\]"),
        ({"a": np.ones((5, 3), np.float32)}, "'N'"),
        ({"a": None}, "'a'"),
        ({"a": [1, 2]}, "'a'.*list"),
    ],
)
def testWrongInput(session, change, says):
    with pytest.raises(onnxc.InvalidArgument, match=says) as caught:
        session.run(None, feedOf() | change)
    assert isinstance(caught.value, (onnxc.Error, ValueError))
    session.run(None, feedOf())


def testWrongCalls(session):
    with pytest.raises(onnxc.InvalidArgument, match="'b'.*missing"):
        session.run(None, {"a": feedOf()["a"]})
    with pytest.raises(onnxc.InvalidArgument, match="'nothing'.*'doubled'"):
        session.run(["nothing"], feedOf())
    with pytest.raises(onnxc.InvalidArgument, match="dict"):
        session.run(None, [feedOf()["a"]])


def testFailureInTheModel(session):
    with pytest.raises(onnxc.ModelError, match="a begins with -1"):
        session.run(None, feedOf(1, start=-1))


def testTerminate(session):
    options = onnxc.RunOptions()
    timer = threading.Timer(0.05, lambda: setattr(options, "terminate", True))
    timer.start()
    with pytest.raises(onnxc.Cancelled):
        session.run(None, feedOf(1, start=-2), options)
    options.terminate = False
    session.run(None, feedOf(), options)


def testRunReleasesTheGil(session):
    options = onnxc.RunOptions()

    def work():
        with pytest.raises(onnxc.Cancelled):
            session.run(None, feedOf(1, start=-2), options)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.02)  # this thread goes on while the run waits
    assert thread.is_alive()
    options.terminate = True
    thread.join(10)
    assert not thread.is_alive()


def testManyThreads(session):
    problems = []

    def work(start):
        for _ in range(20):
            feed = feedOf(2000, start)
            if not (session.run(["doubled"], feed)[0] == 2 * feed["a"]).all():
                problems.append(start)

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def testIoBinding(session):
    binding = session.io_binding()
    for name, value in feedOf().items():
        binding.bind_cpu_input(name, value)
    buffer = np.zeros((2, 3), np.float32)
    binding.bind_ortvalue_output("doubled", onnxc.OrtValue.ortvalue_from_numpy(buffer))
    binding.bind_output("t")
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(buffer, 2 * feedOf()["a"])
    assert binding.copy_outputs_to_cpu()[1].tolist() == ["text"] * 2
    binding.bind_ortvalue_output("doubled", onnxc.OrtValue.ortvalue_from_numpy(np.zeros((3, 2), np.float32)))
    with pytest.raises(onnxc.InvalidArgument, match="doubled"):
        session.run_with_iobinding(binding)


def testRunAsync(session):
    done = threading.Event()
    found = []

    def callback(results, user, error):
        found.append((results, user, error))
        done.set()

    session.run_async(["doubled"], feedOf(), callback, "mine")
    assert done.wait(10)
    results, user, error = found[0]
    assert results[0][0, 0] == 2 and user == "mine" and error == ""


def testOptions(path):
    options = onnxc.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxc.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxc.InferenceSession(path, options)
    assert session.get_session_options() is options
    assert session.run(["doubled"], feedOf())[0][0, 0] == 2
    for wrong in (
        lambda: setattr(options, "intra_op_num_threads", -1),
        onnxc.InferenceSession(path).end_profiling,
        lambda: setattr(options, "execution_mode", onnxc.ExecutionMode.ORT_PARALLEL),
        lambda: options.add_session_config_entry("session.nonsense", "1"),
        lambda: options.add_free_dimension_override_by_name("N", -2),
        lambda: onnxc.InferenceSession(path, providers=["CUDAExecutionProvider"]),
        lambda: onnxc.InferenceSession(path, providers=[("CPUExecutionProvider", {"x": 1})]),
        lambda: onnxc.InferenceSession(path, nonsense=1),
    ):
        with pytest.raises((onnxc.InvalidArgument, onnxc.Unsupported)):
            wrong()
    options.add_free_dimension_override_by_name("N", 2)
    with pytest.raises(onnxc.Unsupported, match="dimensions"):
        onnxc.InferenceSession(path, options)
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        onnxc.InferenceSession(path, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x7fELF" + bytes(200), b"\x7fELF\x02" + b"\xff" * 300])
def testNoModel(tmp_path, content):
    file = tmp_path / "bad.so"
    file.write_bytes(content)
    with pytest.raises(onnxc.LoadError, match="bad.so"):
        onnxc.InferenceSession(file)


def testTruncated(tmp_path, path):
    data = Path(path).read_bytes()
    for size in (70, 1000, len(data) // 2):
        (tmp_path / "cut.so").write_bytes(data[:size])
        with pytest.raises(onnxc.LoadError, match="cut.so"):
            onnxc.InferenceSession(tmp_path / "cut.so")


def testOtherFiles(tmp_path, handWritten):
    with pytest.raises(onnxc.LoadError, match="absent.so"):
        onnxc.InferenceSession(tmp_path / "absent.so")
    with pytest.raises(onnxc.LoadError, match="absent.onnx"):
        onnxc.InferenceSession(tmp_path / "absent.onnx")
    with pytest.raises(onnxc.LoadError):
        onnxc.InferenceSession(tmp_path)
    with pytest.raises(onnxc.LoadError, match="onnxc_model_entry"):
        onnxc.InferenceSession(handWritten("NoEntry"))
    with pytest.raises(onnxc.Unsupported, match="ABI"):
        onnxc.InferenceSession(handWritten("OtherAbi"))
    with pytest.raises(onnxc.InvalidArgument):
        onnxc.InferenceSession(3)


def testNothingLeaksOverManySessions(path):
    def openFiles():
        return len(list(Path("/proc/self/fd").iterdir()))

    data = Path(path).read_bytes()
    onnxc.InferenceSession(data).run(None, feedOf())
    before = openFiles()
    maps = len(Path("/proc/self/maps").read_text().splitlines())
    for _ in range(50):
        onnxc.InferenceSession(data).run(None, feedOf())
    assert openFiles() == before
    assert len(Path("/proc/self/maps").read_text().splitlines()) <= maps + 20


def testForkedChildRuns(session):
    feed = feedOf(2000)
    want = session.run(["doubled"], feed)[0]
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run here.
        os._exit(0 if (session.run(["doubled"], feed)[0] == want).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
