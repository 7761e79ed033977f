"""The exceptions that onnxc raises."""


class Error(RuntimeError):
    """Any failure of onnxc. The message names the input, node or file at fault."""


class InvalidArgument(Error, ValueError):
    """A wrong name, type, rank, size or option."""


class ModelError(Error):
    """A check inside the model failed while it ran."""


class OutOfMemory(Error, MemoryError):
    """Memory for a tensor could not be had."""


class Unsupported(Error):
    """This machine or this version of onnxc cannot do it."""


class Cancelled(Error):
    """The run was ended by RunOptions.terminate."""


class LoadError(Error, OSError):
    """There is no such file, or it is not a compiled model."""


class CompileError(Error):
    """The compiler refused the model. `diagnostics` is a list of (severity, message), severity
    being "error", "warning" or "note"."""

    def __init__(self, message, diagnostics=()):
        super().__init__(message)
        self.diagnostics = list(diagnostics)


# By onnxc_status of onnxc/runtime/abi.h.
BY_CODE = {
    1: InvalidArgument,
    2: ModelError,
    3: OutOfMemory,
    4: Unsupported,
    5: Cancelled,
    6: LoadError,
}
