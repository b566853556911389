"""Writes networks as ONNX for other programs, such as onnxruntime and Netron. Needs the package `onnx`."""

from tinyres.app.export.check import largest_difference
from tinyres.app.export.errors import ExportError
from tinyres.app.export.onnx_file import export_onnx

__all__ = ["ExportError", "export_onnx", "largest_difference"]
