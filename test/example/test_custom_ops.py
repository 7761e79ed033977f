"""examples/custom-ops, built against an installed package."""

import shutil
import subprocess

import pytest
from conftest import buildExample, call

RESULT = "0.5 1.5 2.5 \n1: middle\n2: high\n"


@pytest.fixture(scope="module")
def build(prefix, tmp_path_factory):
    return buildExample("custom-ops", prefix, tmp_path_factory.mktemp("custom-ops"))


def testTheArchiveIsPartOfTheModel(build, tmp_path):
    model = shutil.copy(build / "with-archive.so", tmp_path)
    assert call(build / "limits", model) == RESULT


def testTheLibraryIsFoundBesideTheModelOrByItsPath(build, tmp_path):
    assert call(build / "limits", build / "with-library.so") == RESULT
    model = shutil.copy(build / "with-library.so", tmp_path)
    alone = subprocess.run([build / "limits", model], capture_output=True, text=True, check=False)
    assert alone.returncode == 1 and "'liboperators.so' of custom operators cannot be loaded" in alone.stderr
    assert call(build / "limits", model, build / "liboperators.so") == RESULT


def testWhatAnOperatorThrowsIsTheRunsError(build):
    import numpy as np
    import onnxc

    session = onnxc.InferenceSession(str(build / "with-archive.so"))
    labels = np.array(["a", "b"], object)
    with pytest.raises(onnxc.Error, match="Above of domain example.ops: there are 1 scores for 2 labels"):
        session.run(None, {"x": np.zeros(1, np.float32), "labels": labels})
