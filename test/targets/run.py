#!/usr/bin/env python3
"""Compiles for other CPUs than this machine's and runs the results in an emulator: a part of ONNX's backend
suite (cases.txt) and some small real models for every target of remote.py. What can't be run here is skipped.

  run.py                      all targets
  run.py aarch64 x86-64-v2    some

Two more tests run models with the code of several CPUs: on each of them (choice), and with and without the system's
permission to use the tiles of AMX (tiles).
"""

import argparse
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx.parser

HERE = Path(__file__).resolve().parent

import remote  # noqa: E402

# Convolutions and pools, a recurrent network in a loop, 8-bit products, trees, strings and maps.
MODELS = ["mnist_cntk", "silero_vad_v6_fw", "tashkeel_rawi_int8", "ml_xgb_reg", "ml_titanic_lr_strings_zipmap"]

# A sum whose last bit is lost where a product is rounded before it is added.
FUSED = """<ir_version: 10, opset_import: ["": 21]>
fused (float[1, 2] x, float[2, 16] w) => (float[1, 16] y) { y = MatMul(x, w) }"""
LEVELS = "x86-64-v2,x86-64-v3,x86-64-v4"
ARM = "generic,neoverse-n1"
# Emulator's CPU, and the smallest of the results; None: it must refuse to run the model.
CHOICES = [
    ("x86-64-v2", LEVELS, "Conroe", None),
    ("x86-64-v2", LEVELS, "Nehalem", 0.0),
    ("x86-64-v2", LEVELS, "Haswell", 2.0**-24),
    ("aarch64", ARM, "cortex-a53", 2.0**-24),
    ("aarch64", ARM, "neoverse-n1", 2.0**-24),
    ("aarch64", "neoverse-n1", "cortex-a53", None),
]


def checkChoice(build, name, march, cpu, expected):
    """What is wrong, or None."""
    import onnxc

    target = remote.TARGETS[name]
    emulator = [*target.emulator[:2], cpu, *target.emulator[3:]]
    target = remote.Target(f"{name} on {cpu}", target.options | {"march": march}, emulator, target.server)
    small = np.float32(2.0**-12)
    feed = {
        "x": np.array([[-1, 1 + small]], np.float32),
        "w": np.repeat(np.array([[1 + 2 * small], [1 + small]], np.float32), 16, axis=1),
    }
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "model.so"
        onnxc.compile(onnx.parser.parse_model(FUSED), str(library), **target.options)
        try:
            (result,) = remote.RemoteSession(library, target, build).run(None, feed)
        except RuntimeError as error:
            if expected is None and "this CPU" in str(error) and "lacks" in str(error):
                return None
            return str(error)
    if expected is None:
        return f"ran on {cpu}, which lacks what it needs"
    return None if (result == expected).all() else f"on {cpu}: {result.min()}, want {expected}"

# Enough rows for tiles; sums of bytes are the same whatever computes them.
BYTES = """<ir_version: 10, opset_import: ["": 21]>
bytes (uint8[64, 64] x) => (int32[64, 32] y) <int8[64, 32] w = {%s}> { y = MatMulInteger(x, w) }"""
# What the system says, the model's CPUs, and whether tiles are used; None: it must refuse to run the model.
TILES = [
    ("granted", "icelake-server,sapphirerapids", True),
    ("granted", "icelake-server", False),
    ("refused", "icelake-server,sapphirerapids", False),
    ("refused", "sapphirerapids", None),
]


def checkTiles(build, permission, march, expected):
    """What is wrong, or None."""
    import onnxc

    target = remote.TARGETS["x86-64-amx"]
    target = dataclasses.replace(target, name=f"{permission} {march}", options={"march": march})
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (64, 64), np.uint8), rng.integers(-128, 128, (64, 32), np.int8)
    with tempfile.TemporaryDirectory() as folder:
        library, log = Path(folder) / "model.so", Path(folder) / "log"
        model = BYTES % ", ".join(map(str, w.flatten()))
        onnxc.compile(onnx.parser.parse_model(model), str(library), **target.options)
        os.environ |= {"ONNXC_AMX": permission, "ONNXC_AMX_LOG": str(log)}
        try:
            session = remote.RemoteSession(library, target, build)
            (result,) = session.run(None, {"x": x})
        except RuntimeError as error:
            return None if expected is None and "permission to use tiles" in str(error) else str(error)
        finally:
            del os.environ["ONNXC_AMX"], os.environ["ONNXC_AMX_LOG"]
        if expected is None:
            return "ran without the permission"
        if (result != x.astype(np.int32) @ w.astype(np.int32)).any():
            return "computed something else"
        session.server.process.stdin.close()
        session.server.process.wait()
        products = int(log.read_text().split()[0])
    return None if (products > 0) == expected else f"computed {products} products of tiles"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parents[1] / "build", type=Path, help="build folder (default: build)")
    parser.add_argument("-j", type=int, default=2, help="workers (default: 2)")
    parser.add_argument("--root", type=Path, help="folder with the models, made already")
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(remote.TARGETS))
    args = parser.parse_args()
    unknown = set(args.targets) - remote.TARGETS.keys()
    if unknown:
        parser.error(f"no target {min(unknown)}; there are {', '.join(remote.TARGETS)}")

    build = args.build.resolve()
    package = build / "python"
    environment = dict(os.environ)
    if package.is_dir():
        sys.path.insert(0, str(package))
        environment["PYTHONPATH"] = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])
    totals = [0, 0, 0]
    for name in args.targets or remote.TARGETS:
        target = remote.TARGETS[name]
        if missing := target.missing(build):
            print(f"{name:16}skipped: {missing}", flush=True)
            totals[2] += 1
            continue
        common = ["--build", str(build), "--target", name, "-j", str(args.j)]
        models = ["--root", str(args.root)] if args.root else []
        for command in (
            [HERE.parent / "backend" / "run.py", "--cases", HERE / "cases.txt", *common],
            [HERE.parent / "models" / "run.py", *models, *common, *MODELS],
        ):
            done = subprocess.run(
                [sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
            )
            *lines, last = done.stdout.splitlines() or [""]
            found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
            counts = [int(n) for n in found.groups()] if found else [0, 1, 0]
            for line in lines if found else [*lines, last]:
                print(f"{name:16}{line}", flush=True)
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
    for name, march, cpu, expected in CHOICES:
        if (args.targets and name not in args.targets) or remote.TARGETS[name].missing(build):
            continue
        wrong = checkChoice(build, name, march, cpu, expected)
        totals[1 if wrong else 0] += 1
        if wrong:
            print(f"{name:16}FAIL choice among {march}: {wrong}", flush=True)
    tiles = remote.TARGETS["x86-64-amx"]
    isAsked = not args.targets or tiles.name in args.targets
    for permission, march, expected in TILES if isAsked and not tiles.missing(build) and tiles.environment(build) else []:
        wrong = checkTiles(build, permission, march, expected)
        totals[1 if wrong else 0] += 1
        if wrong:
            print(f"{tiles.name:16}FAIL {permission} tiles, {march}: {wrong}", flush=True)
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
