"""Custom operators (docs/custom-operators.md): test/custom-ops/operators.c as a shared library, which models load, and
as an archive that becomes part of them; and operators that ONNX functions define."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx.parser
import pytest
from onnx.reference import ReferenceEvaluator

import onnxc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "targets"))
import remote  # noqa: E402

BUILD = Path(os.environ.get("ONNXC_BUILD") or Path(__file__).resolve().parents[2] / "build")
FOLDER = BUILD / "test" / "custom-ops"
SHARED, ARCHIVE = FOLDER / "libonnxc_test_ops.so", FOLDER / "libonnxc_test_ops.a"


@pytest.fixture(params=[SHARED, ARCHIVE], ids=["shared", "archive"])
def library(request):
    if not request.param.exists():
        pytest.skip(f"{request.param} is not built")
    return request.param


def parse(body, opsets='"": 21, "test.ops": 3'):
    return onnx.parser.parse_model(f"<ir_version: 10, opset_import: [{opsets}]>\n{body}")


def openSession(model, library):
    options = onnxc.SessionOptions()
    options.register_custom_ops_library(library)
    return onnxc.InferenceSession(model, options)


def run(body, feeds, library, **kwargs):
    return openSession(parse(body, **kwargs), library).run(None, feeds)


X = np.arange(6, dtype=np.float32).reshape(2, 3)

TYPES = [
    np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16,
    np.uint32, np.uint64, np.bool_, np.complex64, np.complex128, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2,
    ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2, ml_dtypes.float4_e2m1fn, np.object_,
]  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES, ids=lambda d: np.dtype(d).name)
def testEveryType(library, dtype):
    values = [["a", "", "ö"]] if dtype is np.object_ else [[0, 1, 1]]
    x = np.array(values).astype(dtype)
    element = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    model = parse("copy (float[N, M] x) => (float[N, M] y) { y = test.ops.Copy(x) }", '"": 25, "test.ops": 3')
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = element
    (y,) = openSession(model, library).run(None, {"x": x})
    assert y.dtype == x.dtype and y.tolist() == x.tolist()


def testShapes(library):
    session = openSession(parse("copy (float[N, M] x) => (y) { a = test.ops.Copy(x) y = Neg(a) }"), library)
    assert session.get_outputs()[0].shape == ["N", "M"]
    for shape in ((2, 3), (0, 4), (1, 1), (70, 90)):
        x = np.random.default_rng(0).random(shape, np.float32)
        assert np.array_equal(session.run(None, {"x": x})[0], -x)
    scalar = run("copy (float x) => (y) { y = test.ops.Copy(x) }", {"x": np.float32(3)}, library)[0]
    assert scalar.shape == () and scalar == 3


def testVariadicInputs(library):
    body = "sums (float[N, 3] x) => (y, z) { y = test.ops.Sum(x) z = test.ops.Sum(x, x, y, x) }"
    y, z = run(body, {"x": X}, library)
    assert np.array_equal(y, X) and np.array_equal(z, 4 * X)


@pytest.mark.parametrize(
    "body, expected",
    [
        ("y = test.ops.Parts(x)", [X]),
        ("y, c = test.ops.Parts(x, a)", [X + 1, X]),
        ('y, c, n = test.ops.Parts(x, "", a)', [X - 1, X, 2]),
        ('y, "", n = test.ops.Parts(x, a, x)', [np.ones_like(X), 3]),
    ],
)
def testOptionalInputsAndOutputs(library, body, expected):
    outputs = ", ".join(name for name in ("y", "c", "n") if f"{name} =" in body or f"{name}," in body.split("=")[0])
    found = run(f"parts (float[N, 3] x, float[N, 3] a) => ({outputs}) {{ {body} }}", {"x": X, "a": np.ones_like(X)}, library)
    for want, have in zip(expected, found, strict=True):
        assert np.array_equal(want, have)


def testAttributes(library):
    body = """attributes (float[N] x) => (y, z) {
      y = test.ops.Describe<i = 7, f = 1.5, s = "text", is = [1, -2], fs = [0.5], ss = ["a", "bc"], t = float[1, 2] {2.5, 3.0}>(x)
      z = test.ops.Describe<i = 0>(x)
    }"""
    y, z = run(body, {"x": X[0]}, library)
    assert y.tolist() == [" i=7 f=1.5 s=text is=1,-2, fs=0.5, ss=a,bc, t=2x2:2.5", ""]
    assert z[0] == " i=0 f=-1 s=none is= fs= ss="


def testSizesFromConstantsAndFromData(library):
    fixed = "repeat (float[3] x) => (y) <int64 times = {2}> { y = test.ops.Repeat(x, times) }"
    session = openSession(parse(fixed), library)
    assert session.get_outputs()[0].shape == [6]
    assert np.array_equal(session.run(None, {"x": X[0]})[0], np.tile(X[0], 2))
    free = "repeat (float[N] x, int64 times) => (y) { a = test.ops.Repeat(x, times) y = Add(a, a) }"
    session = openSession(parse(free), library)
    for times in (1, 3, 0):
        assert np.array_equal(session.run(None, {"x": X[0], "times": np.int64(times)})[0], np.tile(2 * X[0], times))


def testStateLivesAsLongAsTheSession(library):
    session = openSession(parse("count (float[N] x) => (y, z) { y = test.ops.Count(x) z = test.ops.Count<start = 10>(x) }"), library)
    for i in range(1, 4):
        assert session.run(None, {"x": X[0]}) == [i, 10 + i]
    with pytest.raises(onnxc.Error, match="start is -1"):
        run("count (float[N] x) => (y) { y = test.ops.Count<start = -1>(x) }", {"x": X[0]}, library)


def testInsideSubgraphsAndFunctions(library):
    body = """loop (int64 n, bool c, float[N] x) => (y) {
      y = Loop(n, c, x)<body = b (int64 i, bool k, float[N] v) => (k1, w) {
        k1 = Identity(k)
        w = If(k)<then_branch = t () => (a) { a = test.ops.Sum(v, x) }, else_branch = e () => (a) { a = Neg(v) }>
      }>
    }"""
    feeds = {"n": np.int64(3), "c": np.bool_(True), "x": X[1]}
    assert np.array_equal(run(body, feeds, library)[0], 4 * X[1])
    model = parse("g (float[N] x) => (y) { y = local.Twice(x) }", '"": 21, "local": 1')
    function = onnx.parser.parse_function(
        '<domain: "local", opset_import: ["": 21, "test.ops": 3]> Twice (x) => (y) { y = test.ops.Sum(x, x) }'
    )
    model.functions.append(function)
    assert np.array_equal(openSession(model, library).run(None, {"x": X[1]})[0], 2 * X[1])


@pytest.mark.parametrize("imported, found", [(1, 1), (2, 1), (3, 3), (9, 3)])
def testVersions(library, imported, found):
    body = "version (float[N] x) => (y) { y = test.ops.Version(x) }"
    assert run(body, {"x": X[0]}, library, opsets=f'"": 21, "test.ops": {imported}')[0] == found


def testManyThreadsAndSessions(library):
    import concurrent.futures

    session = openSession(parse("sum (float[N] x) => (y) { y = test.ops.Sum(x, x) }"), library)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        feeds = [{"x": np.full(1000, i, np.float32)} for i in range(40)]
        for i, (y,) in enumerate(pool.map(lambda f: session.run(None, f), feeds)):
            assert np.array_equal(y, np.full(1000, 2 * i, np.float32))


@pytest.mark.parametrize(
    "how, message",
    [
        ("fails", "it is told to fail"),
        ("silent", "it failed"),
        ("nothing", "did not make all of its outputs"),
        ("memory", "memory"),
        ("rank", r"shape \[1x1\]"),
        ("size", r"output 0 the shape"),
    ],
)
def testErrorsOfARun(library, how, message):
    model = parse(f'wrong (float[N] x) => (y) {{ [the_node] y = test.ops.Wrong<how = "{how}">(x) }}')
    model.graph.node[0].name = "the_node"
    session = openSession(model, library)
    for _ in range(2):  # the session can be used again
        with pytest.raises(onnxc.Error, match=message) as error:
            session.run(None, {"x": X[0]})
        if how != "memory":
            for text in ("Wrong", "test.ops", "the_node"):
                assert text in str(error.value)


@pytest.mark.parametrize(
    "body, messages",
    [
        ("y = test.ops.Nowhere(x)", ["Nowhere", "test.ops", "libonnxc_test_ops"]),
        ("y = other.Copy(x)", ["Copy", "other", "libonnxc_test_ops"]),
        ("y = test.ops.Copy(x, x)", ["Copy", "test.ops"]),
        ("y = test.ops.Describe<j = 1>(x)", ["Describe", "j"]),
        ("y = test.ops.Describe(x)", ["Describe", "i"]),
        ("y = test.ops.Describe<i = -3>(x)", ["Describe", "attribute i is -3"]),
        ("y = test.ops.Repeat(x, x)", ["Repeat", "times"]),
        ("q = SequenceConstruct(x) y = test.ops.Copy(q)", ["invalid operator: input 0 is not a tensor"]),
        ("i = Cast<to = 7>(x) y = test.ops.Sum(i)", ["Sum", "INT64"]),
    ],
)
def testErrorsOfACompilation(library, body, messages, tmp_path):
    model = parse(f"g (float[N] x) => (y) {{ {body} }}", '"": 21, "test.ops": 3, "other": 1')
    with pytest.raises(onnxc.CompileError) as error:
        onnxc.compile(model, tmp_path / "model.so", custom_ops=[library])
    for message in messages:
        assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def testAnOperatorThatCameLater(library, tmp_path):
    model = parse("g (float[N] x) => (y) { y = test.ops.Late(x) }", '"": 21, "test.ops": 2')
    with pytest.raises(onnxc.CompileError, match="from version 3 .* imports version 2"):
        onnxc.compile(model, tmp_path / "model.so", custom_ops=[library])


COPY = "copy (float[N] x) => (y) { y = test.ops.Copy(x) }"


def testLibrariesThatAreNone(tmp_path):
    (tmp_path / "text.so").write_text("nothing")
    for path, message in [
        (tmp_path / "missing.so", "No such file"),
        (tmp_path / "text.so", "neither a shared library nor a static archive"),
        (BUILD / "lib" / "libonnxc_runtime.so", "does not define onnxc_custom_ops"),
        (BUILD / "lib" / "onnxc" / "libonnxc_kernels.a", "cannot be linked"),
    ]:
        with pytest.raises(onnxc.CompileError, match=message) as error:
            onnxc.compile(parse(COPY), tmp_path / "model.so", custom_ops=[path])
        assert str(path) in str(error.value)
    with pytest.raises(onnxc.CompileError, match="declares as well"):
        onnxc.compile(parse(COPY), tmp_path / "model.so", custom_ops=[SHARED, ARCHIVE])


@pytest.mark.parametrize("how, message", [("abi", "version 2"), ("null", "cannot serve version 1"), ("few", "Sum")])
def testLibrariesOfAnotherVersion(library, how, message, tmp_path, monkeypatch):
    monkeypatch.setenv("ONNXC_TEST_OPS", how)
    with pytest.raises(onnxc.CompileError, match=message):
        onnxc.compile(parse("sum (float[N] x) => (y) { y = test.ops.Sum(x) }"), tmp_path / "model.so", custom_ops=[library])


CROSS = BUILD / "cross" / "aarch64" / "test" / "custom-ops" / "libonnxc_test_ops.a"


@pytest.mark.skipif(not CROSS.exists(), reason="nothing is built for AArch64")
def testAnArchiveForAnotherArchitecture(library, tmp_path):
    target = remote.TARGETS["aarch64"]
    body = "g (float[N] x, float[N] z) => (y) { s = test.ops.Copy(x) t = Add(s, z) y = test.ops.Copy(t) }"
    model = onnxc.compile(parse(body), tmp_path / "model.so", custom_ops=[library, CROSS], **target.options)
    if why := target.missing(BUILD):
        pytest.skip(why)
    (y,) = remote.RemoteSession(model, target, BUILD).run(None, {"x": X[0], "z": X[1]})
    assert np.array_equal(y, X[0] + X[1])
    # For this machine the archive changes nothing.
    here = onnxc.compile(parse(body), tmp_path / "here.so", custom_ops=[library, CROSS])
    assert np.array_equal(openSession(here, library).run(None, {"x": X[0], "z": X[1]})[0], X[0] + X[1])


@pytest.mark.skipif(not CROSS.exists(), reason="nothing is built for AArch64")
def testArchivesForOtherArchitecturesThatDoNotFit(tmp_path):
    for libraries, options, message in [
        ([CROSS], {}, "belongs after the library for this machine"),
        ([ARCHIVE, CROSS, CROSS], {}, "there is an archive for aarch64 already"),
        ([ARCHIVE], {"target": "aarch64-linux-gnu"}, "give an archive for that after it"),
    ]:
        with pytest.raises(onnxc.CompileError, match=message):
            onnxc.compile(parse(COPY), tmp_path / "model.so", custom_ops=libraries, **options)


def testWhereALibraryIsFound(tmp_path):
    model = onnxc.compile(parse(COPY), tmp_path / "model.so", custom_ops=SHARED)
    with pytest.raises(onnxc.LoadError, match="libonnxc_test_ops.so.*cannot be loaded"):
        onnxc.InferenceSession(model)
    (library,) = [openSession(model, SHARED)]
    assert np.array_equal(library.run(None, {"x": X[0]})[0], X[0])
    shutil.copy(SHARED, tmp_path)
    assert np.array_equal(onnxc.InferenceSession(model).run(None, {"x": X[0]})[0], X[0])


@pytest.mark.parametrize("how, message", [("abi", "another version"), ("null", "another version"), ("few", "Sum.*test.ops")])
def testALibraryThatChanged(how, message, tmp_path, monkeypatch):
    model = onnxc.compile(parse("sum (float[N] x) => (y) { y = test.ops.Sum(x) }"), tmp_path / "model.so", custom_ops=SHARED)
    monkeypatch.setenv("ONNXC_TEST_OPS", how)
    with pytest.raises(onnxc.LoadError, match=message):
        openSession(model, SHARED)


def testAnArchiveNeedsNothingLater(tmp_path):
    model = onnxc.compile(parse(COPY), tmp_path / "model.so", custom_ops=ARCHIVE)
    assert np.array_equal(onnxc.InferenceSession(model).run(None, {"x": X[0]})[0], X[0])
    tool = BUILD / "bin" / "onnxc"
    shown = subprocess.run([tool, "inspect", "--json", model], capture_output=True, text=True, check=True).stdout
    assert '"test.ops"' in shown and '"Copy"' in shown


def testTheCommandLine(library, tmp_path):
    (tmp_path / "model.onnx").write_bytes(parse(COPY).SerializeToString())
    tool = BUILD / "bin" / "onnxc"
    command = [tool, "run", tmp_path / "model.onnx", "--custom-ops", library, "--random", "--dim", "N=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("y: float[2]"), done.stderr


def testTheCacheKnowsLibraries(tmp_path):
    library = tmp_path / "lib.so"
    shutil.copy(SHARED, library)
    options = onnxc.SessionOptions()
    options.register_custom_ops_library(library)
    options.add_session_config_entry("onnxc.cache_dir", str(tmp_path / "cache"))
    for _ in range(2):
        onnxc.InferenceSession(parse(COPY), options)
        assert len(list((tmp_path / "cache").iterdir())) == 1
    with library.open("ab") as file:
        file.write(b"more")
    onnxc.InferenceSession(parse(COPY), options)
    assert len(list((tmp_path / "cache").iterdir())) == 2


# ---- ONNX functions ----

SQUARED = """<domain: "my.ops", opset_import: ["": 21]>
Squared <scale> (x) => (y) {
  s = Constant<value_float: float = @scale>()
  xx = Mul(x, x)
  y = Mul(xx, s)
}
"""
TWICE = """<domain: "my.ops", opset_import: ["": 13, "my.ops": 1]>
Twice (x) => (y) { a = my.ops.Squared<scale = 2.0>(x) y = Add(a, x) }
"""
CALL = "g (float[N] x) => (y) { y = my.ops.Twice(x) }"
MY = '"": 21, "my.ops": 1'


def asText(functions):
    return "\n".join(functions).encode()


def asBinary(functions):
    assert len(functions) == 1
    return onnx.parser.parse_function(functions[0]).SerializeToString()


def asModel(functions):
    model = parse("empty () => () {}", MY)
    model.functions.extend(onnx.parser.parse_function(f) for f in functions)
    return model.SerializeToString()


def functionFiles(folder, form):
    if form is asBinary:
        contents = [asBinary([SQUARED]), asBinary([TWICE])]
    else:
        contents = [form([SQUARED, TWICE])]
    files = [folder / f"functions{i}" for i in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


@pytest.mark.parametrize("form", [asText, asBinary, asModel], ids=["text", "binary", "model"])
def testFunctions(form, tmp_path):
    model = parse(CALL, MY)
    compiled = onnxc.compile(model, tmp_path / "model.so", function=functionFiles(tmp_path, form))
    (y,) = onnxc.InferenceSession(compiled).run(None, {"x": X[1]})
    reference = parse(CALL, MY)
    reference.functions.extend(onnx.parser.parse_function(f) for f in (SQUARED, TWICE))
    assert np.allclose(y, ReferenceEvaluator(reference).run(None, {"x": X[1]})[0], rtol=1e-6)


def testAFunctionGoesBeforeTheModelsOwn(tmp_path):
    model = parse("g (float[N] x) => (y) { y = my.ops.Twice(x) }", MY)
    model.functions.append(onnx.parser.parse_function('<domain: "my.ops", opset_import: ["": 21]> Twice (x) => (y) { y = Neg(x) }'))
    assert np.array_equal(onnxc.InferenceSession(model).run(None, {"x": X[1]})[0], -X[1])
    compiled = onnxc.compile(model, tmp_path / "model.so", function=functionFiles(tmp_path, asText))
    assert np.allclose(onnxc.InferenceSession(compiled).run(None, {"x": X[1]})[0], 2 * X[1] ** 2 + X[1])


@pytest.mark.parametrize(
    "text, messages",
    [
        (b"<domain: broken", ["functions", "not a valid ONNX function"]),
        (b"\x0a\x05", ["functions", "truncated"]),
        (b"", ["functions", "empty"]),
        (asText([SQUARED, SQUARED]), ["functions", "Squared", "twice"]),
        (asModel([]), ["functions", "defines no functions"]),
        (asText([TWICE]), ["Squared", "my.ops"]),
        (b'<domain: "my.ops", opset_import: ["": 21, "my.ops": 1]> Twice (x) => (y) { y = my.ops.Twice(x) }', ["Twice", "calls itself"]),
        (b'<domain: "my.ops", opset_import: ["": 99]> Twice (x) => (y) { y = Neg(x) }', ["opset 99"]),
        (b'<domain: "my.ops", opset_import: ["": 21]> Twice (x) => (y) { y = Neg(z) }', ["Twice", "'z' is not defined"]),
        (b'<domain: "my.ops", opset_import: ["": 21]> Twice (x) => (y) { y = Nope(x) }', ["Nope", "no such operator"]),
    ],
)
def testFunctionsThatAreWrong(text, messages, tmp_path):
    (tmp_path / "functions").write_bytes(text)
    with pytest.raises(onnxc.CompileError) as error:
        onnxc.compile(parse(CALL, MY), tmp_path / "model.so", function=tmp_path / "functions")
    for message in messages:
        assert message in str(error.value)


def testFunctionsOfAnotherVersion(tmp_path):
    (tmp_path / "functions.onnx").write_bytes(asModel([SQUARED, TWICE]))
    with pytest.raises(onnxc.CompileError, match="version 1 of its domain, the model imports version 2"):
        onnxc.compile(parse(CALL, '"": 21, "my.ops": 2'), tmp_path / "model.so", function=tmp_path / "functions.onnx")
    with pytest.raises(onnxc.CompileError, match="missing.*No such file"):
        onnxc.compile(parse(CALL, MY), tmp_path / "model.so", function=tmp_path / "missing")
