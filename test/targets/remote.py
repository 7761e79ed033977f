"""Models that run on another CPU than this machine's, in an emulator, with the interface of
onnxc.InferenceSession as far as the tests use it."""

import json
import os
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Target:
    """options: of onnxc.compile. emulator: the command before the program. flags: without an emulator, what this
    machine's CPU must have (of /proc/cpuinfo). preload: a library in the build folder that stands in for `lent`, what
    the CPU lacks (of /proc/cpuinfo too)."""

    name: str
    options: dict
    emulator: list = field(default_factory=list)
    server: str = "test/targets/model-server"  # in the build folder
    flags: frozenset = frozenset()
    preload: str = ""
    lent: frozenset = frozenset()

    def environment(self, build):
        """What is added to the program's environment."""
        return {"LD_PRELOAD": str(build / self.preload)} if self.lent - cpuFlags() else {}

    def missing(self, build):
        """Why models for this target can't be run here, or None."""
        if self.emulator and not shutil.which(self.emulator[0]):
            return f"{self.emulator[0]} is not installed"
        if lacking := self.flags - cpuFlags():
            return f"this CPU lacks {', '.join(sorted(lacking))}"
        for file in filter(None, (self.server, self.preload)):
            if not (build / file).exists():
                return f"{build / file} is not built"
        if self.environment(build) and "cpuid_fault" not in cpuFlags():
            return "this machine's cpuid cannot be made to fault"
        return None


def cpuFlags():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":")[1].split())
    return set()


# An emulator has no more instructions than the CPU that it stands for: one that is not allowed ends the run.
TARGETS = {
    "aarch64": Target(
        "aarch64",
        {"target": "aarch64-linux-gnu"},
        ["qemu-aarch64", "-cpu", "cortex-a53", "-L", "/usr/aarch64-linux-gnu"],
        "cross/aarch64/targets/model-server",
    ),
    "aarch64-dotprod": Target(
        "aarch64-dotprod",
        {"target": "aarch64-linux-gnu", "march": "neoverse-n1"},
        ["qemu-aarch64", "-cpu", "neoverse-n1", "-L", "/usr/aarch64-linux-gnu"],
        "cross/aarch64/targets/model-server",
    ),
    "x86-64-v2": Target("x86-64-v2", {"march": "x86-64-v2"}, ["qemu-x86_64", "-cpu", "Nehalem"]),
    # QEMU 7's masked loads read the memory of masked lanes too.
    "x86-64-v3": Target("x86-64-v3", {"march": "x86-64-v3"}, flags=frozenset({"avx2", "bmi2", "f16c", "fma"})),
    # All of that CPU but its tiles, which a library does where there are none.
    "x86-64-amx": Target(
        "x86-64-amx",
        {"march": "sapphirerapids"},
        flags=frozenset({"avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni"}),
        preload="test/targets/libamx.so",
        lent=frozenset({"amx_bf16", "amx_int8", "amx_tile"}),
    ),
}


def available(build):
    """{name: why it can't be run here, or None}"""
    return {name: target.missing(build) for name, target in TARGETS.items()}


class Server:
    """The program that runs models, as long as it lives."""

    def __init__(self, target, build, threads):
        self.log = tempfile.TemporaryFile()
        command = [*target.emulator, str(build / target.server), str(threads)]
        # Its pool has as many threads as a run may take.
        environment = dict(os.environ, ONNXC_NUM_THREADS=str(threads)) | target.environment(build)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment
        )

    def ask(self, request, body):
        """A reader of the answer; raises RuntimeError with what went wrong."""
        try:
            self.process.stdin.write(request + body)
            self.process.stdin.flush()
            message = self.text()
        except (EOFError, BrokenPipeError):
            self.process.kill()
            status = self.process.wait()
            self.log.seek(0)
            told = self.log.read().decode(errors="replace").strip()
            raise RuntimeError(f"the program ended with status {status}: {told[-500:]}") from None
        if message:
            raise RuntimeError(message)

    def read(self, size):
        data = self.process.stdout.read(size)
        if len(data) != size:
            raise EOFError
        return data

    def number(self, code="q"):
        return struct.unpack("<" + code, self.read(struct.calcsize("<" + code)))[0]

    def text(self):
        return self.read(self.number()).decode(errors="surrogateescape")


@dataclass
class Info:
    name: str
    type: str


class RemoteSession:
    """A compiled model in a Server. Of the sessions of a process with one target and number of threads only the one
    made last can run."""

    servers = {}

    def __init__(self, library, target, build, threads=1):
        import onnxc._values

        self.values = onnxc._values
        server = RemoteSession.servers.get((target.name, threads))
        if server is None or server.process.poll() is not None:
            server = RemoteSession.servers[target.name, threads] = Server(target, build, threads)
        self.server = server
        path = str(library).encode()
        server.ask(b"L", struct.pack("<q", len(path)) + path)
        metadata = json.loads(server.text())
        self.inputs, self.outputs = (
            [Info(entry["name"], entry["type"]) for entry in metadata[key]] for key in ("inputs", "outputs")
        )

    def get_inputs(self):
        return self.inputs

    def get_outputs(self):
        return self.outputs

    def run(self, names, feed):
        parts = [struct.pack("<q", len(self.inputs))]
        for info in self.inputs:
            self.pack(self.values.to_value(feed.get(info.name), info.type), parts)
        self.server.ask(b"R", b"".join(parts))
        results = [self.unpack() for _ in range(self.server.number())]
        byName = dict(zip((info.name for info in self.outputs), results, strict=True))
        return [byName[name] for name in names] if names else results

    def pack(self, value, parts):
        parts.append(struct.pack("<i", value.kind))
        if value.kind == self.values.TENSOR:
            parts.append(struct.pack(f"<ii{len(value.shape)}q", value.elem_type, len(value.shape), *value.shape))
            if value.elem_type != self.values.STRING:
                parts.append(value.array().tobytes())
                return
            texts = np.empty(int(np.prod(value.shape, dtype=np.int64)), object)
            value.put_strings(texts)
            for text in texts:
                data = text.encode(errors="surrogateescape")
                parts.append(struct.pack("<q", len(data)) + data)
        elif value.kind != self.values.NONE:
            parts.append(struct.pack("<q", len(value.items)))
            for item in value.items:
                self.pack(item, parts)

    def unpack(self):
        kind = self.server.number("i")
        if kind == self.values.NONE:
            return None
        if kind == self.values.TENSOR:
            return self.unpackTensor()
        items = [self.unpack() for _ in range(self.server.number())]
        if kind == self.values.MAP:
            return dict(zip(items[0].tolist(), items[1].tolist(), strict=True))
        return items

    def unpackTensor(self):
        elemType, rank = self.server.number("i"), self.server.number("i")
        shape = [self.server.number() for _ in range(rank)]
        count = int(np.prod(shape, dtype=np.int64))
        if elemType == self.values.STRING:
            array = np.empty(count, object)
            array[:] = [self.server.text() for _ in range(count)]
            return array.reshape(shape)
        dtype = self.values.dtype_of(elemType)
        extended = elemType >= self.values.FIRST_OF_ML_DTYPES
        stored = np.dtype(f"u{dtype.itemsize}") if extended else dtype
        raw = np.frombuffer(bytearray(self.server.read(count * stored.itemsize)), stored).reshape(shape)
        return self.values.from_storage(raw, elemType) if extended else raw


class RemoteBackend:
    """onnx.backend's interface: compiles for the target and runs there."""

    def __init__(self, target, build):
        self.target = target
        self.build = build

    def supports_device(self, device):
        return device == "CPU"

    def is_compatible(self, model, device="CPU", **kwargs):
        return True

    def prepare(self, model, device="CPU", **kwargs):
        import onnxc

        self.folder = tempfile.TemporaryDirectory()
        library = Path(self.folder.name) / "model.so"
        onnxc.compile(model, str(library), **self.target.options)
        return RemoteModel(RemoteSession(library, self.target, self.build))


class RemoteModel:
    def __init__(self, session):
        self.session = session

    def run(self, inputs, **kwargs):
        infos = self.session.get_inputs()
        return tuple(self.session.run(None, {info.name: value for info, value in zip(infos, inputs, strict=True)}))
