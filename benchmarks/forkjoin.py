#!/usr/bin/env python3
"""Times the runtime's thread pool beside libomp (forkjoin.cpp): prints a table, or puts it into a page.

  forkjoin.py
  forkjoin.py --write docs/performance.md

Needs a clang++ with libomp.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import writeTables

ROOT = Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--compiler", default=shutil.which("clang++-22") or "clang++")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "forkjoin"
        command = [args.compiler, "-O2", "-std=c++20", "-fopenmp", "-D_GNU_SOURCE", f"-I{ROOT / 'runtime/include'}",
                   ROOT / "benchmarks/forkjoin.cpp", args.build / "lib/libonnxc_runtime.a", "-ldl", "-o", program]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr.strip())
        table = subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip()
    print(table)
    if args.write:
        writeTables(args.write, "fork and join", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
