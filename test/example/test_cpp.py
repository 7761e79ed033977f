"""examples/cpp, built against an installed package."""

import subprocess

import pytest
from conftest import BUILD, ROOT, buildExample, call


@pytest.fixture(scope="module")
def example(prefix, tmp_path_factory):
    return prefix, buildExample("cpp", prefix, tmp_path_factory.mktemp("example"))


def testPrintsWhatOnnxRuntimeFinds(example):
    import numpy as np
    import onnx
    import onnxruntime

    _, build = example
    model = onnx.parser.parse_model((ROOT / "examples" / "cpp" / "iris.onnxtxt").read_text())
    flowers = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]], np.float32)
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"measures": flowers})
    names = ["setosa", "versicolor", "virginica"]

    lines = call(build / "iris", build / "iris-model.so").splitlines()
    assert lines[0] == "input measures: tensor(float) N 4"
    for i, row in enumerate(expected):
        assert lines[1 + i] == f"flower {i}: {names[row.argmax()]} ({row.max():.3f})"
    assert lines[3] == f"again: {expected[0, 0]:.3f}"


def testTellsWhatIsWrong(example):
    _, build = example
    done = subprocess.run([build / "iris", "/nowhere/model.so"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "/nowhere/model.so" in done.stderr


def testTheRuntimeIsSmallAndNeedsNoFramework(example):
    prefix, _ = example
    (library,) = {path.resolve() for path in prefix.rglob("libonnxc_runtime.so*")}
    stripped = prefix / "stripped.so"
    call("strip", "-o", stripped, library)
    assert stripped.stat().st_size < 1_000_000
    needed = {line.split()[0].split(".so")[0] for line in call("ldd", library).splitlines()}
    system = {"linux-vdso", "libc", "libm", "libstdc++", "libgcc_s", "libdl", "libpthread"}
    assert {n for n in needed if "ld-linux" not in n} <= system


def testTheModelNeedsOnlyLibc(example):
    _, build = example
    needed = {
        line.split("[")[1].rstrip("]") for line in call("readelf", "-d", build / "iris-model.so").splitlines() if "NEEDED" in line
    }
    assert needed - {"ld-linux-x86-64.so.2"} <= {"libc.so.6", "libm.so.6"}  # the loader has the thread-local memory


def testTheInstalledCompilerLinksForOtherMachines(tmp_path):
    if not (BUILD / "lib" / "onnxc" / "aarch64" / "libonnxc_model.a").exists():
        pytest.skip("the model runtime for aarch64 is not built")
    call("cmake", "--install", BUILD, "--prefix", tmp_path / "prefix")
    model = tmp_path / "model.so"
    call(tmp_path / "prefix" / "bin" / "onnxc", ROOT / "examples" / "cpp" / "iris.onnxtxt", "-o", model, "--target=aarch64-linux-gnu")
    text = call("readelf", "-h", "-d", model)
    assert "AArch64" in text
    needed = {line.split("[")[1].rstrip("]") for line in text.splitlines() if "NEEDED" in line}
    assert needed - {"ld-linux-x86-64.so.2"} <= {"libc.so.6", "libm.so.6"}  # the loader has the thread-local memory
