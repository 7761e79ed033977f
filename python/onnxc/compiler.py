"""Compiling models, through the compiler's library."""

import os
import tempfile
from pathlib import Path

from . import _onnxc
from .errors import CompileError, InvalidArgument, Unsupported

_SEVERITIES = {0: "error", 1: "warning"}


def library_path():
    """The compiler's library: of this package or of the build folder that it is in, or the one
    that ONNXC_COMPILER_LIBRARY names."""
    chosen = os.environ.get("ONNXC_COMPILER_LIBRARY")
    if chosen:
        return chosen
    package = Path(_onnxc.__file__).parent
    for folder in (package / "lib", package.parent.parent / "lib"):
        if (folder / "libonnxc.so").exists():
            return os.path.realpath(folder / "libonnxc.so")
    raise Unsupported(
        "this installation of onnxc has no compiler, it only runs compiled models; "
        "set ONNXC_COMPILER_LIBRARY to the path of libonnxc.so"
    )


def _option_list(options):
    """["key=value"]: underscores become dashes, dicts and lists one entry for each item."""
    result = []
    for key, value in options.items():
        key = key.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            result.append(f"{key}={'true' if value else 'false'}")
        elif isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, (list, tuple)):
                    result.append(f"{key}={name}:{'x'.join(map(str, item))}")
                else:
                    result.append(f"{key}={name}={item}")
        elif isinstance(value, (list, tuple)):
            result += [f"{key}={item}" for item in value]
        else:
            result.append(f"{key}={value}")
    if any("\0" in option for option in result):
        raise InvalidArgument("a compile option contains a NUL character")
    return result


def compile(model, output=None, *, on_diagnostic=None, **options):
    """Compiles an ONNX model to a shared object and returns its path.

    model: the path of an .onnx file, the bytes of one, or an onnx.ModelProto.
    output: where to write; by default the model's path with the suffix .so, or model.so.
    on_diagnostic: called as (severity, message) for warnings and notes; by default they are dropped.
    options: those of the command line `onnxc`: O=3, march="native", dim={"batch": 1},
        shape={"x": [1, 3, 224, 224]}, ...

    Raises CompileError, whose message has all errors. The GIL is released while compiling.
    """
    path = data = None
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if output is None:
            output = Path(path).with_suffix(".so")
    elif isinstance(model, (bytes, bytearray, memoryview)):
        data = bytes(model)
    elif hasattr(model, "SerializeToString"):
        data = model.SerializeToString()
    else:
        raise InvalidArgument(f"a model is a path, bytes or a ModelProto, not {type(model).__name__}")
    output = os.fspath(output if output is not None else "model.so")
    status, messages = _onnxc.compile(library_path(), path, data, output, _option_list(options))
    diagnostics = [(_SEVERITIES.get(severity, "note"), text) for severity, text in messages]
    if status != 0:
        errors = [text for severity, text in diagnostics if severity == "error"] or [
            text for _, text in diagnostics
        ]
        name = path if path is not None else "model"
        raise CompileError("\n".join(errors) or f"{name}: the compiler failed (status {status})", diagnostics)
    if on_diagnostic:
        for severity, text in diagnostics:
            on_diagnostic(severity, text)
    return output


def compile_to_memory_mapped(model, load, options):
    """Compiles to a temporary file, gives its path to `load` and deletes it; what was loaded
    stays mapped."""
    with tempfile.TemporaryDirectory(prefix="onnxc-") as folder:
        return load(compile(model, os.path.join(folder, "model.so"), **options))
