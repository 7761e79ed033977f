"""What the tests of the examples share: the installed package, and building an example against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ONNXC_BUILD") or ROOT / "build")

sys.path.insert(0, str(BUILD / "python"))


def call(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cacheEntry(name):
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """Where the package is installed: what programs that run models need."""
    folder = tmp_path_factory.mktemp("prefix")
    call("cmake", "--install", BUILD, "--prefix", folder, "--component", "runtime")
    return folder


def buildExample(name, prefix, build):
    compiler = BUILD / "bin" / "onnxc"
    if not compiler.exists():
        pytest.skip(f"{compiler} is not built")
    call(
        "cmake", "-S", ROOT / "examples" / name, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={cacheEntry('CMAKE_CXX_COMPILER')}", f"-DONNXC_EXECUTABLE={compiler}",
    )  # fmt: skip
    call("cmake", "--build", build)
    return build
