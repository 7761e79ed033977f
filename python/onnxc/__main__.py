"""The command onnxc: runs the program of this installation, or of the build folder around it."""

import os
import sys
from pathlib import Path

from . import _onnxc


def main():
    package = Path(_onnxc.__file__).parent
    for folder in (package / "bin", package.parent.parent / "bin"):
        program = folder / "onnxc"
        if program.exists():
            os.execv(program, ["onnxc", *sys.argv[1:]])
    sys.exit("onnxc: this installation has no compiler, it only runs compiled models from Python")


if __name__ == "__main__":
    main()
