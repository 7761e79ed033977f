#!/usr/bin/env python3
"""onnx_as.py MODEL.onnxtxt OUT.onnx: ONNX's text format to a binary model."""

import sys
from pathlib import Path

import onnx
import onnx.parser

source, target = sys.argv[1:]
onnx.save(onnx.parser.parse_model(Path(source).read_text()), target)
