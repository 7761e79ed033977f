"""Products, convolutions, pools, normalisations, recurrent and quantized operators, and blocks of several nodes that
fusions look for."""

import numpy as np
from builder import FLOATS, Reject
from onnx import numpy_helper
from tensor_operators import axisOf

REALS = ("float32", "float32", "float16", "bfloat16", "float64")


def matMul(b):
    x = b.pick(FLOATS, rank=(1, 4), where=lambda a: a.size and a.shape[-1] < 200)
    k, n = b.dims(x)[-1], b.size(large=True)
    batch = [1 if b.chance(0.4) else d for d in b.dims(x)[:-2]] if b.chance(0.5) else []
    shape = [k] if b.chance(0.1) else batch + [k, n]
    fits = [m for m in b.visible() if b.fits(m, (b.type(x),), (1, 4), lambda a: a.shape[-2 if a.ndim > 1 else 0] == k)]
    y = b.choose(fits) if fits and b.chance(0.2) else b.operand(scaled(b, shape, b.type(x), k))
    b.node("MatMul", [x, y])


def scaled(b, shape, dtype, k):
    limit = 1.5 / max(k, 1) ** 0.5
    return b.data(shape, dtype, -limit, limit)


def gemm(b):
    x = b.pick(FLOATS, rank=2, where=lambda a: a.size and max(a.shape) < 200)
    transA, transB = b.integer(0, 1), b.integer(0, 1)
    m, k = b.dims(x)[:: -1 if transA else 1]
    n = b.size(large=True)
    w = b.operand(scaled(b, [n, k] if transB else [k, n], b.type(x), k))
    bias = [b.operand(b.data(b.choose([[n], [1, n], [m, n], [m, 1], [1], []]), b.type(x)))] if b.chance(0.7) else []
    attrs = {"alpha": 0.5, "beta": 0.25} if b.chance(0.3) else {}
    b.node("Gemm", [x, w, *bias], transA=transA, transB=transB, **attrs)


def einsum(b):
    equations = ["ij,jk->ik", "bij,bjk->bik", "bhid,bhjd->bhij", "ij->ji", "ij->i", "ii->i", "i,j->ij", "ijk,jl->ikl",
                 "bij,bij->b", "...ij,...jk->...ik", "ij,jk,kl->il", "abc,abd->dc"]  # fmt: skip
    equation = b.choose(equations)
    sizes = {c: b.integer(1, 6) for c in "abcdhijklbm"}
    dtype = b.pickType(("float32", "float64"))
    operands = []
    for term in equation.split("->")[0].split(","):
        shape = [sizes["b"]] * ("..." in term) + [sizes[c] for c in term.replace("...", "")]
        operands.append(b.pick((dtype,), rank=len(shape), where=lambda a, s=shape: list(a.shape) == s, make=lambda s=shape: s))
    b.node("Einsum", operands, equation=equation)


def convInput(b, types, spatial=None):
    spatial = spatial or b.choose([1, 2, 2, 2, 3])

    def make():
        return [b.integer(1, 2), b.choose([1, 2, 3, 4, 8, 16])] + [b.integer(3, 12 if spatial < 3 else 5) for _ in range(spatial)]

    return b.pick(types, rank=spatial + 2, where=lambda a: a.size and a.shape[1] <= 32 and min(a.shape[2:]) >= 2, make=make)


def window(b, sizes, dilate=True):
    """Attributes of a window that fits."""
    kernel = [b.integer(1, min(3, s)) for s in sizes]
    attrs = {"kernel_shape": kernel}
    dilations = [1] * len(sizes)
    if dilate and b.chance(0.2):
        dilations = [2 if 2 * (k - 1) + 1 <= s else 1 for k, s in zip(kernel, sizes, strict=True)]
        attrs["dilations"] = dilations
    if b.chance(0.5):
        attrs["strides"] = [b.integer(1, 2) for _ in sizes]
    if b.chance(0.5):
        attrs["pads"] = [b.integer(0, (k - 1) * d) for k, d in zip(kernel * 2, dilations * 2, strict=True)]
    elif b.chance(0.3) and dilations == [1] * len(sizes):
        attrs["auto_pad"] = b.choose(["SAME_UPPER", "SAME_LOWER", "VALID"])
    return attrs


def conv(b):
    x = convInput(b, FLOATS)
    channels, sizes = b.dims(x)[1], b.dims(x)[2:]
    groups = b.choose([g for g in (1, 1, 1, 2, 4, channels) if channels % g == 0])
    filters = groups * b.choose([1, 2, 4] if groups > 1 else [1, 3, 8, 16, 17])
    attrs = window(b, sizes)
    taps = channels // groups * int(np.prod(attrs["kernel_shape"]))
    w = b.operand(scaled(b, [filters, channels // groups, *attrs["kernel_shape"]], b.type(x), taps))
    bias = [b.operand(b.data([filters], b.type(x)))] if b.chance(0.6) else []
    y = b.node("Conv", [x, w, *bias], group=groups, **attrs)
    if b.chance(0.4):
        y = b.node(b.choose(["Relu", "Sigmoid", "HardSwish", "LeakyRelu"]), [y])
    if b.chance(0.3):
        b.node("Add", [y, b.partner(y)])


def convTranspose(b):
    x = convInput(b, ("float32", "float16", "float64"), b.choose([1, 2]))
    channels = b.dims(x)[1]
    groups = b.choose([g for g in (1, 1, 2) if channels % g == 0])
    each = b.integer(1, 4)
    kernel = [b.integer(1, 3) for _ in b.dims(x)[2:]]
    attrs = {"kernel_shape": kernel, "group": groups}
    strides = [b.integer(1, 2) for _ in kernel]
    attrs["strides"] = strides
    if b.chance(0.4):
        attrs["pads"] = [b.integer(0, k - 1) for k in kernel * 2]
    elif b.chance(0.3):
        attrs["output_padding"] = [b.integer(0, s - 1) for s in strides]
    w = b.operand(scaled(b, [channels, each, *kernel], b.type(x), channels))
    bias = [b.operand(b.data([groups * each], b.type(x)))] if b.chance(0.5) else []
    b.node("ConvTranspose", [x, w, *bias], **attrs)


def pool(b):
    op = b.choose(["MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "AveragePool"])
    x = convInput(b, ("float32", "float16", "float64"))
    if op.startswith("Global"):
        b.node(op, [x])
        return
    attrs = window(b, b.dims(x)[2:], dilate=op == "MaxPool")
    if "pads" in attrs:  # a window must see something
        attrs["pads"] = [min(p, k // 2) for p, k in zip(attrs["pads"], attrs["kernel_shape"] * 2, strict=True)]
    if op == "AveragePool" and b.chance(0.5):
        attrs["count_include_pad"] = 1
    if op != "LpPool" and b.chance(0.2) and "auto_pad" not in attrs:
        attrs["ceil_mode"] = 1
    b.node(op, [x], **attrs)


def resize(b):
    x = b.pick(("float32",), rank=4, where=lambda a: a.size and a.shape[0] * a.shape[1] < 64 and max(a.shape[2:]) < 20,
               make=lambda: [1, b.integer(1, 3), b.integer(2, 6), b.integer(2, 6)])  # fmt: skip
    mode = b.choose(["nearest", "linear", "cubic"])
    attrs = {"mode": mode}
    transforms = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    attrs["coordinate_transformation_mode"] = b.choose(transforms)
    if mode == "nearest":
        attrs["nearest_mode"] = b.choose(["round_prefer_floor", "floor", "ceil", "round_prefer_ceil"])
    if b.chance(0.5):
        scales = [1.0, 1.0, *(b.choose([0.5, 1.0, 2.0, 1.5, 3.0]) for _ in range(2))]
        b.node("Resize", [x, "", b.parameter(scales, "float32")], **attrs)
    else:
        sizes = b.dims(x)[:2] + [b.integer(1, 9) for _ in range(2)]
        b.node("Resize", [x, "", "", b.parameter(sizes)], **attrs)


def normalization(b):
    form = b.integer(0, 7)
    if form == 0:
        x = b.pick(FLOATS, rank=(1, 4), where=lambda a: a.size)
        axis = axisOf(b, x)
        shape = b.dims(x)[axis:]
        inputs = [x, b.operand(b.data(shape, b.type(x), 0.5, 1.5))] + ([b.operand(b.data(shape, b.type(x)))] if b.chance(0.6) else [])
        b.node("LayerNormalization", inputs, axis=axis, epsilon=1e-3)
    elif form == 1 and b.opset >= 23:
        x = b.pick(FLOATS, rank=(1, 4), where=lambda a: a.size)
        axis = axisOf(b, x)
        b.node("RMSNormalization", [x, b.operand(b.data(b.dims(x)[axis:], b.type(x), 0.5, 1.5))], axis=axis, epsilon=1e-3)
    elif form <= 3:
        x = convInput(b, ("float32", "float16", "float64"))
        scale, bias, mean = (b.constant(b.data([b.dims(x)[1]], b.type(x), *r)) for r in ((0.5, 1.5), (-1, 1), (-1, 1)))
        var = b.constant(b.data([b.dims(x)[1]], b.type(x), 0.5, 1.5))
        y = b.node("BatchNormalization", [x, scale, bias, mean, var])
        if b.chance(0.5):
            b.node("Relu", [y])
    elif form == 4:
        x = convInput(b, ("float32", "float64"))
        b.node("InstanceNormalization", [x, *(b.constant(b.data([b.dims(x)[1]], b.type(x), 0.5, 1.5)) for _ in range(2))], epsilon=1e-2)
    elif form == 5 and b.opset >= 21:
        x = convInput(b, ("float32",))
        groups = b.choose([g for g in (1, 2, 4) if b.dims(x)[1] % g == 0])
        b.node("GroupNormalization", [x, *(b.constant(b.data([b.dims(x)[1]], b.type(x), 0.5, 1.5)) for _ in range(2))],
               num_groups=groups, epsilon=1e-2)  # fmt: skip
    elif form == 6:
        x = convInput(b, ("float32",), 2)
        b.node("LRN", [x], size=b.choose([1, 3, 5]), alpha=0.01, beta=0.75)
    else:
        x = b.pick(("float32", "float64"), rank=(1, 4), where=lambda a: a.size)
        b.node("LpNormalization", [x], axis=axisOf(b, x), p=b.integer(1, 2))


def recurrent(b):
    op, gates = b.choose([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    x = b.pick(("float32",), rank=3, where=lambda a: a.size and max(a.shape) < 20, make=lambda: [b.integer(1, 5), b.integer(1, 3), b.integer(1, 6)])
    steps, batch, features = b.dims(x)
    hidden = b.integer(1, 6)
    direction = b.choose(["forward", "reverse", "bidirectional"])
    count = 2 if direction == "bidirectional" else 1
    w = b.operand(b.data([count, gates * hidden, features], "float32", -1, 1))
    r = b.operand(b.data([count, gates * hidden, hidden], "float32", -1, 1))
    bias = b.operand(b.data([count, 2 * gates * hidden], "float32", -1, 1)) if b.chance(0.6) else ""
    start = b.operand(b.data([count, batch, hidden], "float32", -1, 1)) if b.chance(0.4) else ""
    attrs = {"linear_before_reset": 1} if op == "GRU" and b.chance(0.5) else {}
    b.node(op, [x, w, r, bias, "", start], [True, b.chance(0.7)], hidden_size=hidden, direction=direction, **attrs)


def quantize(b):
    """Quantized and back, for a tensor, along an axis, or in blocks."""
    x = b.pick(("float32",), rank=(1, 4), where=lambda a: a.size)
    dtype = b.choose(["uint8", "int8"])
    axis = axisOf(b, x)
    form = b.integer(0, 2 if b.opset >= 21 else 1)
    shape = [[], [b.dims(x)[axis]], b.dims(x)][form]
    attrs = {} if form == 0 else {"axis": axis}
    if form == 2:
        size = b.dims(x)[axis]
        block = b.choose([k for k in (1, 2, 3, 4, 8) if k <= size and -(-size // k) * k - size < k])
        shape = [-(-size // block) if i == axis % b.rank(x) else d for i, d in enumerate(shape)]
        attrs["block_size"] = block
    scale = b.constant(b.data(shape, "float32", 0.02, 0.1))
    zero = [b.constant(b.data(shape, dtype, 0, 10))] if b.chance(0.7) or dtype == "int8" else []
    q = b.node("QuantizeLinear", [x, scale, *zero], **attrs)
    if b.chance(0.8):
        b.node("DequantizeLinear", [q, scale, *zero], **attrs)


def quantizedBlock(b):
    """Dequantized operands of a product, and its result quantized."""
    def quantized(array, low, high, dtype, zero):
        scale = b.constant(np.float32((high - low) / 250))
        point = b.constant(np.array(zero, dtype))
        return b.node("DequantizeLinear", [b.node("QuantizeLinear", [array, scale, point]), scale, point])

    if b.chance(0.5):
        x = b.pick(("float32",), rank=(2, 3), where=lambda a: a.size and a.shape[-1] < 100)
        k, n = b.dims(x)[-1], b.size(large=True) or 1
        w = b.initializer(b.data([k, n], "int8", -100, 100))
        scale = b.constant(b.data([n], "float32", 0.001, 0.01)) if b.chance(0.5) else b.constant(np.float32(0.007))
        zero = b.constant(np.zeros(b.dims(scale), np.int8))
        weights = b.node("DequantizeLinear", [w, scale, zero], axis=1)
        y = b.node("MatMul", [quantized(x, -2, 2, "uint8", 128), weights])
    else:
        x = convInput(b, ("float32",), 2)
        filters = b.choose([1, 4, 16])
        w = b.initializer(b.data([filters, b.dims(x)[1], 3, 3], "int8", -100, 100))
        scale = b.constant(b.data([filters], "float32", 0.001, 0.01))
        weights = b.node("DequantizeLinear", [w, scale, b.constant(np.zeros([filters], np.int8))], axis=0)
        y = b.node("Conv", [quantized(x, -2, 2, b.choose(["uint8", "int8"]), 0), weights], pads=[1, 1, 1, 1])
        if b.chance(0.5):
            y = b.node("Relu", [y])
    if b.chance(0.6):
        quantized(y, -4, 4, "uint8", 128)


def integerProducts(b):
    form = b.integer(0, 3)
    kinds = ("uint8", "int8")
    if form == 0:
        x = b.pick(kinds, rank=(2, 3), where=lambda a: a.size)
        dtype = b.choose(kinds)
        w = b.operand(b.data([b.dims(x)[-1], b.size(large=True)], dtype, 0))
        zeros = [b.operand(b.data([], t, 0, 5)) for t in (b.type(x), dtype)][: b.integer(0, 2)]
        b.node("MatMulInteger", [x, w, *zeros])
    elif form == 1:
        x = convInput(b, ("uint8",), 2)
        w = b.operand(b.data([b.integer(1, 8), b.dims(x)[1], 2, 2], "uint8", 0, 9))
        zeros = [b.operand(b.data([], "uint8", 0, 5)) for _ in range(b.integer(0, 2))]
        b.node("ConvInteger", [x, w, *zeros], pads=[0, 1, 1, 0])
    elif form == 2:
        x = b.pick(("uint8",), rank=2, where=lambda a: a.size and a.shape[1] < 100)
        n = b.size(large=True) or 1
        scalar = lambda v: b.constant(np.float32(v))  # noqa: E731
        point = lambda v: b.constant(np.uint8(v))  # noqa: E731
        w = b.operand(b.data([b.dims(x)[1], n], "uint8", 0, 9))
        b.node("QLinearMatMul", [x, scalar(0.0171), point(3), w, scalar(0.0253), point(4), scalar(0.0137), point(120)])
    else:
        x = b.pick(("float32",), rank=(1, 3), where=lambda a: a.size)
        b.node("DynamicQuantizeLinear", [x], [True, True, True])


def attentionBlock(b):
    """softmax(q kᵀ / √d + mask) v, as exporters write it."""
    heads, rows, columns, depth = b.integer(1, 3), b.integer(1, 8), b.integer(1, 9), b.choose([4, 8, 16])
    dtype = b.choose(REALS)
    batch = b.integer(1, 2)
    q = b.operand(b.data([batch, heads, rows, depth], dtype, -1, 1))
    k, v = (b.operand(b.data([batch, heads, columns, depth], dtype, -1, 1)) for _ in range(2))
    if b.opset >= 23 and b.chance(0.3):
        mask = [b.operand(b.data([rows, columns], dtype, -1, 1))] if b.chance(0.5) else []
        b.node("Attention", [q, k, v, *mask], **({"is_causal": 1} if not mask and b.chance(0.5) else {}))
        return
    number = lambda x: b.constant(np.asarray(x).astype(b.array(q).dtype))  # noqa: E731
    scores = b.node("MatMul", [q, b.node("Transpose", [k], perm=[0, 1, 3, 2])])
    scores = b.node("Div", [scores, number(depth**0.5)]) if b.chance(0.5) else b.node("Mul", [scores, number(depth**-0.5)])
    if b.chance(0.5):
        scores = b.node("Add", [scores, b.operand(b.data([batch, 1, rows, columns], dtype, -2, 0))])
    weights = b.node("Softmax", [scores], axis=-1)
    y = b.node("Transpose", [b.node("MatMul", [weights, v])], perm=[0, 2, 1, 3])
    b.node("Reshape", [y, b.parameter([0, 0, heads * depth])])


def decomposedBlock(b):
    """Normalisations and activations in pieces."""
    form = b.integer(0, 4)
    x = b.pick(FLOATS, rank=(2, 4), where=lambda a: a.size and a.shape[-1] > 1)
    number = lambda v: b.constant(np.asarray(v).astype(b.array(x).dtype))  # noqa: E731
    mean = lambda v: b.node("ReduceMean", [v, b.constant(np.array([-1]))] if b.opset >= 18 else [v], keepdims=1)  # noqa: E731
    if form == 0:
        centred = b.node("Sub", [x, mean(x)])
        variance = mean(b.node("Mul", [centred, centred]) if b.chance(0.5) else b.node("Pow", [centred, number(2)]))
        normal = b.node("Div", [centred, b.node("Sqrt", [b.node("Add", [variance, number(1e-3)])])])
        b.node("Add", [b.node("Mul", [normal, number(b.data(b.dims(x)[-1:], "float32"))]), number(0.5)])
    elif form == 1:
        inner = b.node("Add", [b.node("Erf", [b.node("Div", [x, number(2**0.5)])]), number(1)])
        b.node("Mul", [b.node("Mul", [x, inner]), number(0.5)])
    elif form == 2:
        b.node("Mul", [x, b.node("Sigmoid", [x])])
    elif form == 3:
        root = b.node("Sqrt", [b.node("Add", [mean(b.node("Mul", [x, x])), number(1e-3)])])
        b.node("Mul", [b.node("Mul", [x, b.node("Reciprocal", [root])]), b.partner(x)])
    else:
        largest = b.node("ReduceMax", [x, b.constant(np.array([-1]))] if b.opset >= 18 else [x], keepdims=1)
        e = b.node("Exp", [b.node("Sub", [x, largest])])
        total = b.node("ReduceSum", [e, b.constant(np.array([-1]))], keepdims=1)
        b.node("Div", [e, total])


def loss(b):
    classes, batch = b.integer(2, 5), b.integer(1, 4)
    tail = [b.integer(1, 3)] * b.integer(0, 2)
    x = b.operand(b.data([batch, classes, *tail], "float32"))
    target = b.operand(b.data([batch, *tail], "int64", 0, classes - 1))
    weights = [b.operand(b.data([classes], "float32", 0.5, 1))] if b.chance(0.5) else []
    attrs = {"reduction": b.choose(["none", "mean", "sum"])}
    if b.chance(0.3):
        attrs["ignore_index"] = 1 if weights else 0
    b.node(b.choose(["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"]), [x, target, *weights], **attrs)


def images(b):
    form = b.integer(0, 2)
    if form == 0:
        x = convInput(b, ("float32",), 2)
        grid = b.operand(b.data([b.dims(x)[0], b.integer(1, 4), b.integer(1, 4), 2], "float32", -1.2, 1.2))
        mode = b.choose(["linear", "nearest", "cubic"]) if b.opset >= 20 else b.choose(["bilinear", "nearest"])
        b.node("GridSample", [x, grid], mode=mode, padding_mode=b.choose(["zeros", "border", "reflection"]), align_corners=b.integer(0, 1))
    elif form == 1 and b.opset >= 20:
        theta = b.operand(b.data([b.integer(1, 2), 2, 3], "float32"))
        # Where the corners of a single pixel are is anybody's guess.
        corners = b.integer(0, 1)
        size = [b.dims(theta)[0], 1, b.integer(1 + corners, 4), b.integer(1 + corners, 4)]
        b.node("AffineGrid", [theta, b.parameter(size)], align_corners=corners)
    else:
        n = b.integer(1, 4)
        x = b.operand(b.data([b.integer(1, 3), n, n], "float32") + 2 * np.eye(n, dtype=np.float32))
        b.node("Det", [x])


def signal(b):
    if b.chance(0.5):
        op = b.choose(["HannWindow", "HammingWindow", "BlackmanWindow"])
        b.node(op, [b.parameter(b.integer(1, 12))], periodic=b.integer(0, 1))
        return
    x = b.operand(b.data([b.integer(1, 2), b.integer(2, 9), 1], "float32"))
    if b.opset < 20:
        raise Reject("opset")
    b.node("DFT", [x, "", b.parameter(1)], onesided=b.integer(0, 1))


def residual(b):
    """Adds what a value became to what it was."""
    x = b.pick(FLOATS, rank=(1, 4), where=lambda a: a.size and a.shape[-1] < 70)
    n = b.dims(x)[-1]
    y = b.node("MatMul", [x, b.operand(scaled(b, [n, n], b.type(x), n))])
    y = b.node(b.choose(["Relu", "Tanh", "Sigmoid", "Identity"]), [y])
    b.node("Add", [x, y] if b.chance(0.5) else [y, x])


def constantNode(b):
    value = b.data(b.shape(), b.pickType())
    b.node("Constant", [], value=numpy_helper.from_array(value, ""))


TEMPLATES = [
    (matMul, 5), (gemm, 3), (einsum, 1.5), (conv, 5), (convTranspose, 1), (pool, 3), (resize, 1.5), (normalization, 4), (recurrent, 1),
    (quantize, 3), (quantizedBlock, 1.5), (integerProducts, 2), (attentionBlock, 1.5), (decomposedBlock, 3), (loss, 0.7), (images, 1),
    (signal, 0.5), (residual, 4), (constantNode, 0.3),
]  # fmt: skip
