#!/usr/bin/env python3
"""Compiles for other CPUs than this machine's and runs the results in an emulator: a part of ONNX's backend
suite (cases.txt) and some small real models for every target of remote.py. What can't be run here is skipped.

  run.py                      all targets
  run.py aarch64 x86-64-v2    some
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

import remote  # noqa: E402

# Convolutions and pools, a recurrent network in a loop, 8-bit products, trees, strings and maps.
MODELS = ["mnist_cntk", "silero_vad_v6_fw", "tashkeel_rawi_int8", "ml_xgb_reg", "ml_titanic_lr_strings_zipmap"]


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
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
