#!/usr/bin/env python3
"""Random models through onnxc, against onnx's reference evaluator and ONNX Runtime.

  run.py --seeds 0:500            compiles each model at -O0 and -O3 and runs it with 1, 2 and 3 threads
  run.py --seeds 17 -v            one seed, with its model
  run.py --minimize 17            a small model that fails as seed 17 does

A finding is: a compiler that refuses or crashes, a run that fails or crashes, a result that agrees neither with onnx's
reference evaluator nor with ONNX Runtime, or results that depend on the number of threads. Models with findings and
their inputs are written to --out. The last line has the counts.
"""

import argparse
import re
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "backend"))
sys.path.insert(0, str(HERE))

import check  # noqa: E402
import generate  # noqa: E402
import minimize  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import pool  # noqa: E402

warnings.filterwarnings("ignore")


def seedsOf(text):
    seeds = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        seeds += range(int(first), int(last)) if last else [int(first)]
    return seeds


def runSeed(seed):
    """In a worker. What it prints ends in the result's message."""
    import onnxc

    case = generate.generate(seed)
    try:
        onnx.checker.check_model(case.model, full_check=True)
    except Exception as error:
        # The generator's own mistake, or one of the checker's: not a valid model as far as anybody can tell.
        raise check.Finding("invalid", str(error)) from None
    if check.check(case, onnxc):
        raise pool.unittest.SkipTest("only ONNX Runtime agrees")


def kindOf(result):
    if result.status != "fail":
        return "passed"
    if result.message.startswith(("crashed", "timed out")):
        return "crashed"
    found = re.match(r"wrong result: (\w+):", result.message)
    return {"refused": "refused", "invalid": "invalid", "failed": "refused"}.get(found.group(1), "differing") if found else "crashed"


def save(folder, seed, message):
    case = generate.generate(seed)
    target = folder / str(seed)
    target.mkdir(parents=True, exist_ok=True)
    onnx.save(case.model, target / "model.onnx")
    np.savez(target / "inputs.npz", **{k: v for k, v in case.feeds.items()})
    (target / "message.txt").write_text(message + "\n\n" + onnx.printer.to_text(case.model))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parents[1] / "build", type=Path, help="build folder (default: build)")
    parser.add_argument("--seeds", default="0:500", help="17, 0:500 or 3,5,9 (default: 0:500)")
    parser.add_argument("--minimize", type=int, metavar="SEED", help="shrink the model of a seed")
    parser.add_argument("--out", type=Path, help="folder for models with findings")
    parser.add_argument("-j", type=int, default=2, help="workers (default: 2)")
    parser.add_argument("-v", action="store_true", help="whole messages, and the model where there is one seed")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a model may take")
    args = parser.parse_args()

    package = args.build.resolve() / "python"
    if package.is_dir():
        sys.path.insert(0, str(package))
    if args.minimize is not None:
        return minimize.main(args.minimize, args.timeout, args.out)

    seeds = seedsOf(args.seeds)
    if args.v and len(seeds) == 1:
        print(onnx.printer.to_text(generate.generate(seeds[0]).model))
    counts, onlyPeer = Counter(), 0
    start = time.monotonic()

    def report(index, result):
        nonlocal onlyPeer
        kind = kindOf(result)
        counts[kind] += 1
        onlyPeer += result.status == "skip"
        if kind != "passed":
            text = result.message.removeprefix("wrong result: ")
            print(f"seed {seeds[index]}: {text if args.v else ' '.join(text.split())[:300]}", flush=True)
            if args.out:
                save(args.out, seeds[index], text)

    pool.runAll(lambda index: runSeed(seeds[index]), range(len(seeds)), args.j, args.timeout, report)
    if onlyPeer:
        print(f"{onlyPeer} models agree with ONNX Runtime, not with onnx's reference evaluator")
    print(
        f"{len(seeds)} models in {time.monotonic() - start:.0f} s: {counts['passed']} passed, {counts['refused']} refused, "
        f"{counts['differing']} differing, {counts['crashed']} crashed, {counts['invalid']} invalid"
    )
    bad = len(seeds) - counts["passed"]
    print(f"{counts['passed']} passed, {bad} failed, 0 skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
