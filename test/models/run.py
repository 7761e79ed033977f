#!/usr/bin/env python3
"""Compiles and runs the real models of ../shared/models against their expected outputs.

  run.py                   all of them (39, about 2 GB)
  run.py --max-mb 50       those below 50 MB
  run.py resnet50 unet     some
  run.py --target aarch64 magika    compiled for another CPU, and run in an emulator (see test/targets/remote.py)

The models are made once, into the cache folder (ONNXC_CACHE_DIR, default ~/.cache/onnxc), by
../shared/models/make_models.py; --root names a folder that holds them already. Each model
runs in a process of its own. expected-failures.txt lists those that do not work yet.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "targets"))
import remote  # noqa: E402

RECIPES = HERE.parents[1].parent / "shared" / "models"
EXPECTED = HERE / "expected-failures.txt"


def checkOne(folder, build, target):
    """Runs in a child process: {problems, compile_s, run_ms, peak_mb}. target: a remote.Target, or None for
    this machine."""
    import outputs
    import properties
    import onnxc

    meta = json.loads((folder / "meta.json").read_text())
    problems = []
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "model.so"
        start = time.perf_counter()
        onnxc.compile(str(folder / "model.onnx"), str(library), **(target.options if target else {}))
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        def openSession(threads):
            if target:
                return remote.RemoteSession(library, target, build, threads)
            options = onnxc.SessionOptions()
            options.intra_op_num_threads = threads
            return onnxc.InferenceSession(str(library), options)

        session = openSession(2 if target else 0)
        times = []
        for number, dataSet in enumerate(meta["sets"]):
            data = folder / f"test_data_set_{number}"
            feed = dict(outputs.loadTensor(data / f"input_{i}.pb") for i in range(len(dataSet["inputs"])))
            start = time.perf_counter()
            try:
                results = session.run(dataSet["outputs"], feed)
            except Exception as error:
                problems.append(f"set {number}: {error}")
                continue
            times.append(time.perf_counter() - start)
            for i, (name, kind) in enumerate(zip(dataSet["outputs"], dataSet["otypes"], strict=True)):
                if kind == "json":
                    wrong = outputs.compareMaps(data / f"output_{i}.json", results[i], meta["tol"])
                else:
                    want = outputs.loadTensor(data / f"output_{i}.pb")[1]
                    wrong = outputs.compareTensors(want, results[i], meta["tol"])
                if wrong:
                    problems.append(f"set {number}, {name}: {wrong}")
            if number == 0:
                problems += properties.checkThreads(openSession, feed)
                if not target:
                    problems += properties.checkAllocations(session, feed)
        if not target:
            problems += properties.checkArena(session)
    return {
        "problems": problems,
        "compile_s": seconds,
        "run_ms": min(times, default=0) * 1e3,
        "peak_mb": peak,
    }


def runOne(folder, timeout, build, target):
    command = [sys.executable, __file__, "--one", str(folder), "--build", str(build)]
    if target:
        command += ["--target", target]
    environment = dict(os.environ, ONNXC_NUM_THREADS="3")
    counter = build / "unittests" / "Runtime" / "libAllocationCounter.so"
    if counter.exists() and not target:
        environment |= {"LD_PRELOAD": str(counter), "ONNXC_COUNTED": "model.so"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"problems": [f"timed out after {timeout:.0f} s"]}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    told = [line for line in lines if "error:" in line.lower() or "Assertion" in line] or lines[-1:]
    how = f"died of signal {-done.returncode}: " if done.returncode < 0 else ""
    return {"problems": [how + " | ".join(told[:3])]}


def makeModels(names, root):
    missing = [name for name in names if not (root / name / "meta.json").exists()]
    if missing:
        print(f"making {len(missing)} models in {root}", flush=True)
        root.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(RECIPES / "make_models.py"), "-o", str(root), *missing]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def loadExpected():
    if not EXPECTED.exists():
        return {}
    lines = [line for line in EXPECTED.read_text().splitlines() if line.strip() and line[0] != "#"]
    return dict(line.split(" ", 1) for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parents[1] / "build", type=Path, help="build folder")
    parser.add_argument("--root", type=Path, help="folder with the models, made already")
    parser.add_argument("--max-mb", type=float, default=float("inf"), help="leave out larger models")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a model may take")
    parser.add_argument("--target", choices=remote.TARGETS, help="another CPU than this machine's")
    parser.add_argument("-j", type=int, default=2, help="models at the same time")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    target = remote.TARGETS[args.target] if args.target else None
    if args.one:
        print("RESULT " + json.dumps(checkOne(args.one, args.build, target)), flush=True)
        return 0
    if missing := target and target.missing(args.build.resolve()):
        parser.error(f"--target {args.target}: {missing}")

    package = args.build.resolve() / "python"
    if package.is_dir():
        os.environ["PYTHONPATH"] = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])
    if args.root:
        metas = sorted(args.root.glob("*/meta.json"))
    else:
        metas = sorted((RECIPES / "recipes").glob("*.json"))
    if not metas:
        where = args.root or "../shared/models"
        print(f"the real models are skipped: {where} is not here\n0 passed, 0 failed, 1 skipped")
        return 0
    known = {meta["name"]: meta["mb"] for meta in (json.loads(path.read_text()) for path in metas)}
    unknown = sorted(set(args.names) - known.keys())
    if unknown:
        parser.error(f"no model {unknown[0]}; there are {', '.join(known)}")
    names = [name for name in (args.names or known) if known[name] < args.max_mb]
    root = args.root
    if root is None:
        cache = Path(os.environ.get("ONNXC_CACHE_DIR") or Path.home() / ".cache" / "onnxc")
        root = cache / "models"
        makeModels(names, root)

    expected = loadExpected()
    count = {"passed": 0, "failed": 0, "skipped": 0}
    with ThreadPoolExecutor(args.j) as executor:
        results = executor.map(lambda name: runOne(root / name, args.timeout, args.build.resolve(), args.target), names)
        for name, result in zip(names, results, strict=True):
            problems = result["problems"]
            if problems and name in expected:
                status, text = "skipped", "fails as expected: " + "; ".join(problems)[:300]
            elif problems:
                status, text = "failed", "; ".join(problems)[:600]
            elif name in expected:
                status, text = "failed", f"passes: remove it from {EXPECTED.name}"
            else:
                status = "passed"
                text = f"compiled in {result['compile_s']:.1f} s, {result['peak_mb']:.0f} MB; ran in {result['run_ms']:.1f} ms"
            count[status] += 1
            print(f"{'ok' if status == 'passed' else status:8}{name:30}{text}", flush=True)
    print(", ".join(f"{n} {status}" for status, n in count.items()))
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
