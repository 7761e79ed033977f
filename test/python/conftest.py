"""The package under test is that of the build folder; models come from there too."""

import os
import sys
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("ONNXC_BUILD") or Path(__file__).resolve().parents[2] / "build")
sys.path.insert(0, str(BUILD / "python"))

MODELS = BUILD / "unittests" / "Runtime" / "models"


@pytest.fixture(scope="session")
def handWritten():
    """The path of a model that unittests/Runtime builds without the compiler."""

    def path(name):
        file = MODELS / f"{name}.so"
        if not file.exists():
            pytest.skip(f"{file} is not built (ninja RuntimeTests)")
        return str(file)

    return path
