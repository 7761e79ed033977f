"""An on-disk cache of compiled models (session config entry "onnxc.cache_dir")."""

import hashlib
import os
import tempfile
from pathlib import Path

from .compiler import compile, library_path


def _key(model, options):
    digest = hashlib.sha256()

    def add(*parts):
        for part in parts:
            part = part if isinstance(part, bytes) else str(part).encode()
            digest.update(b"%d:" % len(part) + part)

    compiler = os.stat(library_path())
    add(compiler.st_size, compiler.st_mtime_ns, sorted(options.items()))
    for key in ("custom-ops", "custom_ops", "function"):
        files = options.get(key) or []
        for file in [files] if isinstance(files, (str, os.PathLike)) else files:
            add(Path(file).read_bytes() if Path(file).is_file() else b"")
    if "native" in str(options.get("march", "native")).split(","):
        # The folder may be shared by different machines.
        add(_cpu_flags())
    if isinstance(model, bytes):
        add(model)
    else:
        data = Path(model).read_bytes()
        add(data)
        if b"location" in data:
            # Perhaps external data: any file beside the model may hold it.
            folder = Path(model).resolve().parent
            add(folder)
            for path in sorted(folder.rglob("*")):
                stat = path.stat()
                add(path, stat.st_size, stat.st_mtime_ns)
    return digest.hexdigest()


def _cpu_flags():
    try:
        with open("/proc/cpuinfo") as file:
            return next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return ""


def cached(model, folder, options):
    """The path of the compiled model, compiled if it is not there yet."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_key(model, options)}.so"
    if not path.exists():
        # Another process may do the same; the last to finish wins, with equal content.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".compiling-") as scratch:
            os.replace(compile(model, os.path.join(scratch, "model.so"), **options), path)
    return str(path)
