#!/usr/bin/env python3
"""Measures onnxc beside its peers in one interleaved run.

  compare.py                                   resnet50, mobilenet_v2, bert_small on 1 and 2 threads
  compare.py unet --threads 1 --rounds 30      one model, longer
  compare.py --write docs/performance.md       puts the tables into the page

Every round runs each engine once, so that a change of the machine's speed meets all of them. Ratios
are the median over rounds of (peer's time / onnxc's time): above 1 onnxc is faster. Peers are
ONNX Runtime and, when installed (benchmarks/requirements.txt), OpenVINO. Models are those of
test/models/run.py, with their first set of inputs.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "models"))

import engines  # noqa: E402
import numpy as np  # noqa: E402
from outputs import loadTensor  # noqa: E402
from run import makeModels  # noqa: E402

REST = 0.02  # seconds
DEFAULT = ["resnet50", "mobilenet_v2", "bert_small"]
BEGIN, END = "<!-- begin of measured tables -->", "<!-- end of measured tables -->"


def modelFolder(args, name):
    if args.root:
        return args.root / name
    cache = Path(os.environ.get("ONNXC_CACHE_DIR") or Path.home() / ".cache" / "onnxc") / "models"
    makeModels([name], cache)
    return cache / name


def inputsOf(folder):
    """The first set of inputs, by name."""
    meta = json.loads((folder / "meta.json").read_text())
    data = folder / "test_data_set_0"
    return dict(loadTensor(data / f"input_{i}.pb") for i in range(len(meta["sets"][0]["inputs"])))


def tableOf(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def measure(runs, feed, rounds, seconds):
    """{engine: [seconds of each round]}; each round times every engine once, in turn.

    Before its turn an engine rests until the other's worker threads have stopped spinning, and
    runs once untimed: its own threads are awake then, and its data in the caches.
    """
    times = {name: [] for name in runs}
    for run in runs.values():
        run(feed)
    end = time.perf_counter() + seconds
    for number in range(rounds):
        for name, run in runs.items():
            time.sleep(REST)
            run(feed)
            start = time.perf_counter()
            run(feed)
            times[name].append(time.perf_counter() - start)
        if time.perf_counter() > end and number >= 4:
            break
    return times


def ratio(times, peer):
    each = sorted(p / o for p, o in zip(times[peer], times["onnxc"], strict=True))
    low, high = each[len(each) // 10], each[-1 - len(each) // 10]
    return f"{statistics.median(each):.2f} ({low:.2f}-{high:.2f})"


def benchmark(args, name, peers):
    """(rows of the speed table, row of the size table)"""
    folder = modelFolder(args, name)
    model = folder / "model.onnx"
    feed = inputsOf(folder)
    onnxc = args.build / "bin" / "onnxc"
    with tempfile.TemporaryDirectory() as scratch:
        library, inputs = Path(scratch) / "model.so", Path(scratch) / "inputs.npz"
        np.savez(inputs, **feed)
        compileSeconds, compilePeak = engines.compileModel(model, library, onnxc)
        files = {engine: library if engine == "onnxc" else model for engine in ["onnxc", *peers]}
        speed = []
        for threads in args.threads:
            runs = {e: engines.LOADERS[e](file, threads) for e, file in files.items()}
            times = measure(runs, feed, args.rounds, args.seconds)
            row = [name, threads, *(f"{1e3 * statistics.median(times[e]):.1f}" for e in files)]
            speed.append(row + [ratio(times, peer) for peer in peers])
        first = {e: [engines.firstResult(e, file, inputs, 1) for _ in range(3)] for e, file in files.items()}
        size = [
            name,
            *(f"{1e3 * statistics.median(t for t, _ in first[e]):.0f}" for e in files),
            *(f"{statistics.median(p for _, p in first[e]):.0f}" for e in files),
            f"{compileSeconds:.1f}",
            f"{compilePeak:.0f}",
            f"{library.stat().st_size / 1e6:.1f}",
            f"{model.stat().st_size / 1e6:.1f}",
        ]
    return speed, size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--root", type=Path, help="folder with the models, made already")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=50, help="rounds at most")
    parser.add_argument("--seconds", type=float, default=20, help="per model and number of threads, about")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    parser.add_argument("models", nargs="*", default=DEFAULT)
    args = parser.parse_args()
    args.build = args.build.resolve()
    package = args.build / "python"
    sys.path.insert(0, str(package))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])

    peers = ["onnxruntime"] + (["openvino"] if importlib.util.find_spec("openvino") else [])
    names = ["onnxc", *peers]
    speed, sizes = [], []
    for name in args.models:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        rows, size = benchmark(args, name, peers)
        speed += rows
        sizes.append(size)
    one = statistics.median(engines.compileTimeOfOneOperator(args.build / "bin" / "onnxc"))

    text = "\n".join(
        [
            "Median time of a run in ms, and ratio peer / onnxc (10th to 90th percentile):\n",
            tableOf(["model", "threads", *names, *(f"ratio to {p}" for p in peers)], speed),
            "\nFresh process, one thread: load to first result in ms, peak memory in MB beyond Python's; compiler:\n",
            tableOf(
                ["model", *(f"{e} load ms" for e in names), *(f"{e} MB" for e in names)]
                + ["compile s", "compiler's peak MB", ".so MB", ".onnx MB"],
                sizes,
            ),
            f"\nCompile time of a model of one operator, median of 15: {one:.3f} s",
        ]
    )
    print(text)
    if args.write:
        page = args.write.read_text()
        start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        args.write.write_text(f"{page[:start]}\n\n{text}\n\n{page[end:]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
