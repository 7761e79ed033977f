"""onnxc: compiles ONNX models to shared objects and runs them.

    onnxc.compile("model.onnx", "model.so")
    session = onnxc.InferenceSession("model.so")
    outputs = session.run(None, {"input": array})

The interface of sessions is ONNX Runtime's.
"""

from ._onnxc import ModelMetadata, NodeArg, __version__, available_threads
from .compiler import compile
from .errors import (
    Cancelled,
    CompileError,
    Error,
    InvalidArgument,
    LoadError,
    ModelError,
    OutOfMemory,
    Unsupported,
)
from .options import ExecutionMode, GraphOptimizationLevel, RunOptions, SessionOptions
from .ortvalue import IOBinding, OrtValue
from .session import InferenceSession, get_all_providers, get_available_providers, get_device

__all__ = [
    "Cancelled",
    "CompileError",
    "Error",
    "ExecutionMode",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "InvalidArgument",
    "LoadError",
    "ModelError",
    "ModelMetadata",
    "NodeArg",
    "OrtValue",
    "OutOfMemory",
    "RunOptions",
    "SessionOptions",
    "Unsupported",
    "__version__",
    "available_threads",
    "compile",
    "get_all_providers",
    "get_available_providers",
    "get_device",
]
