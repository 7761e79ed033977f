# Settings of the lit tests. Tools are found on PATH (the build's bin folder and
# LLVM's), so RUN lines name them plainly: onnxc, onnx-mlir-opt, FileCheck, not.
import os
import platform
import sys
from pathlib import Path

import lit.formats

config.name = "onnxc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["Inputs", "utils", "backend", "models", "errors", "python", "operators", "opsets", "fuzz"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.onnxc_build_dir, "test")

# What needs an emulator is unsupported where there is none.
sys.path.insert(0, os.path.join(config.test_source_root, "targets"))
import remote  # noqa: E402

for name, missing in remote.available(Path(config.onnxc_build_dir)).items():
    if not missing:
        config.available_features.add(f"run-{name}")

# Image libraries are optional, for each architecture.
for folder, name in (("", "images"), ("aarch64", "images-aarch64")):
    if (Path(config.onnxc_build_dir) / "lib" / "onnxc" / folder / "libonnxc_images.a").exists():
        config.available_features.add(name)

if platform.machine() == "x86_64":
    config.available_features.add("x86_64-host")

path = [os.path.join(config.onnxc_build_dir, "bin"), config.llvm_tools_dir, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
config.environment["PYTHONPATH"] = os.path.join(config.onnxc_build_dir, "python")
for name in ("HOME", "ONNXC_CACHE_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

utils = os.path.join(config.test_source_root, "utils")
config.substitutions += [
    ("%python", config.python),
    # Compiles each model of a text file, runs it and compares with onnx's reference.
    ("%check-op", f"{config.python} {utils}/check_op.py --build {config.onnxc_build_dir}"),
    # Adds gradients and compares them with finite differences.
    ("%check-gradient", f"{config.python} {utils}/check_gradient.py"),
    # Text format to a binary model.
    ("%onnx-as", f"{config.python} {utils}/onnx_as.py"),
    ("%build", config.onnxc_build_dir),
]
