"""Many broken models (mutations.py): whatever becomes of one, the compiler neither dies nor hangs nor fails without a word."""

import importlib.util
import sys
from pathlib import Path

import mutations
import pytest

HERE = Path(__file__).resolve().parent
SECONDS = 20


@pytest.fixture(scope="module")
def workers():
    """Forked workers, as the backend suite has them."""
    spec = importlib.util.spec_from_file_location("pool", HERE.parent / "backend" / "pool.py")
    pool = importlib.util.module_from_spec(spec)
    sys.modules["pool"] = pool
    spec.loader.exec_module(pool)
    return pool


def findings(pool, make, count, folder):
    """{seed: what went wrong}"""

    def call(seed):
        import onnxc

        path = folder / f"{make.__name__}{seed}.onnx"
        path.write_bytes(make(seed))
        try:
            onnxc.compile(str(path), str(folder / f"{seed}.so"), O=1 + 2 * (seed % 2))
        except onnxc.Error as error:
            assert str(error).strip(), "no message"
            assert "internal" not in str(error).lower(), str(error)

    found = {}

    def report(seed, result):
        if result.status == "fail":
            found[seed] = result.message

    pool.runAll(call, range(count), 2, SECONDS, report)
    return found


@pytest.mark.parametrize("make", [mutations.byFields, mutations.byBytes])
def testNoMutationKillsTheCompiler(workers, make, tmp_path):
    assert not findings(workers, make, 300, tmp_path)
