"""SessionOptions and RunOptions, with ONNX Runtime's names.

What has no meaning for compiled models is refused, unless ignoring it cannot change
a result (memory pattern, logging).
"""

import enum
import os

from . import _onnxc
from .errors import InvalidArgument, Unsupported


class GraphOptimizationLevel(enum.IntEnum):
    """How much a model given as .onnx is optimised: -O0 to -O3."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class SessionOptions:
    """Options of an InferenceSession.

    Entries of add_session_config_entry: "onnxc.cache_dir" keeps what is compiled from .onnx
    files in a folder, so that the next session of the same model loads it; "onnxc.<option>" passes
    any other option of the compiler ("onnxc.march").
    """

    def __init__(self):
        self.intra_op_num_threads = 0  # 0: all that the process may use
        self.inter_op_num_threads = 0  # nodes run one after another, as with ORT_SEQUENTIAL
        self.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        self.execution_mode = ExecutionMode.ORT_SEQUENTIAL
        self.enable_profiling = False  # see InferenceSession.end_profiling
        self.profile_file_prefix = "onnxc_profile"
        self.use_deterministic_compute = True  # results are always reproducible
        self.enable_cpu_mem_arena = True
        self.enable_mem_pattern = True
        self.enable_mem_reuse = True
        self.log_severity_level = 2
        self.log_verbosity_level = 0
        self.logid = ""
        self._dims = {}
        self._config = {}
        self._custom_ops = []

    def __setattr__(self, name, value):
        if name == "execution_mode" and value != ExecutionMode.ORT_SEQUENTIAL:
            raise Unsupported("execution_mode: nodes run one after another, each on several threads")
        if name == "optimized_model_filepath" and value:
            raise Unsupported("optimized_model_filepath: use onnxc.compile to keep the compiled model")
        if name == "intra_op_num_threads" and (not isinstance(value, int) or value < 0):
            raise InvalidArgument(f"intra_op_num_threads is {value!r}; 0 or more is expected")
        if name == "graph_optimization_level":
            value = GraphOptimizationLevel(int(value))
        super().__setattr__(name, value)

    # What cannot be set; as ONNX Runtime reads when it is not.
    optimized_model_filepath = ""

    def add_free_dimension_override_by_name(self, dim_name, dim_value):
        """Fixes a symbolic dimension of a model given as .onnx."""
        if not isinstance(dim_value, int) or dim_value < 0:
            raise InvalidArgument(f"dimension '{dim_name}' is {dim_value!r}; an integer of at least 0 is expected")
        self._dims[dim_name] = dim_value

    def add_free_dimension_override_by_denotation(self, dim_denotation, dim_value):
        raise Unsupported("dimensions are overridden by name: add_free_dimension_override_by_name")

    def add_session_config_entry(self, key, value):
        if not key.startswith("onnxc."):
            raise Unsupported(f"session config entry '{key}': only keys that begin with 'onnxc.' are known")
        self._config[key] = str(value)

    def get_session_config_entry(self, key):
        try:
            return self._config[key]
        except KeyError:
            raise InvalidArgument(f"there is no session config entry '{key}'") from None

    def register_custom_ops_library(self, path):
        """A library of custom operators (docs/custom-operators.md): for compiling a model given as .onnx, and for one
        that is compiled and loads the library."""
        self._custom_ops.append(os.fspath(path))

    def add_initializer(self, name, value):
        raise Unsupported("add_initializer: initializers are part of the compiled model")

    def compile_options(self):
        """The options that these are for onnxc.compile."""
        options = {"O": min(int(self.graph_optimization_level), 3)}
        if self._dims:
            options["dim"] = dict(self._dims)
        if self._custom_ops:
            options["custom-ops"] = list(self._custom_ops)
        for key, value in self._config.items():
            if key != "onnxc.cache_dir":
                options[key.removeprefix("onnxc.")] = value
        return options


class RunOptions(_onnxc.RunOptions):
    """Options of one run. `terminate = True`, from any thread, ends the runs that use them."""

    def __init__(self):
        super().__init__()
        self.log_severity_level = 2
        self.log_verbosity_level = 0
        self.logid = ""

    def add_run_config_entry(self, key, value):
        raise Unsupported(f"run config entry '{key}' is not known")
