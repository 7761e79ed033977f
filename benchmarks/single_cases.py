"""The cases of single_ops.py: models of one operator at shapes that occur in practice.

CASES is a list of (group, name, make); make() gives (onnx model, feed). product_cases.py adds matrix products and
convolutions.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
ML = "ai.onnx.ml"
CASES = []
IMAGE, SEQUENCE = (1, 64, 56, 56), (1, 128, 768)

rng = np.random.default_rng(7)


def normal(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def uniform(*shape, low=0.0, high=1.0):
    return rng.uniform(low, high, shape).astype(np.float32)


def integers(low, high, *shape, dtype=np.int64):
    return rng.integers(low, high, shape, dtype=dtype)


def typeOf(array):
    if array.dtype == object:
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def model(nodes, feed, outputs, constants=None, opset=OPSET):
    """A model of nodes; outputs: {name: element type or type_proto}."""
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
    inputs = [helper.make_tensor_value_info(n, typeOf(a), a.shape) for n, a in feed.items()]
    results = [
        helper.make_tensor_value_info(n, t, None) if isinstance(t, int) else helper.make_value_info(n, t)
        for n, t in outputs.items()
    ]
    weights = [numpy_helper.from_array(a, n) for n, a in (constants or {}).items()]
    graph = helper.make_graph(nodes, "one", inputs, results, weights)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feed


def case(family, name, op, /, *inputs, constants=(), out=None, outputs=1, domain=None, opset=OPSET, **attributes):
    """One node. Inputs at the positions in constants are initializers; None is an absent one."""

    def make():
        arrays = [a() if callable(a) else a for a in inputs]
        names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
        feed = {f"x{i}": a for i, a in enumerate(arrays) if a is not None and i not in constants}
        fixed = {f"x{i}": arrays[i] for i in constants}
        first = out or typeOf(arrays[0])
        types = first if isinstance(first, (list, tuple)) else [first] * outputs
        results = {f"y{i}": t for i, t in enumerate(types)}
        node = helper.make_node(op, names, list(results), domain=domain, **attributes)
        return model([node], feed, results, fixed, opset)

    CASES.append((family, name, make))


def add(group, name):
    def register(make):
        CASES.append((group, name, make))
        return make

    return register


# ---- elementwise ----

for op in ["Relu", "Erf", "Exp", "Tanh", "Sigmoid", "Gelu", "HardSwish", "LeakyRelu", "Softplus", "Floor", "Abs", "Neg",
           "Elu", "Mish", "Sin", "Cos", "Atan", "Round", "Sign", "Not"]:
    for shape, label in [(SEQUENCE, "sequence"), (IMAGE, "image")]:
        if label == "image" and op not in ("Relu", "HardSwish", "Sigmoid"):
            continue
        data = normal(*shape) if op != "Not" else normal(*shape) > 0
        case("elementwise", f"{op} {label}", op, data)
for op in ["Sqrt", "Log", "Reciprocal"]:
    case("elementwise", f"{op} sequence", op, uniform(*SEQUENCE, low=0.1))
case("elementwise", "Relu tiny", "Relu", normal(1, 16))
case("elementwise", "Clip image", "Clip", normal(*IMAGE), np.float32(0), np.float32(6), constants=(1, 2))
for op in ["Add", "Mul", "Div", "Max", "Greater"]:
    boolean = {"out": TensorProto.BOOL} if op == "Greater" else {}
    case("elementwise", f"{op} same shape", op, normal(*SEQUENCE), normal(*SEQUENCE), **boolean)
case("elementwise", "Add row", "Add", normal(*SEQUENCE), normal(768))
case("elementwise", "Mul channel", "Mul", normal(*IMAGE), normal(64, 1, 1))
case("elementwise", "Mul column", "Mul", normal(*SEQUENCE), normal(1, 128, 1))
case("elementwise", "Add outer", "Add", normal(1024, 1), normal(1, 1024))
case("elementwise", "Pow 2", "Pow", normal(*SEQUENCE), np.float32(2), constants=(1,))
case("elementwise", "Pow 1.7", "Pow", uniform(*SEQUENCE, low=0.1), np.float32(1.7), constants=(1,))
case("elementwise", "Pow tensors", "Pow", uniform(*SEQUENCE, low=0.1), uniform(*SEQUENCE))
case("elementwise", "PRelu channel", "PRelu", normal(*IMAGE), normal(64, 1, 1), constants=(1,))
case("elementwise", "Add int64", "Add", integers(0, 99, 128, 768), integers(0, 99, 128, 768))
case("elementwise", "Mul int32", "Mul", integers(0, 99, 128, 768, dtype=np.int32), integers(0, 99, 128, 768, dtype=np.int32))
case("elementwise", "Div int64", "Div", integers(0, 9999, 128, 768), integers(1, 99, 128, 768))
case("elementwise", "Mod int64", "Mod", integers(0, 9999, 128, 768), integers(1, 99, 128, 768))
case("elementwise", "Equal int64", "Equal", integers(0, 9, 128, 768), integers(0, 9, 128, 768), out=TensorProto.BOOL)
case("elementwise", "And", "And", normal(128, 768) > 0, normal(128, 768) > 0)
case("elementwise", "Where", "Where", lambda: normal(*SEQUENCE) > 0, normal(*SEQUENCE), normal(*SEQUENCE), out=1)
case("elementwise", "Where mask", "Where", lambda: normal(1, 1, 128, 128) > 0, normal(1, 12, 128, 128), np.float32(-1e9), constants=(2,), out=1)
for source, to, label in [(np.float32, 10, "f32 to f16"), (np.float16, 1, "f16 to f32"), (np.float32, 7, "f32 to i64"),
                          (np.int64, 1, "i64 to f32"), (np.float32, 9, "f32 to bool"), (np.uint8, 1, "u8 to f32"),
                          (np.float32, 16, "f32 to bf16"), (np.float32, 2, "f32 to u8")]:
    case("elementwise", f"Cast {label}", "Cast", (uniform(128, 768) * 99).astype(source), out=to, to=to)
case("half", "Add f16", "Add", normal(128, 768, dtype=np.float16), normal(128, 768, dtype=np.float16))
case("half", "Sigmoid f16", "Sigmoid", normal(128, 768, dtype=np.float16))
case("half", "MatMul f16", "MatMul", normal(128, 768, dtype=np.float16), normal(768, 768, dtype=np.float16), constants=(1,))
case("half", "Softmax f16", "Softmax", normal(12, 128, 128, dtype=np.float16))
case("half", "LayerNorm f16", "LayerNormalization", normal(128, 768, dtype=np.float16), normal(768, dtype=np.float16), normal(768, dtype=np.float16), constants=(1, 2))

# ---- normalisation and reduction ----

case("normalisation", "Softmax last", "Softmax", normal(1, 12, 128, 128))
case("normalisation", "Softmax channel", "Softmax", normal(1, 21, 56, 56), axis=1)
case("normalisation", "Softmax 1000", "Softmax", normal(1, 1000))
case("normalisation", "LogSoftmax", "LogSoftmax", normal(128, 1000))
case("normalisation", "LayerNorm", "LayerNormalization", normal(*SEQUENCE), normal(768), normal(768), constants=(1, 2))
case("normalisation", "RMSNorm", "RMSNormalization", normal(*SEQUENCE), normal(768), constants=(1,), opset=23)
case("normalisation", "BatchNorm", "BatchNormalization", normal(*IMAGE), normal(64), normal(64), normal(64), uniform(64, low=0.5), constants=(1, 2, 3, 4))
case("normalisation", "InstanceNorm", "InstanceNormalization", normal(*IMAGE), normal(64), normal(64), constants=(1, 2))
case("normalisation", "GroupNorm", "GroupNormalization", normal(*IMAGE), normal(64), normal(64), constants=(1, 2), num_groups=32)
case("normalisation", "LRN", "LRN", normal(*IMAGE), size=5)
case("normalisation", "LpNormalization", "LpNormalization", normal(128, 768), axis=-1, p=2)
case("normalisation", "MeanVarianceNorm", "MeanVarianceNormalization", normal(*IMAGE), axes=[2, 3])
for op in ["ReduceSum", "ReduceMean", "ReduceMax"]:
    case("reduction", f"{op} last", op, normal(*SEQUENCE), np.array([-1]), constants=(1,))
    case("reduction", f"{op} middle", op, normal(*SEQUENCE), np.array([1]), constants=(1,))
    case("reduction", f"{op} image 2,3", op, normal(*IMAGE), np.array([2, 3]), constants=(1,))
    case("reduction", f"{op} channel", op, normal(*IMAGE), np.array([1]), constants=(1,))
    case("reduction", f"{op} all", op, normal(*SEQUENCE))
for op in ["ReduceL2", "ReduceLogSumExp", "ReduceProd", "ReduceSumSquare", "ReduceL1"]:
    case("reduction", f"{op} last", op, normal(*SEQUENCE), np.array([-1]), constants=(1,))
case("reduction", "ReduceSum int64", "ReduceSum", integers(0, 9, 128, 768), np.array([1]), constants=(1,))
case("reduction", "ArgMax last", "ArgMax", normal(128, 1000), out=7, axis=-1)
case("reduction", "ArgMax channel", "ArgMax", normal(1, 21, 128, 128), out=7, axis=1)
case("reduction", "CumSum last", "CumSum", normal(128, 768), np.int64(1), constants=(1,))
case("reduction", "CumSum first", "CumSum", normal(128, 768), np.int64(0), constants=(1,))
case("reduction", "TopK 5 of 1000", "TopK", normal(1, 1000), np.array([5]), constants=(1,), out=[1, 7])
case("reduction", "TopK 100 of 8400", "TopK", normal(1, 8400), np.array([100]), constants=(1,), out=[1, 7])
case("reduction", "TopK 10 of 128x1000", "TopK", normal(128, 1000), np.array([10]), constants=(1,), out=[1, 7])
case("reduction", "TopK all (sort)", "TopK", normal(1, 10000), np.array([10000]), constants=(1,), out=[1, 7])
case("reduction", "TopK channel", "TopK", normal(1, 64, 28, 28), np.array([3]), constants=(1,), out=[1, 7], axis=1)
case("reduction", "Unique", "Unique", integers(0, 500, 5000), out=[7, 7, 7, 7])
case("reduction", "NonZero", "NonZero", normal(128, 768) > 0.5, out=7)
case("reduction", "Einsum bij,bjk", "Einsum", normal(12, 128, 64), normal(12, 64, 128), equation="bij,bjk->bik")
case("reduction", "Einsum bhwc,hkc", "Einsum", normal(8, 16, 16, 64), normal(16, 16, 64), equation="bhwc,hkc->bhwk")

# ---- attention ----


def attention(heads, queries, keys, depth, exporter, mask=True, past=0):
    """exporter: the operators that PyTorch writes, from (batch, sequence, heads x depth); else the operator."""

    def make():
        width = heads * depth
        if not exporter:
            feed = {"q": normal(1, heads, queries, depth), "k": normal(1, heads, keys, depth), "v": normal(1, heads, keys, depth)}
            names = ["q", "k", "v"]
            if mask:
                feed["m"] = normal(queries, keys + past)
                names.append("m")
            outputs = ["y"]
            if past:
                feed["pk"], feed["pv"] = normal(1, heads, past, depth), normal(1, heads, past, depth)
                names += ([] if mask else [""]) + ["pk", "pv"]
                outputs += ["nk", "nv"]
            node = helper.make_node("Attention", names, outputs)
            return model([node], feed, dict.fromkeys(outputs, 1), opset=23)
        feed = {"q": normal(1, queries, width), "k": normal(1, keys, width), "v": normal(1, keys, width)}
        nodes = []
        for name, rows in [("q", queries), ("k", keys), ("v", keys)]:
            nodes.append(helper.make_node("Reshape", [name, "heads" + name], [name + "r"]))
            nodes.append(helper.make_node("Transpose", [name + "r"], [name + "h"], perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]))
        constants = {f"heads{n}": np.array([1, r, heads, depth]) for n, r in [("q", queries), ("k", keys), ("v", keys)]}
        constants |= {"scale": np.float32(np.sqrt(depth)), "wide": np.array([1, queries, width])}
        nodes += [helper.make_node("MatMul", ["qh", "kh"], ["s"]), helper.make_node("Div", ["s", "scale"], ["t"])]
        if mask:
            feed["m"] = normal(1, 1, queries, keys)
            nodes.append(helper.make_node("Add", ["t", "m"], ["u"]))
        nodes += [
            helper.make_node("Softmax", ["u" if mask else "t"], ["p"], axis=-1),
            helper.make_node("MatMul", ["p", "vh"], ["o"]),
            helper.make_node("Transpose", ["o"], ["ot"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", ["ot", "wide"], ["y"]),
        ]
        return model(nodes, feed, {"y": 1}, constants)

    kind = "exported" if exporter else "Attention"
    CASES.append(("attention", f"{kind} {heads} heads, {queries}x{keys}x{depth}" + (f", past {past}" if past else ""), make))


def decoderStep(heads, depth, past):
    """One token against a cache, as exported from PyTorch: the cache's length is not known, and it comes back longer."""

    def make():
        feed = {"q": normal(1, heads, 1, depth), "k": normal(1, heads, 1, depth), "v": normal(1, heads, 1, depth)}
        feed |= {"pk": normal(1, heads, past, depth), "pv": normal(1, heads, past, depth)}
        nodes = [
            helper.make_node("Concat", ["pk", "k"], ["nk"], axis=2),
            helper.make_node("Concat", ["pv", "v"], ["nv"], axis=2),
            helper.make_node("Transpose", ["nk"], ["t"], perm=[0, 1, 3, 2]),
            helper.make_node("MatMul", ["q", "t"], ["s"]),
            helper.make_node("Div", ["s", "scale"], ["d"]),
            helper.make_node("Softmax", ["d"], ["p"], axis=-1),
            helper.make_node("MatMul", ["p", "nv"], ["y"]),
        ]
        made, feed = model(nodes, feed, {"y": 1, "nk": 1, "nv": 1}, {"scale": np.float32(np.sqrt(depth))})
        for value in made.graph.input[3:]:
            value.type.tensor_type.shape.dim[2].dim_param = "past"
        return made, feed

    CASES.append(("attention", f"Decoder step {heads} heads, {past} past, {depth}", make))


attention(12, 128, 128, 64, True)
attention(12, 197, 197, 64, True, mask=False)
attention(8, 1024, 1024, 64, True)
attention(12, 128, 128, 64, False)
attention(12, 1, 1, 64, False, mask=False, past=127)
attention(12, 1, 1, 64, False, mask=False, past=1000)
decoderStep(12, 64, 127)
decoderStep(12, 64, 1000)
attention(8, 512, 512, 80, False, mask=False)

# ---- data movement ----

for perm, shape, label in [
    ((1, 0), (768, 768), "2-D"), ((0, 2, 1), (12, 128, 64), "last two"), ((0, 2, 1, 3), (1, 128, 12, 64), "heads"),
    ((0, 2, 3, 1), IMAGE, "to NHWC"), ((0, 3, 1, 2), (1, 56, 56, 64), "to NCHW"), ((0, 2, 3, 1), (1, 3, 224, 224), "RGB to NHWC"),
    ((0, 3, 1, 2), (1, 224, 224, 3), "RGB to NCHW"), ((3, 2, 1, 0), (16, 32, 24, 20), "reverse"), ((0, 2, 4, 1, 3), (1, 64, 8, 56, 8), "5-D"),
    ((2, 0, 1), (64, 96, 80), "rotate"), ((0, 1, 4, 2, 5, 3), (1, 16, 2, 2, 56, 56), "shuffle"),
]:
    case("movement", f"Transpose {label}", "Transpose", normal(*shape), perm=perm)
case("movement", "Transpose u8", "Transpose", integers(0, 255, 1, 224, 224, 3, dtype=np.uint8), perm=(0, 3, 1, 2))
case("movement", "Concat channel", "Concat", normal(*IMAGE), normal(*IMAGE), axis=1)
case("movement", "Concat last", "Concat", normal(128, 768), normal(128, 32), axis=-1)
case("movement", "Split channel", "Split", normal(*IMAGE), outputs=2, axis=1, num_outputs=2)
case("movement", "Split last", "Split", normal(1, 128, 2304), outputs=3, axis=-1, num_outputs=3)
case("movement", "Slice rows", "Slice", normal(*IMAGE), np.array([4, 4]), np.array([52, 52]), np.array([2, 3]), constants=(1, 2, 3))
case("movement", "Slice step 2", "Slice", normal(*IMAGE), np.array([0, 0]), np.array([99, 99]), np.array([2, 3]), np.array([2, 2]), constants=(1, 2, 3, 4))
case("movement", "Slice reverse", "Slice", normal(*SEQUENCE), np.array([-1]), np.array([-9999]), np.array([2]), np.array([-1]), constants=(1, 2, 3, 4))
case("movement", "Pad constant", "Pad", normal(*IMAGE), np.array([0, 0, 1, 1, 0, 0, 1, 1]), constants=(1,))
case("movement", "Pad reflect", "Pad", normal(*IMAGE), np.array([0, 0, 3, 3, 0, 0, 3, 3]), constants=(1,), mode="reflect")
case("movement", "Pad edge", "Pad", normal(*IMAGE), np.array([0, 0, 3, 3, 0, 0, 3, 3]), constants=(1,), mode="edge")
case("movement", "Tile", "Tile", normal(1, 64, 28, 28), np.array([1, 1, 2, 2]), constants=(1,))
case("movement", "Expand row", "Expand", normal(1, 768), np.array([128, 768]), constants=(1,))
case("movement", "Expand column", "Expand", normal(128, 1), np.array([128, 768]), constants=(1,))
case("movement", "Gather embedding", "Gather", normal(30522, 768), integers(0, 30522, 1, 128), constants=(0,))
case("movement", "Gather axis 1", "Gather", normal(128, 768), integers(0, 768, 256), axis=1)
case("movement", "GatherElements", "GatherElements", normal(128, 768), integers(0, 768, 128, 256), axis=1)
case("movement", "GatherND", "GatherND", normal(128, 64, 32), np.stack([integers(0, 128, 1000), integers(0, 64, 1000)], 1))
case("movement", "ScatterElements", "ScatterElements", normal(128, 768), integers(0, 768, 128, 64), normal(128, 64), axis=1)
case("movement", "ScatterElements add", "ScatterElements", normal(128, 768), integers(0, 768, 128, 64), normal(128, 64), axis=1, reduction="add")
case("movement", "ScatterND", "ScatterND", normal(128, 768), integers(0, 128, 32, 1), normal(32, 768))
case("movement", "DepthToSpace", "DepthToSpace", normal(1, 64, 56, 56), blocksize=2, mode="CRD")
case("movement", "DepthToSpace DCR", "DepthToSpace", normal(1, 64, 56, 56), blocksize=2)
case("movement", "SpaceToDepth", "SpaceToDepth", normal(1, 16, 112, 112), blocksize=2)
case("movement", "OneHot", "OneHot", integers(0, 100, 128), np.int64(100), np.array([0, 1], np.float32), constants=(1, 2), out=1)
case("movement", "Trilu", "Trilu", normal(12, 128, 128), upper=0)
case("movement", "Range", "Range", np.int64(0), np.int64(10000), np.int64(1))
case("movement", "Compress", "Compress", normal(1000, 64), lambda: normal(1000) > 0, axis=0)
case("movement", "ReverseSequence", "ReverseSequence", normal(50, 8, 64), integers(1, 50, 8), out=1)

# ---- image ----

case("image", "MaxPool 3x3 s2", "MaxPool", normal(1, 64, 112, 112), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
case("image", "MaxPool 2x2 s2", "MaxPool", normal(*IMAGE), kernel_shape=[2, 2], strides=[2, 2])
case("image", "MaxPool 5x5 s1", "MaxPool", normal(1, 128, 20, 20), kernel_shape=[5, 5], pads=[2, 2, 2, 2])
case("image", "MaxPool 1-D", "MaxPool", normal(1, 64, 1000), kernel_shape=[2], strides=[2])
case("image", "MaxPool 3-D", "MaxPool", normal(1, 32, 16, 28, 28), kernel_shape=[2, 2, 2], strides=[2, 2, 2])
case("image", "AveragePool 3x3", "AveragePool", normal(*IMAGE), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
case("image", "AveragePool 2x2 s2", "AveragePool", normal(*IMAGE), kernel_shape=[2, 2], strides=[2, 2])
case("image", "GlobalAveragePool", "GlobalAveragePool", normal(1, 2048, 7, 7))
case("image", "GlobalMaxPool", "GlobalMaxPool", normal(1, 512, 14, 14))
case("image", "LpPool", "LpPool", normal(*IMAGE), kernel_shape=[2, 2], strides=[2, 2])
for mode, label, scale, extra in [
    ("nearest", "nearest up 2", 2.0, {}), ("linear", "linear up 2", 2.0, {}), ("linear", "linear down 2", 0.5, {}),
    ("cubic", "cubic up 2", 2.0, {}), ("nearest", "nearest asymmetric", 2.0, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
    ("linear", "linear align_corners", 2.0, {"coordinate_transformation_mode": "align_corners"}), ("linear", "linear 1.3", 1.3, {}),
]:
    case("image", f"Resize {label}", "Resize", normal(1, 32, 56, 56), None, np.array([1, 1, scale, scale], np.float32), constants=(2,), mode=mode, **extra)
case("image", "GridSample linear", "GridSample", normal(1, 32, 56, 56), uniform(1, 56, 56, 2, low=-1), mode="linear")
case("image", "GridSample nearest", "GridSample", normal(1, 32, 56, 56), uniform(1, 56, 56, 2, low=-1), mode="nearest")
case("image", "RoiAlign", "RoiAlign", normal(1, 64, 50, 50), lambda: np.sort(uniform(50, 4, high=400), axis=-1), np.zeros(50, np.int64), output_height=7, output_width=7, sampling_ratio=2, spatial_scale=0.125)
case("image", "NonMaxSuppression", "NonMaxSuppression", lambda: boxes(1, 1000), uniform(1, 20, 1000), np.int64([100]), np.float32([0.5]), np.float32([0.7]), constants=(2, 3, 4), out=7)
case("image", "NonMaxSuppression 8400", "NonMaxSuppression", lambda: boxes(1, 8400), lambda: uniform(1, 1, 8400) ** 8, np.int64([300]), np.float32([0.45]), np.float32([0.25]), constants=(2, 3, 4), out=7)


def boxes(batch, count):
    corner, size = uniform(batch, count, 2, high=600), uniform(batch, count, 2, low=5, high=80)
    return np.concatenate([corner, corner + size], axis=-1)


# ---- signals ----

case("signal", "DFT 512", "DFT", normal(8, 512, 1), None, np.int64(1), constants=(2,), opset=20)
case("signal", "DFT 480", "DFT", normal(8, 480, 1), None, np.int64(1), constants=(2,), opset=20)
case("signal", "STFT", "STFT", normal(1, 16000, 1), np.int64(160), np.hanning(512).astype(np.float32), np.int64(512), constants=(1, 2, 3))

# ---- quantisation ----

case("quantise", "QuantizeLinear", "QuantizeLinear", normal(*IMAGE), np.float32(0.02), np.uint8(128), constants=(1, 2), out=2)
case("quantise", "QuantizeLinear channel", "QuantizeLinear", normal(*IMAGE), uniform(64, low=0.01), np.zeros(64, np.int8), constants=(1, 2), out=3, axis=1)
case("quantise", "DequantizeLinear", "DequantizeLinear", integers(0, 255, *IMAGE, dtype=np.uint8), np.float32(0.02), np.uint8(128), constants=(1, 2), out=1)
case("quantise", "DynamicQuantizeLinear", "DynamicQuantizeLinear", normal(*SEQUENCE), out=[2, 1, 2])

# ---- recurrent ----


def recurrent(op, steps, batch, size, hidden, directions):
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]

    def make():
        x = normal(steps, batch, size)
        w, r = normal(directions, gates * hidden, size) * 0.1, normal(directions, gates * hidden, hidden) * 0.1
        bias = normal(directions, 2 * gates * hidden) * 0.1
        direction = "bidirectional" if directions == 2 else "forward"
        extra = {"linear_before_reset": 1} if op == "GRU" else {}
        outputs = ["y", "h"] + (["c"] if op == "LSTM" else [])
        node = helper.make_node(op, ["x", "w", "r", "b"], outputs, hidden_size=hidden, direction=direction, **extra)
        return model([node], {"x": x}, dict.fromkeys(outputs, 1), {"w": w, "r": r, "b": bias})

    CASES.append(("recurrent", f"{op} {steps}x{batch}x{size}, {hidden}, {directions} dir", make))


for op in ["LSTM", "GRU", "RNN"]:
    recurrent(op, 50, 1, 128, 128, 1)
    recurrent(op, 50, 1, 256, 256, 2)
    recurrent(op, 30, 16, 128, 128, 1)
recurrent("LSTM", 1, 1, 128, 128, 1)
recurrent("LSTM", 100, 1, 512, 512, 1)
recurrent("LSTM", 40, 1, 96, 48, 2)

# ---- classic machine learning ----


def tree(depth, features):
    """A full tree: per node (feature, threshold, true child, false child, is leaf)."""
    inner = 2**depth - 1
    nodes = []
    for i in range(2 ** (depth + 1) - 1):
        leaf = i >= inner
        nodes.append((0 if leaf else int(rng.integers(features)), 0.0 if leaf else float(np.float32(rng.normal())), 0 if leaf else 2 * i + 1, 0 if leaf else 2 * i + 2, leaf))
    return nodes


def ensemble(trees, depth, features, classes, rows, mode="BRANCH_LEQ"):
    """A regressor (classes 1) or classifier."""

    def make():
        columns = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "truenodeids", "falsenodeids", "modes")}
        leaves = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
        for t in range(trees):
            for i, (feature, threshold, yes, no, leaf) in enumerate(tree(depth, features)):
                for key, value in zip(columns, (t, i, feature, threshold, yes, no, "LEAF" if leaf else mode)):
                    columns[key].append(value)
                if leaf:
                    for c in range(classes):
                        leaves["treeids"].append(t)
                        leaves["nodeids"].append(i)
                        leaves["ids"].append(c)
                        leaves["weights"].append(float(np.float32(rng.uniform())) / trees)
        attributes = {f"nodes_{k}": v for k, v in columns.items()}
        prefix = "target" if classes == 1 else "class"
        attributes |= {f"{prefix}_{k}": v for k, v in leaves.items()}
        x = normal(rows, features)
        if classes == 1:
            node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=1, **attributes)
            return model([node], {"x": x}, {"y": 1})
        node = helper.make_node("TreeEnsembleClassifier", ["x"], ["l", "y"], domain=ML, classlabels_int64s=list(range(classes)), **attributes)
        return model([node], {"x": x}, {"l": 7, "y": 1})

    kind = "regressor" if classes == 1 else f"{classes} classes"
    CASES.append(("classic", f"Trees {trees} of depth {depth}, {features} features, {kind}, {rows} rows", make))


for rows in (1, 16, 1000, 20000):
    ensemble(100, 6, 20, 1, rows, "BRANCH_LT")
for rows in (1, 1000):
    ensemble(100, 10, 30, 3, rows)
    ensemble(10, 4, 10, 2, rows)

for rows in (1, 1000):
    coefficients = [float(v) for v in normal(3 * 20).ravel()]
    case("classic", f"LinearClassifier {rows}", "LinearClassifier", normal(rows, 20), domain=ML, out=[7, 1], coefficients=coefficients, intercepts=[0.1, 0.2, 0.3], classlabels_ints=[0, 1, 2], multi_class=1, post_transform="SOFTMAX")
    case("classic", f"LinearRegressor {rows}", "LinearRegressor", normal(rows, 20), domain=ML, coefficients=coefficients[:20], intercepts=[0.5])
    case("classic", f"Scaler {rows}", "Scaler", normal(rows, 30), domain=ML, offset=coefficients[:30], scale=coefficients[30:60])
    case("classic", f"Normalizer L2 {rows}", "Normalizer", normal(rows, 30), domain=ML, norm="L2")
    case("classic", f"Imputer {rows}", "Imputer", normal(rows, 30), domain=ML, imputed_value_floats=[0.5], replaced_value_float=float("nan"))
    case("classic", f"Binarizer {rows}", "Binarizer", normal(rows, 30), domain=ML, threshold=0.0)
    words = np.array([f"category {i % 40}" for i in range(rows)], dtype=object)
    keys = [f"category {i}" for i in range(40)]
    case("classic", f"LabelEncoder strings {rows}", "LabelEncoder", words, domain=ML, out=7, keys_strings=keys, values_int64s=list(range(40)))
    case("classic", f"OneHotEncoder strings {rows}", "OneHotEncoder", words.reshape(-1, 1), domain=ML, out=1, cats_strings=keys)
    case("classic", f"LabelEncoder ints {rows}", "LabelEncoder", integers(0, 40, rows), domain=ML, out=7, keys_int64s=list(range(40)), values_int64s=list(range(40)))

    def svm(rows=rows):
        support = 200
        node = helper.make_node(
            "SVMClassifier", ["x"], ["l", "y"], domain=ML, kernel_type="RBF", kernel_params=[0.05, 0.0, 3.0],
            support_vectors=[float(v) for v in normal(support * 20)], vectors_per_class=[100, 100],
            coefficients=[float(v) for v in normal(support)], rho=[0.1], classlabels_ints=[0, 1], post_transform="NONE")
        return model([node], {"x": normal(rows, 20)}, {"l": 7, "y": 1})

    CASES.append(("classic", f"SVMClassifier RBF 200, {rows}", svm))

    def regressor(rows=rows):
        node = helper.make_node(
            "SVMRegressor", ["x"], ["y"], domain=ML, kernel_type="RBF", kernel_params=[0.05, 0.0, 3.0], n_supports=200,
            support_vectors=[float(v) for v in normal(200 * 20)], coefficients=[float(v) for v in normal(200)], rho=[0.1])
        return model([node], {"x": normal(rows, 20)}, {"y": 1})

    CASES.append(("classic", f"SVMRegressor RBF 200, {rows}", regressor))
case("classic", "TfIdfVectorizer", "TfIdfVectorizer", integers(0, 500, 8, 200), out=1, mode="TF", min_gram_length=1, max_gram_length=2,
     max_skip_count=0, ngram_counts=[0, 500], ngram_indexes=list(range(900)), pool_int64s=list(range(500)) + [int(v) for v in rng.integers(0, 500, 800)])
sentences = np.array([f"The quick brown fox {i} jumps over the lazy dog" for i in range(200)], dtype=object)
case("strings", "StringNormalizer", "StringNormalizer", sentences, case_change_action="LOWER", is_case_sensitive=0, stopwords=["the"])
case("strings", "StringConcat", "StringConcat", sentences, sentences)
case("strings", "StringSplit", "StringSplit", sentences, delimiter=" ", out=[8, 7])
case("strings", "RegexFullMatch", "RegexFullMatch", sentences, pattern="The .* [0-9]+ .*dog", out=9)
case("strings", "Cast i64 to string", "Cast", integers(0, 99999, 1000), to=8, out=8)
case("strings", "Cast string to f32", "Cast", np.array([f"{i}.5" for i in range(1000)], dtype=object), to=1, out=1)

# ---- control flow: the cost of an iteration ----


@add("control", "If")
def conditional():
    def branch(name, op):
        out = helper.make_tensor_value_info("o", 1, [1, 16])
        return helper.make_graph([helper.make_node(op, ["x"], ["o"])], name, [], [out])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("t", "Relu"), else_branch=branch("e", "Neg"))
    return model([node], {"c": np.array(True), "x": normal(1, 16)}, {"y": 1})


@add("control", "Loop 100 of one Add")
def loop():
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["s", "x"], ["t"])], "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("c", 9, []), helper.make_tensor_value_info("s", 1, [1, 64])],
        [helper.make_tensor_value_info("d", 9, []), helper.make_tensor_value_info("t", 1, [1, 64])])
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    return model([node], {"x": normal(1, 64)}, {"y": 1}, {"n": np.int64(100)})


@add("control", "Scan 100 of one Add")
def scan():
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["t"]), helper.make_node("Identity", ["t"], ["o"])], "body",
        [helper.make_tensor_value_info("s", 1, [64]), helper.make_tensor_value_info("x", 1, [64])],
        [helper.make_tensor_value_info("t", 1, [64]), helper.make_tensor_value_info("o", 1, [64])])
    node = helper.make_node("Scan", ["s", "x"], ["t", "y"], body=body, num_scan_inputs=1)
    return model([node], {"s": normal(64), "x": normal(100, 64)}, {"t": 1, "y": 1})
