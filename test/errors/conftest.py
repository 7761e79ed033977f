"""What the tests of bad input share: small models and a checked run of the compiler."""

import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

BUILD = Path(os.environ.get("ONNXC_BUILD") or Path(__file__).resolve().parents[2] / "build")
ONNXC = BUILD / "bin" / "onnxc"


def addModel(opset=21, op="Add", domain="", shape=("N", 4), bias=None):
    """y = x <op> bias, with x of the given shape and a bias of 4 floats."""
    bias = np.arange(4, dtype=np.float32) if bias is None else bias
    initializer = bias if isinstance(bias, TensorProto) else numpy_helper.from_array(bias, "bias")
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "bias"], ["y"], name="the_node", domain=domain)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [initializer],
    )
    imports = [helper.make_opsetid("", opset)]
    if domain:
        imports.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


class Compiler:
    def __init__(self, folder):
        self.folder = folder

    def write(self, model, name="model.onnx"):
        path = self.folder / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    def run(self, *args):
        command = [str(ONNXC), *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)

    def refuses(self, path, *says, output=None):
        """The compiler ends with an error that says all of `says`, and writes nothing."""
        output = output or self.folder / "out.so"
        before = output.read_bytes() if output.is_file() else None
        files = set(self.folder.rglob("*"))
        done = self.run(path, "-o", output)
        assert done.returncode > 0, f"status {done.returncode}\n{done.stderr}"
        assert "error:" in done.stderr
        for text in says:
            assert text.lower() in done.stderr.lower(), done.stderr
        for noise in ("Assertion", "Stack dump", "PLEASE submit", "terminate called"):
            assert noise not in done.stderr
        after = output.read_bytes() if output.is_file() else None
        assert after == before
        assert set(self.folder.rglob("*")) == files, "something was left behind"
        return done.stderr

    def accepts(self, path, output=None):
        output = output or self.folder / "out.so"
        done = self.run(path, "-o", output)
        assert done.returncode == 0, done.stderr
        return output


@pytest.fixture
def compiler(tmp_path):
    return Compiler(tmp_path)
