"""Models as ONNX Runtime's optimizers and quantizers write them, against ONNX Runtime."""

import collections

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser
from onnxruntime import quantization
from onnxruntime.transformers import optimizer

import onnxc

Level = onnxruntime.GraphOptimizationLevel
LEVELS = {"extended": Level.ORT_ENABLE_EXTENDED, "all": Level.ORT_ENABLE_ALL}
# Operators that only the machine understands on which they were written.
MACHINE = {"com.microsoft.nchwc", "com.ms.internal.nhwc"}

TRANSFORMER = """
<ir_version: 8, opset_import: ["": 17]>
bert (int64[B, S] input_ids, int64[B, S] attention_mask, int64[B, S] token_type_ids) => (float[B, S, 32] output)
<int64[4] heads = {0, 0, 4, 8}, int64[3] hidden = {0, 0, 32}, float root = {2.8284271}, float one = {1.0},
 float half = {0.5}, float sqrt2 = {1.4142135}, float eps = {1e-5}, float low = {-10000.0}, int64[1] axis1 = {1}, int64[1] axis2 = {2},
 int64[1] zero = {0}, int64 one64 = {1}>
{
  word = Gather(words, input_ids)
  kind = Gather(kinds, token_type_ids)
  shape = Shape(input_ids)
  length = Gather(shape, one64)
  lengths = Unsqueeze(length, zero)
  place = Slice(places, zero, lengths, zero)
  position = Unsqueeze(place, zero)
  sum1 = Add(word, kind)
  sum2 = Add(sum1, position)
  x = LayerNormalization<axis = -1, epsilon = 1e-5>(sum2, gamma0, beta0)
  mask1 = Unsqueeze(attention_mask, axis1)
  mask2 = Unsqueeze(mask1, axis2)
  mask3 = Cast<to = 1>(mask2)
  mask4 = Sub(one, mask3)
  mask = Mul(mask4, low)
  q1 = MatMul(x, wq)
  q2 = Add(bq, q1)
  q3 = Reshape(q2, heads)
  q = Transpose<perm = [0, 2, 1, 3]>(q3)
  k1 = MatMul(x, wk)
  k2 = Add(bk, k1)
  k3 = Reshape(k2, heads)
  k = Transpose<perm = [0, 2, 3, 1]>(k3)
  v1 = MatMul(x, wv)
  v2 = Add(bv, v1)
  v3 = Reshape(v2, heads)
  v = Transpose<perm = [0, 2, 1, 3]>(v3)
  qk = MatMul(q, k)
  scaled = Div(qk, root)
  masked = Add(scaled, mask)
  p = Softmax<axis = -1>(masked)
  o1 = MatMul(p, v)
  o2 = Transpose<perm = [0, 2, 1, 3]>(o1)
  o3 = Reshape(o2, hidden)
  o4 = MatMul(o3, wo)
  o5 = Add(bo, o4)
  skip1 = Add(o5, x)
  y = LayerNormalization<axis = -1, epsilon = 1e-5>(skip1, gamma1, beta1)
  f1 = MatMul(y, w1)
  f2 = Add(b1, f1)
  g1 = Div(f2, sqrt2)
  g2 = Erf(g1)
  g3 = Add(g2, one)
  g4 = Mul(f2, g3)
  g5 = Mul(g4, half)
  f3 = MatMul(g5, w2)
  f4 = Add(b2, f3)
  skip2 = Add(f4, y)
  output = LayerNormalization<axis = -1, epsilon = 1e-5>(skip2, gamma2, beta2)
}
"""
WEIGHTS = {
    "words": (50, 32), "kinds": (2, 32), "places": (16, 32), "w1": (32, 64), "b1": (64,), "w2": (64, 32), "b2": (32,),
    **{w: (32, 32) for w in ("wq", "wk", "wv", "wo")}, **{b: (32,) for b in ("bq", "bk", "bv", "bo")},
    **{f"{kind}{i}": (32,) for kind in ("gamma", "beta") for i in range(3)},
}  # fmt: skip

NETWORK = """
<ir_version: 8, opset_import: ["": 17]>
network (float[N, 3, 16, 16] x) => (float[N, 10] y)
<int64[2] flat = {0, -1}>
{
  c1 = Conv<pads = [1, 1, 1, 1]>(x, wc1, bc1)
  r1 = Relu(c1)
  c2 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(r1, wc2, bc2)
  s2 = Sigmoid(c2)
  h2 = Mul(c2, s2)
  c3 = Conv(h2, wc3)
  a3 = Add(c3, h2)
  r3 = LeakyRelu<alpha = 0.1>(a3)
  m3 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r3)
  c4 = Conv<pads = [1, 1, 1, 1]>(m3, wc4, bc4)
  j4 = Concat<axis = 1>(m3, c4)
  p4 = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(j4)
  g4 = GlobalAveragePool(p4)
  f4 = Reshape(g4, flat)
  y1 = Gemm<transB = 1>(f4, wg, bg)
  y = Softmax<axis = -1>(y1)
}
"""
FILTERS = {
    "wc1": (16, 3, 3, 3), "bc1": (16,), "wc2": (16, 16, 3, 3), "bc2": (16,), "wc3": (16, 16, 1, 1), "wc4": (16, 16, 3, 3),
    "bc4": (16,), "wg": (10, 32), "bg": (10,),
}  # fmt: skip


def build(text, weights, path):
    """Parses a model, in which the weights are random, and writes it."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(0, 1 / np.sqrt(shape[-1] if len(shape) == 2 else np.prod(shape[1:], initial=1.0)), shape)
              for name, shape in weights.items()}  # fmt: skip
    declared = ", ".join(f"float[{', '.join(map(str, shape))}] {name}" for name, shape in weights.items())
    model = parser.parse_model(text.replace(") => (", f", {declared}) => (", 1))
    for value in [v for v in model.graph.input if v.name in weights]:
        model.graph.input.remove(value)
        model.graph.initializer.append(onnx.numpy_helper.from_array(arrays[value.name].astype(np.float32), value.name))
    onnx.checker.check_model(model)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def transformerFeed(batch=2, length=7, seed=1):
    rng = np.random.default_rng(seed)
    mask = np.ones((batch, length), np.int64)
    mask[0, length - 2 :] = 0
    return {"input_ids": rng.integers(0, 50, (batch, length)), "attention_mask": mask,
            "token_type_ids": rng.integers(0, 2, (batch, length))}  # fmt: skip


def networkFeed(batch=2, seed=1):
    return {"x": np.random.default_rng(seed).normal(0, 1, (batch, 3, 16, 16)).astype(np.float32)}


@pytest.fixture
def transformer(tmp_path):
    return build(TRANSFORMER, WEIGHTS, str(tmp_path / "transformer.onnx"))


@pytest.fixture
def network(tmp_path):
    return build(NETWORK, FILTERS, str(tmp_path / "network.onnx"))


class Calibration(quantization.CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def optimized(path, level):
    """The model as ONNX Runtime writes it after its optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.optimized_model_filepath = path.replace(".onnx", f".{level}.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options)
    return options.optimized_model_filepath


def microsoftOps(path):
    return collections.Counter(node.op_type for node in onnx.load(path).graph.node if node.domain.startswith("com."))


def check(path, feeds, tolerance):
    """Compares with ONNX Runtime, which runs the same file."""
    if any(node.domain in MACHINE for node in onnx.load(path).graph.node):
        pytest.skip("the model is laid out for this machine")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = Level.ORT_DISABLE_ALL
    reference = onnxruntime.InferenceSession(path, options)
    session = onnxc.InferenceSession(onnxc.compile(path, path.replace(".onnx", ".so")))
    for feed in feeds:
        for expected, actual in zip(reference.run(None, feed), session.run(None, feed), strict=True):
            assert actual.shape == expected.shape
            np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


TRANSFORMER_FEEDS = [transformerFeed(), transformerFeed(1, 12), transformerFeed(3, 4)]
NETWORK_FEEDS = [networkFeed(), networkFeed(5)]


@pytest.mark.parametrize("level", LEVELS)
def testOptimizedTransformer(transformer, level):
    path = optimized(transformer, level)
    assert microsoftOps(path)
    check(path, TRANSFORMER_FEEDS, 1e-4)


def testTransformersOptimizer(transformer):
    """The offline optimizer for transformers fuses attention and embeddings whole."""
    path = transformer.replace(".onnx", ".fused.onnx")
    optimizer.optimize_model(transformer, model_type="bert", num_heads=4, hidden_size=32, opt_level=0).save_model_to_file(path)
    assert {"Attention", "SkipLayerNormalization"} <= set(microsoftOps(path))
    check(path, TRANSFORMER_FEEDS, 1e-4)


@pytest.mark.parametrize("level", LEVELS)
def testOptimizedNetwork(network, level):
    path = optimized(network, level)
    check(path, NETWORK_FEEDS, 1e-4)


@pytest.mark.parametrize("level", [None, *LEVELS])
@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("model", ["transformer", "fused", "network"])
def testDynamicallyQuantized(request, model, weights, level):
    source = request.getfixturevalue("network" if model == "network" else "transformer")
    if model == "fused":
        fused = source.replace(".onnx", ".fused.onnx")
        optimizer.optimize_model(source, model_type="bert", num_heads=4, hidden_size=32, opt_level=0).save_model_to_file(fused)
        source = fused
    path = source.replace(".onnx", ".dynamic.onnx")
    # ONNX Runtime has no kernel for ConvInteger with signed weights.
    kinds = ["MatMul", "Attention", "Gather", "Gemm"]
    quantization.quantize_dynamic(source, path, weight_type=quantization.QuantType[weights], op_types_to_quantize=kinds)
    if level:
        path = optimized(path, level)
    # A rounding that falls the other way moves what is behind it by a step.
    check(path, NETWORK_FEEDS if model == "network" else TRANSFORMER_FEEDS, 0.02)


@pytest.mark.parametrize("level", [None, *LEVELS])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("model", ["transformer", "network"])
def testStaticallyQuantized(request, model, form, level):
    source = request.getfixturevalue(model)
    path = source.replace(".onnx", ".static.onnx")
    feeds = [networkFeed(4, seed) for seed in range(4)]
    if model == "transformer":
        feeds = [transformerFeed(4, 9, seed) for seed in range(4)]
    quantization.quantize_static(source, path, Calibration(feeds), quant_format=quantization.QuantFormat[form])
    if level:
        path = optimized(path, level)
    check(path, NETWORK_FEEDS if model == "network" else TRANSFORMER_FEEDS, 0.05)


@pytest.mark.parametrize("name", ["BeamSearch", "GreedySearch", "Sampling"])
def testDecodingLoopsAreRefused(tmp_path, name):
    body = parser.parse_graph("decoder (float[1] x) => (float[1] y) { y = Relu(x) }")
    node = onnx.helper.make_node(name, ["ids"], ["out"], domain="com.microsoft", decoder=body)
    graph = onnx.helper.make_graph(
        [node], "loop", [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT32, [1, 4])],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.INT32, [1, None])],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(Exception, match="export the encoder and the decoder's step"):
        onnxc.compile(model, str(tmp_path / "loop.so"))


def testMachineLayoutIsRefused(tmp_path):
    model = parser.parse_model("""
<ir_version: 8, opset_import: ["": 17, "com.microsoft.nchwc": 1]>
laid (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y)
{
  y = com.microsoft.nchwc.ReorderInput(x)
}
""")
    with pytest.raises(Exception, match="ORT_ENABLE_EXTENDED"):
        onnxc.compile(model, str(tmp_path / "laid.so"))


RAGGED = """
<ir_version: 10, opset_import: ["": 17, "com.microsoft": 1]>
ragged (float[B, S, 64] q, float[B, S, 32] k, float[B, S, 32] v, float[B, 2, P, 16] pk, float[B, 2, P, 16] pv, int32[B] last, int32 total,
        float[20, 8] cos, float[20, 8] sin) => (float[B, S, 64] y, float[B, 2, T, 16] nk, float[B, 2, T, 16] nv)
{
  y, nk, nv = com.microsoft.GroupQueryAttention<num_heads = 4, kv_num_heads = 2, do_rotary = 1, local_window_size = 3>(q, k, v, pk, pv, last, total, cos, sin)
}
"""


def testRaggedGroupQueries(tmp_path):
    """Sequences of their own lengths, with and without room in the cache; what is padding may be anything."""
    model = parser.parse_model(RAGGED)
    reference = onnxruntime.InferenceSession(model.SerializeToString())
    session = onnxc.InferenceSession(onnxc.compile(model, str(tmp_path / "ragged.so")))
    rng = np.random.default_rng(0)
    for batch, new, past, last, total in [
        (2, 5, 0, [4, 2], 5), (2, 5, 12, [4, 2], 5), (3, 1, 12, [7, 3, 11], 12), (2, 1, 6, [6, 4], 7), (1, 4, 12, [9], 10),
    ]:  # fmt: skip
        shapes = {
            "q": (batch, new, 64), "k": (batch, new, 32), "v": (batch, new, 32), "pk": (batch, 2, past, 16),
            "pv": (batch, 2, past, 16), "cos": (20, 8), "sin": (20, 8),
        }  # fmt: skip
        feed = {name: rng.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
        feed |= {"last": np.array(last, np.int32), "total": np.array(total, np.int32)}
        expected, actual = reference.run(None, feed), session.run(None, feed)
        assert [a.shape for a in actual] == [e.shape for e in expected]
        for i in range(batch):
            length = last[i] + 1
            rows = length if new == total else new
            np.testing.assert_allclose(actual[0][i, :rows], expected[0][i, :rows], atol=1e-5)
            for cache in (1, 2):
                np.testing.assert_allclose(actual[cache][i, :, :length], expected[cache][i, :, :length], atol=1e-5)
