"""The old forms of neural-network operators, quantization, control flow, sequences and ai.onnx.ml."""

import numpy as np
from forms import F32, Form, floats, form, i64, ints
from onnx import TensorProto, helper

BOOL, FLOAT, INT64 = TensorProto.BOOL, TensorProto.FLOAT, TensorProto.INT64


@form("Conv", "ConvTranspose")
def conv(name, version):
    weights = floats(3, 2, 3, 3) if name == "Conv" else floats(2, 3, 3, 3)
    data = [floats(1, 2, 6, 7), weights, floats(3)]
    return [Form(data, {"pads": [1, 0, 1, 1], "strides": [2, 1]}), Form(data[:2], {"auto_pad": "SAME_UPPER", "strides": [2, 2]})]


@form("MatMul")
def matMul(name, version):
    return [Form([floats(2, 3, 4), floats(4, 5)], formula=np.matmul)]


@form("Gemm")
def gemm(name, version):
    a, b = floats(3, 4), floats(5, 4)
    attrs = {"alpha": 0.5, "beta": 2.0, "transB": 1}
    formula = lambda a, b, c=0: 0.5 * (a @ b.T) + 2 * c  # noqa: E731
    if version < 7:
        return [Form([a, b, floats(3, 5)], attrs, formula=formula), Form([a, b, floats(5)], attrs | {"broadcast": 1}, formula=formula)]
    return [Form([a, b, floats(5)], attrs, formula=formula)] + ([Form([a, b], attrs, formula=formula)] if version >= 11 else [])


@form("AveragePool", "MaxPool", "LpPool")
def pool(name, version):
    x = floats(1, 2, 6, 7)
    base = {"kernel_shape": [2, 3], "strides": [2, 2]}
    if name == "LpPool" and version == 1:
        windows = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))[:, :, ::2, ::2]
        norm = lambda p: (np.abs(windows) ** p).sum((-1, -2)) ** (1 / p)  # noqa: E731
        return [Form([x], base, formula=lambda x: norm(2)), Form([x], base | {"p": 3.0}, formula=lambda x: norm(3))]

    def inside(x):
        """The average of what lies inside."""
        sums = lambda a: np.lib.stride_tricks.sliding_window_view(a, (2, 3), (2, 3))[:, :, ::2, ::2].sum((-1, -2))  # noqa: E731
        pads = ((0, 0), (0, 0), (1, 0), (1, 1))
        return sums(np.pad(x, pads)) / sums(np.pad(np.ones_like(x), pads))

    result = [Form([x], base), Form([x], base | {"pads": [1, 1, 0, 1]}, formula=inside if name == "AveragePool" else None)]
    if name == "MaxPool" and version >= 8:
        result.append(Form([x], base, ["y", "i"], types={"i": INT64}))
    if name == "AveragePool" and version >= 7:
        result.append(Form([x], base | {"pads": [1, 1, 0, 1], "count_include_pad": 1}))
    if name != "LpPool" and version >= 10:
        result.append(Form([x], base | {"ceil_mode": 1}))
    if (name == "MaxPool" and version >= 10) or (name == "AveragePool" and version >= 19) or (name == "LpPool" and version >= 18):
        result.append(Form([x], {"kernel_shape": [2, 2], "dilations": [2, 2]}))
    return result


@form("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def globalPool(name, version):
    norm = lambda p: lambda x: (np.abs(x) ** p).sum((2, 3), keepdims=True) ** (1 / p)  # noqa: E731
    formula = {"GlobalAveragePool": lambda x: x.mean((2, 3), keepdims=True), "GlobalMaxPool": lambda x: x.max((2, 3), keepdims=True), "GlobalLpPool": norm(2)}[name]
    result = [Form([floats(1, 2, 4, 5)], formula=formula)]
    return result + ([Form([floats(1, 2, 4, 5)], {"p": 3.0 if version == 1 else 3}, formula=norm(3))] if name == "GlobalLpPool" else [])


@form("MaxRoiPool")
def maxRoiPool(name, version):
    return [Form([floats(1, 2, 6, 6), np.array([[0, 0, 0, 3, 3], [0, 1, 1, 5, 4]], F32)], {"pooled_shape": [2, 2]})]


@form("MaxUnpool")
def maxUnpool(name, version):
    x = floats(1, 1, 2, 2)
    places = np.array([[[[5, 7], [13, 15]]]])

    def formula(x, at, *_):
        y = np.zeros(16, F32)
        y[at.ravel()] = x.ravel()
        return y.reshape(1, 1, 4, 4)

    return [Form([x, places], {"kernel_shape": [2, 2], "strides": [2, 2]}, formula=formula)]


@form("RoiAlign")
def roiAlign(name, version):
    boxes, batch = np.array([[0.5, 0.5, 4, 3], [1, 0, 5, 5]], F32), i64(0, 0)
    attrs = {"output_height": 2, "output_width": 2, "sampling_ratio": 2}
    return [Form([floats(1, 2, 6, 6), boxes, batch], attrs), Form([floats(1, 2, 6, 6), boxes, batch], attrs | {"mode": "max"}, tolerance=1e-4)]


@form("BatchNormalization")
def batchNormalization(name, version):
    x, scale, bias, mean, var = floats(2, 3, 4, 5), floats(3), floats(3), floats(3), floats(3, low=0.5, high=2)

    def normal(x, s, b, m, v, epsilon=1e-5):
        s, b, m, v = (a[:, None, None] if a.ndim == 1 else a for a in (s, b, m, v))
        return (x - m) / np.sqrt(v + epsilon) * s + b

    data = [x, scale, bias, mean, var]
    attrs = {"is_test": 1} if version < 7 else {}
    if version == 1:
        attrs["consumed_inputs"] = [0, 0, 0, 1, 1]
    result = [Form(data, attrs, formula=normal, tolerance=1e-4), Form(data, attrs | {"epsilon": 0.1}, formula=lambda *a: normal(*a, epsilon=0.1))]
    if version < 9:
        each = [x, floats(3, 4, 5), floats(3, 4, 5), floats(3, 4, 5), floats(3, 4, 5, low=0.5, high=2)]
        result.append(Form(each, attrs | {"spatial": 0}, formula=normal, tolerance=1e-4))
    if version >= 14:
        def train(x, s, b, m, v):
            now, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
            return [normal(x, s, b, now, spread), m * 0.9 + now * 0.1, v * 0.9 + spread * 0.1]

        result.append(Form(data, {"training_mode": 1}, ["y", "mean", "var"], train, tolerance=1e-4))
    return result


@form("InstanceNormalization")
def instanceNormalization(name, version):
    def formula(x, s, b):
        normal = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-2)
        return normal * s[:, None, None] + b[:, None, None]

    return [Form([floats(2, 3, 4, 5), floats(3), floats(3)], {"epsilon": 1e-2}, formula=formula)]


@form("LpNormalization")
def lpNormalization(name, version):
    l2 = lambda x: x / np.sqrt((x * x).sum(1, keepdims=True))  # noqa: E731
    l1 = lambda x: x / np.abs(x).sum(0, keepdims=True)  # noqa: E731
    return [Form([floats(3, 4)], formula=l2), Form([floats(3, 4)], {"p": 1, "axis": 0}, formula=l1)]


@form("LRN")
def lrn(name, version):
    return [Form([floats(1, 5, 3, 3)], {"size": 3, "alpha": 0.1})]


@form("MeanVarianceNormalization")
def meanVariance(name, version):
    formula = lambda x: (x - x.mean((0, 2, 3), keepdims=True)) / (x.std((0, 2, 3), keepdims=True) + 1e-9)  # noqa: E731
    return [Form([floats(2, 3, 4, 5)], formula=formula)]


@form("GroupNormalization")
def groupNormalization(name, version):
    def formula(x, s, b):
        g = x.reshape(2, 2, -1)
        g = (g - g.mean(-1, keepdims=True)) / np.sqrt(g.var(-1, keepdims=True) + 1e-2)
        return (g * s[:, None] + b[:, None]).reshape(x.shape)

    return [Form([floats(2, 4, 3, 3), floats(2), floats(2)], {"num_groups": 2, "epsilon": 1e-2}, formula=formula)]


@form("Dropout")
def dropout(name, version):
    result = [Form([floats(3, 4)], {"is_test": 1} if version < 7 else {}, formula=lambda x: x)]
    if version < 12:
        result.append(Form([floats(3, 4)], {"ratio": 0.3} | ({"is_test": 1} if version < 7 else {}), formula=lambda x: x))
    if version >= 10:
        result.append(Form([floats(3, 4)], {}, ["y", "mask"], lambda x: [x, np.ones(x.shape, bool)], types={"mask": BOOL}, ort=version >= 12))
    elif version >= 7:
        # What the mask is at inference is open before version 12; ONNX Runtime gives zeros.
        result.append(Form([floats(3, 4)], {}, ["y", "mask"], lambda x: [x, np.ones(x.shape, F32)], ort=False))
    return result


@form("RNN", "GRU", "LSTM")
def recurrent(name, version):
    gates, hidden = {"RNN": 1, "GRU": 3, "LSTM": 4}[name], 3
    x = floats(4, 2, 5)

    def weights(count):
        return [floats(count, gates * hidden, 5, low=-1, high=1), floats(count, gates * hidden, hidden, low=-1, high=1), floats(count, 2 * gates * hidden, low=-1, high=1)]

    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731

    def formula(x, w, r, b):
        """One direction, ONNX's equations."""
        w, r, wb, rb = w[0], r[0], b[0, : gates * hidden], b[0, gates * hidden :]
        h, c, all_ = np.zeros((2, hidden)), np.zeros((2, hidden)), []
        for step in x:
            a = step @ w.T + wb
            z = h @ r.T + rb
            if name == "RNN":
                h = np.tanh(a + z)
            elif name == "LSTM":
                i, o, f, g = np.split(a + z, 4, 1)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            else:
                u, q = (sigmoid(v) for v in np.split((a + z)[:, : 2 * hidden], 2, 1))
                n = np.tanh(a[:, 2 * hidden :] + (q * h) @ r[2 * hidden :].T + rb[2 * hidden :])
                h = (1 - u) * n + u * h
            all_.append(h)
        return [np.stack(all_)[:, None].astype(F32), h[None].astype(F32)]

    attrs = {"hidden_size": hidden} | ({"output_sequence": 1} if version < 7 else {})
    result = [Form([x, *weights(1)], attrs, ["y", "h"], formula, tolerance=1e-4)]
    if version >= 7:
        result.append(Form([x, *weights(2)], attrs | {"direction": "bidirectional"}, ["y", "h"], tolerance=1e-4))
    return result


@form("Upsample")
def upsample(name, version):
    x = floats(1, 1, 2, 3)
    twice = lambda x, *_: x.repeat(2, 2).repeat(3, 3)  # noqa: E731
    if version == 1:
        return [Form([x], {"height_scale": 2.0, "width_scale": 3.0, "mode": "nearest"}, formula=twice)]
    if version == 7:
        return [Form([x], {"scales": [1.0, 1.0, 2.0, 3.0]}, formula=twice), Form([x], {"scales": [1.0, 1.0, 2.0, 2.0], "mode": "linear"})]
    scales = np.array([1, 1, 2, 3], F32)
    return [Form([x, scales], constants=(1,), formula=twice), Form([x, scales], {"mode": "linear"}, constants=(1,)), Form([x, np.array([1, 1, 1.5, 1.7], F32)], constants=(1,))]


@form("Resize")
def resize(name, version):
    x = floats(1, 1, 5, 6)
    result = []
    for scales in ([1, 1, 2, 1.5], [1, 1, 0.6, 0.5]):
        scales = np.array(scales, F32)
        for mode in ("nearest", "linear"):
            if version == 10:
                result.append(Form([x, scales], {"mode": mode}, constants=(1,)))
            else:
                for transform in ("half_pixel", "asymmetric", "align_corners"):
                    result.append(Form([x, np.array([], F32), scales], {"mode": mode, "coordinate_transformation_mode": transform}, constants=(1, 2)))
    if version == 11:
        result.append(Form([x, np.array([], F32), np.array([], F32), i64(1, 1, 3, 9)], {"mode": "cubic"}, constants=(1, 2, 3), tolerance=1e-4))
        result.append(Form([x, np.array([], F32), np.array([1, 1, 2, 2], F32)], {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}, constants=(1, 2)))
    return result


@form("GridSample")
def gridSample(name, version):
    names = ["bilinear", "nearest", "bicubic"] if version < 20 else ["linear", "nearest", "cubic"]
    grid = floats(1, 3, 3, 2, low=-1.1, high=1.1)
    return [Form([floats(1, 2, 4, 5), grid], {"mode": m}, tolerance=1e-4) for m in names]


@form("DeformConv")
def deformConv(name, version):
    return [Form([floats(1, 2, 5, 5), floats(3, 2, 2, 2), floats(1, 8, 4, 4, low=-0.6, high=0.6)], {"kernel_shape": [2, 2]}, tolerance=1e-4)]


@form("Det")
def det(name, version):
    return [Form([floats(2, 3, 3)], formula=np.linalg.det, tolerance=1e-4)]


@form("NonMaxSuppression")
def nonMaxSuppression(name, version):
    boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 10, 1, 11], [0, 10.1, 1, 11.1]]], F32)
    scores = np.array([[[0.9, 0.75, 0.6, 0.95]]], F32)
    return [Form([boxes, scores, i64(3), np.array([0.5], F32), np.array([0], F32)], types={"y": INT64})]


@form("DFT")
def dft(name, version):
    x = floats(2, 6, 3, 1)

    def formula(axis):
        def of(x):
            y = np.fft.fft(x[..., 0], axis=axis)
            return np.stack([y.real, y.imag], -1).astype(F32)

        return of

    return [Form([x], formula=formula(1), tolerance=1e-4), Form([x], {"axis": 2}, formula=formula(2), tolerance=1e-4)]


@form("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(name, version):
    data = [floats(3, 4), ints(3, low=0, high=3), floats(4, low=0.5, high=1)]
    result = [Form(data, {"reduction": r}) for r in ("none", "mean", "sum")]
    if version >= 13 or name == "SoftmaxCrossEntropyLoss":
        result.append(Form(data[:2], {"ignore_index": 2}))
    return result


# Quantization


@form("QuantizeLinear")
def quantize(name, version):
    x, types = floats(3, 4), {"y": TensorProto.UINT8}
    result = [Form([x, np.array(0.03, F32), np.array(7, np.uint8)], types=types)]
    return result + ([Form([x, floats(3, low=0.01, high=0.05), ints(3, low=0, dtype=np.uint8)], {"axis": 0}, types=types)] if version >= 13 else [])


@form("DequantizeLinear")
def dequantize(name, version):
    x, types = ints(3, 4, low=0, high=99, dtype=np.uint8), {"y": FLOAT}
    result = [Form([x, np.array(0.03, F32), np.array(7, np.uint8)], types=types)]
    return result + ([Form([x, floats(4, low=0.01, high=0.05), ints(4, low=0, dtype=np.uint8)], {"axis": -1}, types=types)] if version >= 13 else [])


@form("QLinearMatMul")
def qLinearMatMul(name, version):
    u8 = lambda v: np.array(v, np.uint8)  # noqa: E731
    a, b = ints(3, 4, low=0, high=99, dtype=np.uint8), ints(4, 5, low=0, high=99, dtype=np.uint8)
    return [Form([a, np.array(0.013, F32), u8(5), b, np.array(0.017, F32), u8(6), np.array(0.071, F32), u8(100)])]


# Control flow


def typed(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


@form("If")
def if_(name, version):
    def branch(op):
        return helper.make_graph([helper.make_node(op, ["in1"], ["o"])], op, [], [typed("o", np.zeros((3, 4), F32))])

    # The second input of the model is what the branches read.
    return [Form([np.array(c), floats(3, 4)], {"then_branch": branch("Neg"), "else_branch": branch("Abs")}, types={"y": FLOAT},
                 formula=lambda c, x: -x if c else np.abs(x)) for c in (True, False)]  # fmt: skip


@form("Loop")
def loop(name, version):
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "s"], ["t"]), helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["t"], ["row"])],
        "body", [typed("i", np.array(0)), typed("go", np.array(True)), typed("s", np.zeros(3, F32))],
        [typed("on", np.array(True)), typed("t", np.zeros(3, F32)), typed("row", np.zeros(3, F32))])  # fmt: skip
    formula = lambda m, go, x: [x * 8, np.stack([x * 2, x * 4, x * 8])]  # noqa: E731
    return [Form([np.array(3), np.array(True), floats(3)], {"body": body}, ["y", "rows"], formula, types={"y": FLOAT, "rows": FLOAT})]


@form("Scan")
def scan(name, version):
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["t"]), helper.make_node("Identity", ["t"], ["row"])],
        "body", [typed("s", np.zeros(3, F32)), typed("x", np.zeros(3, F32))], [typed("t", np.zeros(3, F32)), typed("row", np.zeros(3, F32))])  # fmt: skip
    attrs = {"body": body, "num_scan_inputs": 1}
    if version == 8:
        return [
            Form(["", floats(2, 3), floats(2, 4, 3)], attrs, ["y", "rows"], lambda s, x: [s + x.sum(1), s[:, None] + np.cumsum(x, 1)], types={"y": FLOAT}),
            Form(["", floats(2, 3), floats(2, 4, 3)], attrs | {"directions": [1]}, ["y", "rows"],
                 lambda s, x: [s + x.sum(1), s[:, None] + np.cumsum(x[:, ::-1], 1)], types={"y": FLOAT}),
        ]  # fmt: skip
    formula = lambda s, x: [s + x.sum(0), s + np.cumsum(x, 0)]  # noqa: E731
    back = lambda s, x: [s + x.sum(0), s + np.cumsum(x[::-1], 0)]  # noqa: E731
    return [Form([floats(3), floats(4, 3)], attrs, ["y", "rows"], formula), Form([floats(3), floats(4, 3)], attrs | {"scan_input_directions": [1]}, ["y", "rows"], back)]


@form("LabelEncoder")
def labelEncoder(name, version):
    words = np.array(["b", "x", "a"], dtype=object)
    if version == 1:
        attrs = {"classes_strings": ["a", "b", "c"]}
        return [
            Form([words], attrs | {"default_int64": -5}, types={"y": INT64}, formula=lambda x: i64(1, -5, 0)),
            Form([i64(2, 9, 0)], attrs | {"default_string": "none"}, types={"y": TensorProto.STRING}, formula=lambda x: np.array(["c", "none", "a"], dtype=object)),
        ]
    return [Form([words], {"keys_strings": ["a", "b"], "values_int64s": [7, 8], "default_int64": 9}, types={"y": INT64}, formula=lambda x: i64(8, 9, 7))]


@form("TreeEnsembleRegressor")
def treeEnsembleRegressor(name, version):
    attrs = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0], "nodes_values": [0.25, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LT", "LEAF", "LEAF"], "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.5, -2.0], "n_targets": 1,
    }  # fmt: skip
    return [Form([floats(6, 2)], attrs, formula=lambda x: np.where(x[:, :1] < 0.25, F32(1.5), F32(-2)))]


@form("TreeEnsembleClassifier")
def treeEnsembleClassifier(name, version):
    attrs = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0], "nodes_values": [0.25, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "class_treeids": [0, 0, 0, 0], "class_nodeids": [1, 1, 2, 2], "class_ids": [0, 1, 1, 2], "class_weights": [0.75, 0.25, 0.125, 0.875],
        "classlabels_int64s": [4, 6, 9],
    }  # fmt: skip
    return [Form([floats(6, 2)], attrs, ["label", "scores"], types={"label": INT64, "scores": FLOAT})]


@form("Attention")
def attention(name, version):
    q, k, v = floats(1, 2, 3, 4), floats(1, 2, 5, 4), floats(1, 2, 5, 4)

    def formula(q, k, v, mask=0):
        scores = q @ k.transpose(0, 1, 3, 2) / 2 + mask
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True) @ v

    return [Form([q, k, v], formula=formula, tolerance=1e-4), Form([q, k, v, floats(3, 5)], formula=formula, tolerance=1e-4)]


# Values that are no tensors: the node stands between others.


@form("SplitToSequence")
def splitToSequence(name, version):
    return [Form([floats(5, 2), np.array(2)], {"axis": 0}, ["s"], lambda x, _: x[4:], chain=[("SequenceAt", ["s", "in2"], ["y"])], extra=[np.array(-1)])]


@form("Optional")
def optional(name, version):
    return [Form([floats(3)], {}, ["o"], lambda x: x, chain=[("OptionalGetElement", ["o"], ["y"])])]


@form("OptionalGetElement", "OptionalHasElement")
def optionalElement(name, version):
    has = name == "OptionalHasElement"
    return [Form([floats(3)], {}, ["y"], lambda x: np.array(True) if has else x, before="Optional", types={"y": BOOL} if has else {})]


# Of these the values are random: their types and shapes are what can be compared.
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


@form(*sorted(RANDOM))
def random(name, version):
    x = floats(3, 4, low=0.1, high=0.9)
    if name == "Bernoulli":
        return [Form([x]), Form([x], {"dtype": int(TensorProto.INT32)}, types={"y": TensorProto.INT32})]
    if name == "Multinomial":
        return [Form([x], {"sample_size": 5}, types={"y": TensorProto.INT32})]
    if name.endswith("Like"):
        return [Form([x]), Form([x], {"dtype": int(TensorProto.DOUBLE)}, types={"y": TensorProto.DOUBLE})]
    return [Form([], {"shape": [2, 3]}, types={"y": FLOAT}), Form([], {"shape": [2, 3], "dtype": int(TensorProto.DOUBLE)}, types={"y": TensorProto.DOUBLE})]
