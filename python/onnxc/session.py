"""InferenceSession, with ONNX Runtime's interface."""

import os
import threading
import time
import warnings

from . import _onnxc, _values
from .cache import cached
from .compiler import compile_to_memory_mapped
from .errors import InvalidArgument, LoadError, Unsupported
from .options import SessionOptions
from .ortvalue import IOBinding, OrtValue

_CPU = "CPUExecutionProvider"
_ELF = b"\x7fELF"


def get_available_providers():
    return [_CPU]


def get_all_providers():
    return [_CPU]


def get_device():
    return "CPU"


def _check_providers(providers, provider_options):
    names = [p if isinstance(p, str) else p[0] for p in providers or [_CPU]]
    others = [name for name in names if name != _CPU]
    if others and _CPU not in names:
        raise Unsupported(f"provider {others[0]}: there is only {_CPU}")
    if others:
        warnings.warn(f"{', '.join(others)}: not available, models run on the CPU", stacklevel=3)
    given = [p[1] for p in providers or [] if not isinstance(p, str) and p[0] == _CPU]
    given += [o for p, o in zip(names, provider_options or [], strict=False) if p == _CPU]
    for options in given:
        for key in options:
            raise Unsupported(f"{_CPU} has no option '{key}'")


class InferenceSession:
    """A model that is ready to run. Any number of threads may call run() at once.

    path_or_bytes: a compiled model (.so) or an ONNX model, by path or content. An ONNX model
        is compiled first; to do that once only, use onnxc.compile, or the session config entry
        "onnxc.cache_dir".
    """

    def __init__(self, path_or_bytes, sess_options=None, providers=None, provider_options=None, **kwargs):
        if kwargs:
            raise Unsupported(f"InferenceSession has no argument '{next(iter(kwargs))}'")
        _check_providers(providers, provider_options)
        self._sess_options = sess_options if sess_options is not None else SessionOptions()
        arguments = (
            self._sess_options.intra_op_num_threads,
            bool(self._sess_options.enable_profiling),
            list(self._sess_options._custom_ops),
        )
        model = path_or_bytes
        if hasattr(model, "SerializeToString"):
            model = model.SerializeToString()
        if isinstance(model, (bytes, bytearray, memoryview)):
            model = bytes(model)
            compiled = model.startswith(_ELF)
            self._model_path = ""
        elif isinstance(model, (str, os.PathLike)):
            model = self._model_path = os.fspath(model)
            compiled = model.endswith(".so") or self._is_elf(model)
        else:
            raise InvalidArgument(f"a model is a path or bytes, not {type(model).__name__}")

        if compiled:
            if self._sess_options._dims:
                raise Unsupported("the model is compiled already: dimensions can't be overridden any more")
            open_ = _onnxc.Session.from_bytes if isinstance(model, bytes) else _onnxc.Session
            self._session = open_(model, *arguments)
        else:
            options = self._sess_options.compile_options()
            folder = self._sess_options._config.get("onnxc.cache_dir")
            if folder:
                self._session = _onnxc.Session(cached(model, folder, options), *arguments)
            else:
                self._session = compile_to_memory_mapped(
                    model, lambda path: _onnxc.Session(path, *arguments), options
                )
        self._inputs = self._session.inputs
        self._outputs = self._session.outputs
        self._input_types = {info.name: info.type for info in self._inputs}

    @staticmethod
    def _is_elf(path):
        try:
            with open(path, "rb") as file:
                return file.read(len(_ELF)) == _ELF
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror}") from None

    def get_inputs(self):
        return list(self._inputs)

    def get_outputs(self):
        return list(self._outputs)

    def get_overridable_initializers(self):
        return []

    def get_modelmeta(self):
        return self._session.metadata

    def get_providers(self):
        return [_CPU]

    def get_provider_options(self):
        return {_CPU: {}}

    def get_session_options(self):
        return self._sess_options

    def end_profiling(self):
        """Writes what the runs since the last call took, for chrome://tracing, and returns the file's name.

        With SessionOptions.enable_profiling. The file is <profile_file_prefix>_<date>_<time>.json and has an event for
        each run and for each part of it, with the names of the ONNX nodes that the part computes.
        """
        if not self._sess_options.enable_profiling:
            raise InvalidArgument("end_profiling: SessionOptions.enable_profiling was not set")
        trace = self._session.take_profile()
        base = time.strftime(self._sess_options.profile_file_prefix + "_%Y-%m-%d_%H-%M-%S")
        name = base + ".json"
        count = 0
        while os.path.exists(name):
            count += 1
            name = f"{base}_{count}.json"
        with open(name, "x", encoding="utf-8") as file:
            file.write(trace)
        return name

    def get_profiling_start_time_ns(self):
        """The time on the monotonic clock from which the profile's times count."""
        if not self._sess_options.enable_profiling:
            raise InvalidArgument("get_profiling_start_time_ns: SessionOptions.enable_profiling was not set")
        return self._session.profile_start

    def _run(self, output_names, feed, run_options, buffers=None):
        if not isinstance(feed, dict):
            raise InvalidArgument(f"the feed is a dict of names to values, not {type(feed).__name__}")
        values = []
        for name, obj in feed.items():
            # A name that is wrong is told by the runtime, which lists the right ones.
            try:
                values.append(_values.to_value(obj, self._input_types.get(name, "tensor()")))
            except InvalidArgument as error:
                if name in self._input_types:
                    raise InvalidArgument(f"input '{name}': {error}") from None
                values.append(_onnxc.Value())
        names = list(output_names) if output_names else None
        return self._session.run(list(feed), values, names, buffers, run_options)

    def run(self, output_names, input_feed, run_options=None):
        """Runs the model and returns a list of the outputs named, or of all with None.

        Inputs: NumPy arrays, or objects with __dlpack__ or the buffer protocol, which are not copied if
        contiguous; lists for sequences, dicts for maps, None for an absent optional.
        Outputs: NumPy arrays, lists, dicts and None likewise. bfloat16, float8, int4 and the like are
        ml_dtypes arrays, one byte an element for those below a byte; strings are arrays of objects.
        """
        return [_values.from_value(v) for v in self._run(output_names, input_feed, run_options)]

    def run_async(self, output_names, input_feed, callback, user_data, run_options=None):
        """Runs in a thread of its own, then calls callback(results, user_data, error message)."""

        def work():
            try:
                results, error = self.run(output_names, input_feed, run_options), ""
            except Exception as problem:  # the callback is the only way to tell
                results, error = [], str(problem)
            callback(results, user_data, error)

        threading.Thread(target=work, daemon=True).start()

    def run_with_ort_values(self, output_names, input_dict_ort_values, run_options=None):
        return [OrtValue(v) for v in self._run(output_names, input_dict_ort_values, run_options)]

    def io_binding(self):
        return IOBinding(self)

    def run_with_iobinding(self, iobinding, run_options=None):
        names = list(iobinding._outputs)
        if not names:
            raise InvalidArgument("no output is bound")
        buffers = [_onnxc.Value() if v is None else v._value for v in iobinding._outputs.values()]
        results = self._run(names, iobinding._inputs, run_options, buffers)
        iobinding._results = {name: OrtValue(v) for name, v in zip(names, results, strict=True)}
