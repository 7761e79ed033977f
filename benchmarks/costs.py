"""FLOPs and bytes that a model's nodes need at least, and the share of the machine's peak that follows."""

import collections
import math

import onnx

L2 = 1 << 20  # bytes; what has less data is measured against the cache


def shareOfPeak(flops, moved, seconds, threads, peaks):
    """Of FLOP/s (F) or of bytes/s (B), whichever is higher. peaks: of one core (peaks.py); memory is shared."""
    flopShare = flops / seconds / (peaks["flops"] * threads)
    byteShare = moved / seconds / (peaks["memory_bytes"] if moved > L2 else peaks["cached_bytes"] * threads)
    return f"{100 * flopShare:.0f}% F" if flopShare > byteShare else f"{100 * byteShare:.0f}% B"

BYTES = {"float": 4, "int64": 8, "int32": 4, "uint8": 1, "int8": 1, "bool": 1, "float16": 2, "double": 8}


class Costs:
    """FLOPs and bytes of nodes. Shapes: the model's, the feed's, and those that a profiled run of ONNX Runtime saw."""

    def __init__(self, model, feed, profile=None):
        profile = profile or {}
        self.nodes = {node.name: node for node in model.graph.node}
        self.shapes, self.sizes = {}, {}
        for tensor in model.graph.initializer:
            self.add(tensor.name, list(tensor.dims), onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
        for value in model.graph.value_info:
            kind = value.type.tensor_type
            if kind.elem_type and all(dim.HasField("dim_value") for dim in kind.shape.dim):
                itemsize = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
                self.add(value.name, [dim.dim_value for dim in kind.shape.dim], itemsize)
        for name, value in feed.items():
            self.add(name, list(value.shape), value.dtype.itemsize)
        for node in model.graph.node:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        dtype = onnx.helper.tensor_dtype_to_np_dtype(attribute.t.data_type)
                        self.add(node.output[0], list(attribute.t.dims), dtype.itemsize)
            outputs = profile.get(node.name, (None, None, {}))[2].get("output_type_shape", [])
            for output, described in zip([o for o in node.output if o], outputs, strict=False):
                for kind, shape in described.items():
                    self.add(output, shape, BYTES.get(kind, 4))
        self.uses = collections.Counter(i for node in model.graph.node for i in node.input)
        self.results = {o.name for o in model.graph.output}

    def add(self, name, shape, itemsize):
        self.shapes[name] = shape
        self.sizes[name] = math.prod(shape) * itemsize

    def shape(self, names, index):
        return self.shapes.get(names[index]) if index < len(names) else None

    def flops(self, name):
        node = self.nodes.get(name)
        if node is None:
            return 0
        kind = node.op_type
        first, second = self.shape(node.input, 0), self.shape(node.input, 1)
        out = self.shape(node.output, 0)
        if kind.startswith(("QLinear", "QGemm")) and len(node.input) > 3:
            second = self.shape(node.input, 3)
        if first is None or second is None or out is None:
            return 0
        if kind in ("Conv", "ConvInteger", "QLinearConv"):
            return 2 * math.prod(out) * math.prod(second[1:])
        if kind == "ConvTranspose":
            return 2 * math.prod(first) * math.prod(second[1:])
        if kind in ("MatMul", "MatMulInteger", "QLinearMatMul"):
            return 2 * math.prod(out) * first[-1]
        if kind in ("Gemm", "QGemm"):
            return 2 * math.prod(first) * out[-1]
        if kind in ("LSTM", "GRU", "RNN"):
            recurrent = self.shape(node.input, 2)
            return 2 * math.prod(first[:2]) * (math.prod(second) + math.prod(recurrent))
        return 0

    def bytes(self, names):
        inside = [self.nodes[name] for name in names if name in self.nodes]
        made = {o for node in inside for o in node.output}
        read = {i for node in inside for i in node.input if i} - made
        total = sum(self.sizes.get(i, 0) for i in read)
        for node in inside:
            for output in node.output:
                within = sum(list(other.input).count(output) for other in inside)
                if output in self.results or self.uses[output] > within:
                    total += self.sizes.get(output, 0)
        return total
