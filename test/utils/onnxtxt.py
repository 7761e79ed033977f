"""The operators' tests: files with several models in ONNX's text format, separated by lines `# -----`."""

import re


def texts(file):
    """The models of a file, in order; parts without any line but comments are none."""
    return [t for t in re.split(r"(?m)^# -----\s*$", file.read_text()) if re.search(r"(?m)^\s*[^#\s]", t)]
