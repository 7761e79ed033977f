"""Installs onnxc, builds the C++ example against it with find_package, and runs it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from onnx.reference import ReferenceEvaluator

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ONNXC_BUILD") or ROOT / "build")

MODEL = """
<ir_version: 10, opset_import: ["": 21]>
classifier (float[N, 3, 8, 8] image, float[10, 192] w) => (float[N, 10] scores)
<float[192] scale = {%s}>
{
  flat = Flatten(image)
  scaled = Mul(flat, scale)
  scores = Gemm<transB = 1>(scaled, w)
}
"""


def makeModel(path):
    model = onnx.parser.parse_model(MODEL % ", ".join(str(i % 5) for i in range(192)))
    weights = np.random.default_rng(0).standard_normal((10, 192)).astype(np.float32)
    del model.graph.input[1]
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(model, path)
    image = (np.arange(192, dtype=np.float32) / np.float32(192)).reshape(1, 3, 8, 8)
    return ReferenceEvaluator(model).run(None, {"image": image})[0][0]


def run(*command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """(folder of the example's build, expected scores)"""
    folder = tmp_path_factory.mktemp("example")
    prefix, build, model = folder / "install", folder / "build", folder / "model.onnx"
    expected = makeModel(model)
    run("cmake", "--install", BUILD, "--prefix", prefix)
    run(
        "cmake", "-G", "Ninja", "-S", ROOT / "examples" / "cpp", "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DMODEL={model}", "-DCMAKE_CXX_COMPILER=clang++-22",
    )
    run("cmake", "--build", build)
    return build, expected


def testExampleRuns(example):
    build, expected = example
    output = run(build / "classify", build / "model.so")
    assert "input image: tensor(float) [N, 3, 8, 8]" in output
    assert "output scores: tensor(float) [N, 10]" in output
    found = re.search(r"largest of 10: (\S+) at (\d+)", output)
    assert int(found.group(2)) == int(expected.argmax())
    assert float(found.group(1)) == pytest.approx(expected.max(), rel=1e-4)


def testExampleTellsErrors(example):
    done = subprocess.run([str(example[0] / "classify"), "absent.so"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "absent.so" in done.stderr


def testModelNeedsOnlyLibc(example):
    build, _ = example
    objdump = shutil.which("llvm-readelf-22") or shutil.which("readelf") or "readelf"
    needed = re.findall(r"NEEDED.*\[(.*)\]", run(objdump, "-d", build / "model.so"))
    assert set(needed) <= {"libc.so.6", "libm.so.6"}


def testRuntimeIsSmall(example):
    library = (BUILD / "lib" / "libonnxc_runtime.so").resolve()
    stripped = example[0] / "stripped.so"
    run("llvm-strip-22", "-o", stripped, library)
    assert stripped.stat().st_size < 1 << 20
