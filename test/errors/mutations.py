"""Valid models with something broken, by bytes or by fields. The same seed always breaks the same thing."""

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

TEXTS = {
    "network": """<ir_version: 10, opset_import: ["": 21]>
        network (float[N, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[N, 10] y)
        <float[64, 10] dense = {DENSE}, int64[2] shape = {0, -1}> {
          c = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, w)
          r = Relu(c)
          p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
          f = Reshape(p, shape)
          g = Gemm<alpha = 0.5>(f, dense)
          y = Softmax<axis = -1>(g)
        }""",
    "shapes": """<ir_version: 10, opset_import: ["": 21]>
        shapes (float[A, B] x, int64[2] at) => (float[?, ?] y, int64[?] k)
        <int64 zero = {0}, int64[1] first = {0}, int64[1] minus = {-1}, float[2] pair = {1.5, 2.5}> {
          s = Shape(x)
          d = Gather<axis = 0>(s, zero)
          u = Unsqueeze(d, first)
          t = Concat<axis = 0>(u, minus)
          r = Reshape(x, t)
          e = Slice(r, first, at, first)
          v, k2 = TopK<axis = 1>(e, first1)
          y = Pad(e, pads)
          k = Range(zero, d, one)
        }""",
    "control": """<ir_version: 10, opset_import: ["": 21]>
        control (float[3] x, bool c, int64 n) => (float[3] y, float[3] z) {
          y = If(c) <then_branch = a () => (float[3] o) { o = Neg(x) }, else_branch = b () => (float[3] p) { p = Abs(x) }>
          z = Loop(n, c, x) <body = l (int64 i, bool go, float[3] s) => (bool on, float[3] t) { on = Identity(go)
            t = Add(s, x) }>
        }""",
    "quantized": """<ir_version: 10, opset_import: ["": 21]>
        quantized (float[2, 16] x) => (float[2, 8] y)
        <float scale = {0.05}, uint8 zero = {3}, int8[16, 8] w = {WEIGHTS}, int8 none = {0}> {
          q = QuantizeLinear(x, scale, zero)
          d = DequantizeLinear(q, scale, zero)
          v = DequantizeLinear(w, scale, none)
          y = MatMul(d, v)
        }""",
    "old": """<ir_version: 3, opset_import: ["": 6]>
        old (float[2, 3, 4] x, float[3] b) => (float[2, 3, 4] y) {
          a = Add<broadcast = 1, axis = 1>(x, b)
          c = Clip<min = -1.0, max = 1.0>(a)
          y = Softmax<axis = 1>(c)
        }""",
    "functions": """<ir_version: 10, opset_import: ["": 21, "local": 1]>
        functions (float[3] x) => (float[3] y) { y = local.f<slope = 0.5>(x) }
        <domain: "local", opset_import: ["": 21]>
        f <slope> (a) => (b) {
          n = Neg(a)
          b = LeakyRelu<alpha: float = @slope>(n)
        }""",
}


def numbers(count, low, high):
    return ", ".join(str(low + i % (high - low)) for i in range(count))


def models():
    result = {}
    for name, text in TEXTS.items():
        text = text.replace("DENSE", numbers(640, -3, 4)).replace("WEIGHTS", numbers(128, -60, 60))
        text = text.replace("int64[1] minus", "int64[1] first1 = {1}, int64[4] pads = {0, 1, 1, 0}, int64 one = {1}, int64[1] minus")
        result[name] = onnx.parser.parse_model(text)
    return result


MODELS = models()
HUGE = [-1, 0, 1, 7, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63)]


def graphsOf(model):
    """Its graphs and functions, nested ones too."""
    found = [model.graph, *model.functions]
    for graph in found:
        for node in graph.node:
            found += [a.g for a in node.attribute if a.HasField("g")]
    return found


def pick(rng, items):
    return items[int(rng.integers(len(items)))] if len(items) else None


def brokenAttribute(rng, node):
    attr = pick(rng, node.attribute)
    if attr is None:
        node.attribute.append(helper.make_attribute("nonsense", 3))
        return
    form = int(rng.integers(5))
    if form == 0:
        node.attribute.remove(attr)
    elif form == 1:
        attr.type = int(rng.integers(0, 15))
    elif form == 2:
        attr.i = int(pick(rng, HUGE))
    elif form == 3:
        attr.ints[:] = [int(pick(rng, HUGE)) for _ in range(int(rng.integers(0, 6)))]
        attr.type = AttributeProto.INTS
    else:
        attr.name = str(pick(rng, ["axis", "body", "to", "value", "", "then_branch"]))


def brokenNode(rng, graph):
    node = pick(rng, graph.node)
    if node is None:
        return
    form = int(rng.integers(9))
    names = [n for g in graph.node for n in [*g.input, *g.output]] + ["nowhere", ""]
    if form == 0 and node.input:
        node.input[int(rng.integers(len(node.input)))] = str(pick(rng, names))
    elif form == 1 and node.output:
        node.output[int(rng.integers(len(node.output)))] = str(pick(rng, names))
    elif form == 2:
        operators = ["Loop", "If", "Scan", "Conv", "Gather", "Concat", "Split", "TopK", "LSTM", "SequenceAt", "Einsum", "Resize", "StringSplit"]
        node.op_type = str(pick(rng, operators + sorted({s.name for s in onnx.defs.get_all_schemas()})))
    elif form == 3:
        node.input.append(str(pick(rng, names)))
    elif form == 4 and node.input:
        del node.input[-1]
    elif form == 5:
        node.output.append("another")
    elif form == 6 and len(graph.node) > 1:
        graph.node.remove(node)
    elif form == 7:
        node.domain = str(pick(rng, ["ai.onnx.ml", "com.microsoft", "nowhere", "local"]))
    else:
        brokenAttribute(rng, node)


def brokenTensor(rng, tensor):
    form = int(rng.integers(7))
    if form == 0:
        tensor.data_type = int(rng.integers(0, 30))
    elif form == 1:
        tensor.dims[:] = [int(pick(rng, HUGE)) for _ in range(int(rng.integers(0, 5)))]
    elif form == 2:
        array = numpy_helper.to_array(tensor)
        tensor.ClearField("float_data"), tensor.ClearField("int64_data"), tensor.ClearField("int32_data")
        tensor.raw_data = array.tobytes()[: int(rng.integers(0, array.nbytes + 1))]
    elif form == 3:
        tensor.data_location = TensorProto.EXTERNAL
        places = ["../../etc/passwd", "/dev/zero", "", ".", "model.onnx", "a" * 5000, "absent\0.bin"]
        tensor.external_data.add(key="location", value=str(pick(rng, places)))
        tensor.external_data.add(key="offset", value=str(pick(rng, [*HUGE, "x", ""])))
        tensor.external_data.add(key="length", value=str(pick(rng, [*HUGE, "1e9", ""])))
    elif form == 4:
        tensor.int64_data[:] = [int(pick(rng, HUGE)) for _ in range(len(tensor.int64_data))]
    elif form == 5:
        tensor.name = str(pick(rng, ["x", "y", "", tensor.name + "2"]))
    else:
        tensor.segment.begin = int(pick(rng, HUGE))
        tensor.string_data.append(b"text")


def brokenType(rng, value):
    form = int(rng.integers(6))
    if form == 0:
        value.type.tensor_type.elem_type = int(rng.integers(0, 30))
    elif form == 1 and value.type.tensor_type.shape.dim:
        pick(rng, value.type.tensor_type.shape.dim).dim_value = int(pick(rng, HUGE))
    elif form == 2:
        value.type.tensor_type.shape.dim.add().dim_param = str(pick(rng, ["N", "A", "", "x y", "0"]))
    elif form == 3:
        value.ClearField("type")
    elif form == 4:
        value.type.sequence_type.elem_type.sequence_type.elem_type.tensor_type.elem_type = 1
    else:
        value.name = str(pick(rng, ["x", "y", "", "nowhere"]))


def brokenModel(rng, model):
    form = int(rng.integers(7))
    if form == 0:
        pick(rng, model.opset_import).version = int(pick(rng, [1, 5, 12, 28, *HUGE]))
    elif form == 1:
        model.ir_version = int(pick(rng, HUGE))
    elif form == 2 and model.graph.node:
        nodes = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend(nodes[i] for i in rng.permutation(len(nodes)))
    elif form == 3:
        model.graph.input.append(model.graph.input[0])
    elif form == 4:
        model.graph.output.append(model.graph.input[0])
    elif form == 5 and model.functions:
        caller = model.functions[0].node.add()  # calls itself
        caller.op_type, caller.domain = model.functions[0].name, model.functions[0].domain
        caller.input.append(model.functions[0].input[0]), caller.output.append("again")
    else:
        model.graph.quantization_annotation.add().tensor_name = "nowhere"
        del model.graph.output[:]


def byFields(seed):
    rng = np.random.default_rng([seed, 1])
    model = ModelProto()
    model.CopyFrom(MODELS[sorted(MODELS)[seed % len(MODELS)]])
    for _ in range(int(rng.integers(1, 4))):
        graph = pick(rng, graphsOf(model))
        isGraph = isinstance(graph, onnx.GraphProto)
        form = int(rng.integers(8))
        if form < 4:
            brokenNode(rng, graph)
        elif form == 4 and isGraph and graph.initializer:
            brokenTensor(rng, pick(rng, graph.initializer))
        elif form in (5, 6) and isGraph:
            value = pick(rng, [*graph.input, *graph.output])
            if value is not None:
                brokenType(rng, value)
        else:
            brokenModel(rng, model)
    return model.SerializeToString()


def byBytes(seed):
    rng = np.random.default_rng([seed, 2])
    data = bytearray(MODELS[sorted(MODELS)[seed % len(MODELS)]].SerializeToString())
    for _ in range(int(rng.integers(1, 6))):
        at, form = int(rng.integers(len(data))), int(rng.integers(4))
        if form == 0:
            data[at] = int(rng.integers(256))
        elif form == 1:
            data[at] ^= 1 << int(rng.integers(8))
        elif form == 2:
            del data[at : at + int(rng.integers(1, 9))]
        else:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(data)
