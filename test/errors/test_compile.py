"""Bad models and bad outputs given to the compiler: a clear error, nothing half-written."""

import os
import stat

import numpy as np
import onnx
import pytest
from conftest import addModel
from onnx import TensorProto, external_data_helper, helper, numpy_helper


def testGoodModelCompiles(compiler):
    compiler.accepts(compiler.write(addModel()))


def testMissingFile(compiler):
    compiler.refuses(compiler.folder / "absent.onnx", "absent.onnx")


def testFolderInsteadOfFile(compiler):
    folder = compiler.folder / "folder.onnx"
    folder.mkdir()
    compiler.refuses(folder, "folder.onnx")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def testTruncatedFile(compiler, part):
    data = addModel(bias=np.zeros((64, 4), np.float32)).SerializeToString()
    compiler.refuses(compiler.write(data[: int(len(data) * part)]), "model.onnx")


def testEmptyFile(compiler):
    compiler.refuses(compiler.write(b""), "model.onnx")


@pytest.mark.parametrize("seed", range(4))
def testGarbage(compiler, seed):
    compiler.refuses(compiler.write(np.random.default_rng(seed).bytes(4096)), "model.onnx")


@pytest.mark.parametrize("seed", range(20))
def testFlippedBytes(compiler, seed):
    """Any outcome but a crash."""
    rng = np.random.default_rng(seed)
    data = bytearray(addModel().SerializeToString())
    for place in rng.integers(0, len(data), 3):
        data[place] = rng.integers(0, 256)
    done = compiler.run(compiler.write(bytes(data)), "-o", compiler.folder / "out.so")
    assert done.returncode in (0, 1), done.stderr
    assert done.returncode == 0 or "error:" in done.stderr


def testNoGraph(compiler):
    model = onnx.ModelProto(ir_version=10, opset_import=[helper.make_opsetid("", 21)])
    compiler.refuses(compiler.write(model), "model.onnx")


@pytest.mark.parametrize("opset", [0, 999])
def testWrongOpset(compiler, opset):
    compiler.refuses(compiler.write(addModel(opset=opset)), "opset", str(opset))


def testNoOpset(compiler):
    model = addModel()
    del model.opset_import[:]
    compiler.refuses(compiler.write(model), "opset")


def testUnknownOperator(compiler):
    compiler.refuses(compiler.write(addModel(op="Nonsense")), "Nonsense", "the_node")


def testUnknownOperatorOfCustomDomain(compiler):
    model = addModel(op="Nonsense", domain="com.example")
    compiler.refuses(compiler.write(model), "com.example", "Nonsense", "the_node")


def testAllUnknownOperatorsAreListed(compiler):
    model = addModel(op="First", domain="com.example")
    node = helper.make_node("Second", ["x"], ["z"], name="other_node", domain="com.example")
    model.graph.node.append(node)
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4]))
    compiler.refuses(compiler.write(model), "First", "Second", "the_node", "other_node")


def testUndefinedInputOfNode(compiler):
    model = addModel()
    model.graph.node[0].input[1] = "nowhere"
    compiler.refuses(compiler.write(model), "nowhere")


def testCycle(compiler):
    model = addModel()
    model.graph.node[0].input[0] = "y"
    compiler.refuses(compiler.write(model), "y")


def testWrongAttributeType(compiler):
    model = addModel(op="Gemm")
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", "one"))
    compiler.refuses(compiler.write(model), "alpha")


def testTooFewInputs(compiler):
    model = addModel()
    del model.graph.node[0].input[1]
    compiler.refuses(compiler.write(model), "Add")


@pytest.mark.parametrize("dims", [[5], [3], [1 << 40], [1 << 32, 1 << 32], [-4]])
def testShapeDoesNotFitData(compiler, dims):
    bias = numpy_helper.from_array(np.zeros(4, np.float32), "bias")
    bias.dims[:] = dims
    compiler.refuses(compiler.write(addModel(bias=bias)), "bias")


def testShapeDoesNotFitTypedData(compiler):
    bias = TensorProto(name="bias", data_type=TensorProto.FLOAT, dims=[5], float_data=[1, 2, 3])
    compiler.refuses(compiler.write(addModel(bias=bias)), "bias")


def testShapesDoNotBroadcast(compiler):
    compiler.refuses(compiler.write(addModel(bias=np.zeros(3, np.float32))), "Add", "the_node")


def testDeepNesting(compiler):
    """Ifs in Ifs: compiled or refused, but no stack overflow and no endless work."""

    def graphOf(node, output):
        return helper.make_graph(
            [node], f"g_{output}", [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1])]
        )

    graph = graphOf(helper.make_node("Identity", ["x"], ["o0"]), "o0")
    for depth in range(1, 30):
        leaf = graphOf(helper.make_node("Identity", ["x"], [f"e{depth}"]), f"e{depth}")
        node = helper.make_node("If", ["c"], [f"o{depth}"], then_branch=graph, else_branch=leaf)
        graph = graphOf(node, f"o{depth}")
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "c"))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    done = compiler.run(compiler.write(model), "-o", compiler.folder / "out.so")
    assert done.returncode in (0, 1), done.stderr[-1000:]


def externalModel(location, **fields):
    bias = numpy_helper.from_array(np.zeros(4, np.float32), "bias")
    external_data_helper.set_external_data(bias, location=location, **fields)
    bias.ClearField("raw_data")
    return addModel(bias=bias)


def writeData(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    return path


def testExternalDataInsideFolderIsRead(compiler):
    writeData(compiler.folder / "weights" / "w.bin")
    compiler.accepts(compiler.write(externalModel("weights/w.bin")))


def testExternalDataInParentFolder(compiler):
    writeData(compiler.folder / "w.bin")
    inner = compiler.folder / "inner"
    inner.mkdir()
    path = compiler.write(externalModel("../w.bin"), "inner/model.onnx")
    compiler.refuses(path, "bias", "../w.bin")


def testExternalDataWithAbsolutePath(compiler):
    data = writeData(compiler.folder / "w.bin")
    compiler.refuses(compiler.write(externalModel(str(data))), "bias")


@pytest.mark.parametrize("what", ["file", "folder"])
def testExternalDataThroughSymlink(compiler, what):
    data = writeData(compiler.folder / "outside" / "w.bin")
    inner = compiler.folder / "inner"
    inner.mkdir()
    link = inner / "link"
    link.symlink_to(data if what == "file" else data.parent)
    location = "link" if what == "file" else "link/w.bin"
    path = compiler.write(externalModel(location), "inner/model.onnx")
    compiler.refuses(path, "bias", location)


def testExternalDataIsMissing(compiler):
    compiler.refuses(compiler.write(externalModel("absent.bin")), "absent.bin")


@pytest.mark.parametrize("fields", [{"offset": 8}, {"offset": 1 << 62}, {"length": 1 << 40}, {"length": 8}])
def testExternalDataOutsideItsFile(compiler, fields):
    writeData(compiler.folder / "w.bin")
    compiler.refuses(compiler.write(externalModel("w.bin", **fields)), "bias")


def testBiasOfManyDimensions(compiler):
    compiler.refuses(compiler.write(addModel(op="Gemm", shape=(4, 4))))
    model = addModel(op="Gemm", shape=(4, 4), bias=np.zeros((4, 4), np.float32))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1, 4, 4), np.float32), "c"))
    model.graph.node[0].input.append("c")
    compiler.refuses(compiler.write(model), "Gemm")


@pytest.mark.parametrize("length", [1 << 20, 1 << 31])
def testListsOfAnyLength(compiler, length):
    """What is declared to be long costs neither time nor memory."""
    text = f"""<ir_version: 8, opset_import: ["": 13]>
        long (float[A] x, int64[{length}] at, int64[1] axes) => (float[?] z) {{
          u = Unsqueeze(at, axes)
          r = Reshape(x, at)
          z = Neg(r)
        }}"""
    compiler.refuses(compiler.write(onnx.parser.parse_model(text)))


def testNamesThatAreNoText(compiler):
    """Python gets the message all the same."""
    import onnxc

    data = addModel(op="Nonsense").SerializeToString().replace(b"the_node", b"the\xff\xfeode")
    with pytest.raises(onnxc.CompileError, match="Nonsense"):
        onnxc.compile(data, str(compiler.folder / "out.so"))


def testOutputFolderDoesNotExist(compiler):
    output = compiler.folder / "absent" / "out.so"
    compiler.refuses(compiler.write(addModel()), "absent", output=output)


def testOutputIsFolder(compiler):
    output = compiler.folder / "out.so"
    output.mkdir()
    compiler.refuses(compiler.write(addModel()), "out.so", output=output)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def testOutputFolderIsReadOnly(compiler):
    folder = compiler.folder / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        compiler.refuses(compiler.write(addModel()), "locked", output=folder / "out.so")
    finally:
        folder.chmod(stat.S_IRWXU)


def testOutputOnFullDevice(compiler):
    """/dev/full takes no bytes; it must also not be replaced by a file."""
    done = compiler.run(compiler.write(addModel()), "-o", "/dev/full")
    assert done.returncode > 0
    assert "error:" in done.stderr
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def testFailedCompilationKeepsOldOutput(compiler):
    output = compiler.accepts(compiler.write(addModel()))
    kept = output.read_bytes()
    compiler.refuses(compiler.write(addModel(op="Nonsense"), "bad.onnx"), "Nonsense")
    assert output.read_bytes() == kept


@pytest.mark.parametrize(
    "option", ["--no-such-option", "--shape=x", "--shape=absent:1x4", "--shape=x:axb", "--dim=batch", "--march=z80"]
)
def testWrongOption(compiler, option):
    path = compiler.write(addModel())
    done = compiler.run(path, option, "-o", compiler.folder / "out.so")
    assert done.returncode > 0, done.stdout
    assert done.stderr.strip()
    assert not (compiler.folder / "out.so").exists()


def testPythonRaises(compiler):
    import onnxc

    path = compiler.write(addModel(op="Nonsense"))
    with pytest.raises(Exception, match="Nonsense"):
        onnxc.compile(str(path), str(compiler.folder / "out.so"))
    assert not (compiler.folder / "out.so").exists()
