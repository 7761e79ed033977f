"""Profiles of compiled models: Python and the command line write the same events."""

import json
import subprocess

import numpy as np
import onnx
import onnxc
import pytest
from conftest import BUILD


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 21]>
        m (float[N, 64] x) => (float[N, 64] y, int64[N, 1] i) {
          [first] a = Softmax(x)
          [second] y = Relu(a)
          k = Constant<value = int64[1] {1}>()
          [third] v, i = TopK(a, k)
        }""")
    onnx.save(model, folder / "m.onnx")
    onnxc.compile(str(folder / "m.onnx"), str(folder / "m.so"))
    return folder / "m.so"


def check(events, runs):
    assert [e["name"] for e in events if e["cat"] == "Session"] == ["model_run"] * runs
    nodes = [e for e in events if e["cat"] == "Node"]
    assert {name for e in nodes for name in e["args"]["nodes"]} == {"first", "second", "third"}
    assert any(e["args"]["op_name"] == "TopK" and e["name"] == "third" for e in nodes)
    assert all(e["ph"] == "X" and e["dur"] >= 0 and isinstance(e["args"]["parallel"], bool) for e in nodes)
    for run in (e for e in events if e["cat"] == "Session"):
        inside = [e for e in nodes if run["ts"] <= e["ts"] < run["ts"] + run["dur"]]
        assert sum(e["dur"] for e in inside) <= run["dur"] * 1.001


def testSession(library, tmp_path):
    options = onnxc.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "mine")
    session = onnxc.InferenceSession(str(library), options)
    for n in (1, 300):
        session.run(None, {"x": np.ones((n, 64), np.float32)})
    name = session.end_profiling()
    assert name.startswith(str(tmp_path / "mine_")) and name.endswith(".json")
    check(json.loads(open(name).read()), 2)
    assert session.get_profiling_start_time_ns() > 0
    other = session.end_profiling()
    assert other != name and json.loads(open(other).read()) == []


def testCommand(library, tmp_path):
    target = tmp_path / "trace.json"
    command = [BUILD / "bin" / "onnxc", "run", library, "--random", "--repeat", "3", "--profile", target]
    subprocess.run(command, check=True, capture_output=True)
    check(json.loads(target.read_text()), 3)
    command[-1] = tmp_path / "nowhere" / "trace.json"
    failed = subprocess.run(command, capture_output=True, text=True)
    assert failed.returncode == 1 and "nowhere" in failed.stderr
