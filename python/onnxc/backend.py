"""ONNX's backend interface (onnx.backend.base) over onnxc.

    import onnxc.backend
    outputs = onnxc.backend.prepare(model).run(inputs)
"""

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from .errors import InvalidArgument, Unsupported
from .options import SessionOptions
from .session import InferenceSession


class OnnxcBackendRep(BackendRep):
    """A model that is ready to run."""

    def __init__(self, session):
        self.session = session

    def run(self, inputs, **kwargs):
        """inputs: values in the model's order, a dict of them by name, or one array. Returns a tuple."""
        if kwargs:
            raise InvalidArgument(f"run has no argument '{next(iter(kwargs))}'")
        infos = self.session.get_inputs()
        if isinstance(inputs, dict):
            feed = inputs
        else:
            if isinstance(inputs, (np.ndarray, np.generic)):
                inputs = [inputs]
            if len(inputs) != len(infos):
                raise InvalidArgument(f"the model has {len(infos)} inputs, got {len(inputs)}")
            feed = {info.name: value for info, value in zip(infos, inputs, strict=True)}
        return tuple(self.session.run(None, feed))


class OnnxcBackend(Backend):
    @classmethod
    def supports_device(cls, device):
        return device.split(":")[0] == "CPU"

    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        """Whether prepare() can be tried; it raises CompileError if an operator is not supported."""
        return cls.supports_device(device)

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        """model: a ModelProto, bytes or a path. Further arguments are options of onnxc.compile."""
        if not cls.supports_device(device):
            raise Unsupported(f"device '{device}': models run on the CPU")
        options = SessionOptions()
        for key, value in kwargs.items():
            options.add_session_config_entry(f"onnxc.{key}", value)
        return OnnxcBackendRep(InferenceSession(model, options))

    @classmethod
    def run_model(cls, model, inputs, device="CPU", **kwargs):
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node, inputs, device="CPU", outputs_info=None, opset_version=None, **kwargs):
        """Runs one operator; inputs are those that are not empty, in their order."""
        names = [name for name in node.input if name]
        if isinstance(inputs, dict):
            inputs = [inputs[name] for name in names]
        arrays = [np.asarray(value) for value in inputs]
        if len(arrays) != len(names):
            raise InvalidArgument(f"{node.op_type} has {len(names)} inputs, got {len(arrays)}")
        to_type = onnx.helper.np_dtype_to_tensor_dtype
        graph_inputs = [
            onnx.helper.make_tensor_value_info(name, to_type(array.dtype), array.shape)
            for name, array in zip(names, arrays, strict=True)
        ]
        outputs = [name for name in node.output if name]
        if outputs_info:
            graph_outputs = [
                onnx.helper.make_tensor_value_info(name, to_type(np.dtype(dtype)), shape)
                for name, (dtype, shape) in zip(outputs, outputs_info, strict=True)
            ]
        else:
            graph_outputs = [onnx.ValueInfoProto(name=name) for name in outputs]
        version = opset_version or onnx.defs.onnx_opset_version()
        model = onnx.helper.make_model(
            onnx.helper.make_graph([node], "node", graph_inputs, graph_outputs),
            opset_imports=[onnx.helper.make_opsetid(node.domain, version if not node.domain else 1)],
        )
        if not outputs_info:
            model = onnx.shape_inference.infer_shapes(model)
        return cls.run_model(model, arrays, device, **kwargs)


prepare = OnnxcBackend.prepare
run_model = OnnxcBackend.run_model
run_node = OnnxcBackend.run_node
is_compatible = OnnxcBackend.is_compatible
supports_device = OnnxcBackend.supports_device
