"""The matrix products and convolutions of single_ops.py; what it imports from single_cases.py it adds to."""

import math

import numpy as np
from onnx import TensorProto, helper
from single_cases import CASES, model, normal

# ---- matrix products ----


def product(name, left, right, constant=True, bias=False, after=None, dynamic=False, **attributes):
    """left x right, with a constant or computed right side; bias and an activation after it.

    dynamic: the sizes of the inputs are not known when the model is compiled.
    """

    def make():
        a, b = normal(*left), normal(*right) * 0.05
        feed, constants = ({"a": a}, {"b": b}) if constant else ({"a": a, "b": b}, {})
        nodes = [helper.make_node("Gemm" if attributes else "MatMul", ["a", "b"], ["p"], **attributes)]
        if bias:
            constants["c"] = normal(right[-1])
            nodes.append(helper.make_node("Add", ["p", "c"], ["q"]))
        for op in [after] if after else []:
            nodes.append(helper.make_node(op, nodes[-1].output, ["r"]))
        nodes[-1].output[0] = "y"
        made, feed = model(nodes, feed, {"y": TensorProto.FLOAT}, constants)
        for value in made.graph.input if dynamic else []:
            for number, dim in enumerate(value.type.tensor_type.shape.dim):
                # The depth is one size of both.
                isDepth = number == len(feed[value.name].shape) - (1 if value.name == "a" else 2)
                dim.dim_param = "depth" if isDepth and not constant else f"{value.name}{number}"
            if constant:
                value.type.tensor_type.shape.dim[-1].dim_value = left[-1]
        return made, feed

    CASES.append(("product", name, make))


for m, k, n in [(512, 512, 512), (1024, 1024, 1024), (128, 768, 768), (128, 768, 3072), (128, 3072, 768), (49, 512, 2048),
                (197, 768, 2304), (1, 768, 3072), (1, 4096, 4096), (2, 768, 3072), (4, 768, 3072), (8, 768, 3072),
                (16, 768, 3072), (8, 1024, 1024), (128, 512, 1000), (1, 512, 1000), (128, 512, 1001), (64, 2048, 17),
                (512, 512, 8), (512, 512, 1), (40, 120, 6625), (1000, 64, 64), (3000, 32, 16), (64, 64, 10)]:
    product(f"MatMul {m}x{k}x{n}", (m, k), (k, n))
product("MatMul 128x768x3072, bias, Relu", (128, 768), (768, 3072), bias=True, after="Relu")
product("MatMul 128x768x3072, bias, Gelu", (128, 768), (768, 3072), bias=True, after="Gelu")
product("Gemm 128x768x768, transB", (128, 768), (768, 768), transB=1)
product("MatMul 128x768x768, rows unknown", (128, 768), (768, 768), dynamic=True)
product("MatMul 512 cubed, computed", (512, 512), (512, 512), constant=False)
product("MatMul 1024 cubed, computed", (1024, 1024), (1024, 1024), constant=False)
product("MatMul 128x768x768, computed", (128, 768), (768, 768), constant=False)
product("MatMul 128x768x768, computed, sizes unknown", (128, 768), (768, 768), constant=False, dynamic=True)
product("MatMul 128x512x1000, computed", (128, 512), (512, 1000), constant=False)
product("MatMul 1x768x768, computed", (1, 768), (768, 768), constant=False)
product("MatMul 8x768x768, computed", (8, 768), (768, 768), constant=False)
product("Gemm 128x768x768, transB, computed", (128, 768), (768, 768), constant=False, transB=1)
product("Gemm 512 cubed, transB, computed", (512, 512), (512, 512), constant=False, transB=1)
product("Gemm 128x768x768, transA, computed", (768, 128), (768, 768), constant=False, transA=1)
product("MatMul 12x128x64x128, computed", (12, 128, 64), (12, 64, 128), constant=False)
product("MatMul 12x128x64x128, computed, sizes unknown", (12, 128, 64), (12, 64, 128), constant=False, dynamic=True)
product("MatMul 12x128x128x64, computed", (12, 128, 128), (12, 128, 64), constant=False)
product("MatMul 12x1x64x512, computed", (12, 1, 64), (12, 64, 512), constant=False)
product("MatMul 8x256x256x256, computed", (8, 256, 256), (8, 256, 256), constant=False)

# ---- convolutions ----


def convolution(name, channels, filters, size, kernel, stride=1, pad=0, group=1, op="Conv", **attributes):
    """size and kernel: one number for each axis, or one for both axes of an image. In NCHW at both ends, as exported."""

    def make():
        sizes = size if isinstance(size, tuple) else (size, size)
        kernels = kernel if isinstance(kernel, tuple) else (kernel,) * len(sizes)
        rank = len(sizes)
        shape = (channels, filters // group, *kernels) if op == "ConvTranspose" else (filters, channels // group, *kernels)
        weights = normal(*shape) / np.float32(math.sqrt(math.prod(shape[1:])))
        node = helper.make_node(op, ["x", "w", "b"], ["y"], strides=[stride] * rank, pads=[pad] * 2 * rank, group=group, **attributes)
        return model([node], {"x": normal(1, channels, *sizes)}, {"y": TensorProto.FLOAT}, {"w": weights, "b": normal(filters)})

    CASES.append(("convolution", name, make))


# Those of the studies: name, channels, filters, size, kernel, stride, pad, group.
for name, *shape in [
    ("7x7 s2 3-64 @224", 3, 64, 224, 7, 2, 3), ("3x3 64 @56", 64, 64, 56, 3, 1, 1), ("3x3 128 @28", 128, 128, 28, 3, 1, 1),
    ("3x3 256 @14", 256, 256, 14, 3, 1, 1), ("3x3 512 @7", 512, 512, 7, 3, 1, 1), ("3x3 s2 128 @56", 128, 128, 56, 3, 2, 1),
    ("1x1 256-64 @56", 256, 64, 56, 1), ("1x1 64-256 @56", 64, 256, 56, 1), ("1x1 512-128 @28", 512, 128, 28, 1),
    ("1x1 256-1024 @14", 256, 1024, 14, 1), ("1x1 512-2048 @7", 512, 2048, 7, 1), ("1x1 s2 256-512 @56", 256, 512, 56, 1, 2),
    ("3x3 s2 3-32 @224", 3, 32, 224, 3, 2, 1), ("3x3 s2 3-64 @112", 3, 64, 112, 3, 2, 1),
    ("dw 3x3 32 @112", 32, 32, 112, 3, 1, 1, 32), ("dw 3x3 s2 144 @56", 144, 144, 56, 3, 2, 1, 144),
    ("dw 3x3 576 @14", 576, 576, 14, 3, 1, 1, 576), ("dw 3x3 960 @7", 960, 960, 7, 3, 1, 1, 960),
    ("dw 3x3 64 @56", 64, 64, 56, 3, 1, 1, 64), ("dw 7x7 512 @7, no pads", 512, 512, 7, 7, 1, 0, 512),
    ("1x1 96-24 @56", 96, 24, 56, 1), ("1x1 24-144 @56", 24, 144, 56, 1), ("1x1 96-576 @14", 96, 576, 14, 1),
    ("1x1 960-160 @7", 960, 160, 7, 1), ("1x1 128-64 @28", 128, 64, 28, 1), ("3x3 128 @7", 128, 128, 7, 3, 1, 1),
    ("3x3 64 @256", 64, 64, 256, 3, 1, 1), ("3x3 256 @64", 256, 256, 64, 3, 1, 1), ("3x3 512 @32", 512, 512, 32, 3, 1, 1),
]:
    convolution(f"Conv {name}", *shape)
# The other kinds.
convolution("Conv 3x3 group 32, 128 @56", 128, 128, 56, 3, 1, 1, 32)
convolution("Conv 3x3 s2 group 32, 256 @56", 256, 256, 56, 3, 2, 1, 32)
convolution("Conv 1x1 group 3, 240 @28", 240, 240, 28, 1, 1, 0, 3)
convolution("Conv 3x3 dilated 2, 256 @28", 256, 256, 28, 3, 1, 2, dilations=[2, 2])
convolution("Conv 3x3 dilated 12, 256-64 @28", 256, 64, 28, 3, 1, 12, dilations=[12, 12])
convolution("Conv 5x5 32-64 @28", 32, 64, 28, 5, 1, 2)
convolution("Conv 1x7 192 @17", 192, 192, 17, (1, 7))
convolution("Conv 3x3 3-16 @320", 3, 16, 320, 3, 1, 1)
convolution("Conv 9x9 1-64 @128", 1, 64, 128, 9, 1, 4)
convolution("Conv 3x3 64-3 @128", 64, 3, 128, 3, 1, 1)
convolution("Conv 3x3 20-50 @30", 20, 50, 30, 3, 1, 1)
convolution("Conv 1-D 3, 256 @200", 256, 256, (200,), 3, 1, 1)
convolution("Conv 1-D 400 s160, 1-128 @16000", 1, 128, (16000,), 400, 160)
convolution("Conv 1-D dw 15, 256 @200", 256, 256, (200,), 15, 1, 7, 256)
convolution("Conv 1-D 3 dilated 8, 64 @1000", 64, 64, (1000,), 3, 1, 8, dilations=[8])
convolution("Conv 3-D 3x3x3 32 @8x28x28", 32, 32, (8, 28, 28), 3, 1, 1)
convolution("Conv 3-D 1x3x3 64 @8x28x28", 64, 64, (8, 28, 28), (1, 3, 3))
convolution("Conv 3-D 3x3x3 s2 3-16 @16x56x56", 3, 16, (16, 56, 56), 3, 2, 1)
convolution("ConvTranspose 2x2 s2", 64, 32, 56, 2, 2, op="ConvTranspose")
convolution("ConvTranspose 4x4 s2", 64, 32, 28, 4, 2, 1, op="ConvTranspose")
convolution("ConvTranspose 3x3 s1", 32, 32, 56, 3, 1, 1, op="ConvTranspose")
convolution("ConvTranspose 1-D", 128, 64, (200,), 16, 8, 4, op="ConvTranspose")
convolution("ConvTranspose group", 64, 64, 28, 4, 2, 1, 64, op="ConvTranspose")


def chain(filters, size, blocks):
    """Residual blocks of two convolutions: the layout stays, and the weights take turns in the caches."""

    def make():
        nodes, constants, at = [], {}, "x"
        for block in range(blocks):
            for half in "ab":
                constants[f"w{block}{half}"] = normal(filters, filters, 3, 3) * np.float32(0.1 / math.sqrt(filters))
                constants[f"c{block}{half}"] = normal(filters)
            names = [f"{n}{block}" for n in "defg"] + ["y" if block + 1 == blocks else f"h{block}"]
            nodes += [
                helper.make_node("Conv", [at, f"w{block}a", f"c{block}a"], names[:1], pads=[1] * 4),
                helper.make_node("Relu", names[:1], names[1:2]),
                helper.make_node("Conv", [names[1], f"w{block}b", f"c{block}b"], names[2:3], pads=[1] * 4),
                helper.make_node("Add", [names[2], at], names[3:4]),
                helper.make_node("Relu", names[3:4], names[4:]),
            ]
            at = names[4]
        return model(nodes, {"x": normal(1, filters, size, size)}, {"y": TensorProto.FLOAT}, constants)

    CASES.append(("convolution", f"Chain of {2 * blocks} Conv 3x3 {filters} @{size}", make))


for filters, size in [(64, 56), (128, 28), (256, 14), (512, 7)]:
    chain(filters, size, 4)
