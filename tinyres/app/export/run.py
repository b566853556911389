"""Writes a run's network as an ONNX file whose metadata say how to use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinyres.app.export.check import largest_difference
from tinyres.app.export.errors import ExportError
from tinyres.app.export.onnx_file import export_onnx
from tinyres.app.training.trained import Trained
from tinyres.look.summary import count_parameters

TOLERANCE = 1e-4  # relative to the largest score, in float32


def export_run(trained: Trained, path: Path) -> dict[str, Any]:
    """Write the file, run it, and return its data. ExportError: it cannot be written, or its scores are different."""
    metadata = {
        "model": trained.name,
        "classes": json.dumps(trained.classes),
        "mean": json.dumps(trained.mean.tolist()),
        "std": json.dumps(trained.std.tolist()),
        "images": "RGB from 0 to 1, minus mean, divided by std, for each channel",
    }
    export_onnx(trained.model, path, trained.image_shape, metadata)
    found = largest_difference(trained.model, path, trained.image_shape)
    if not found.relative < TOLERANCE:  # not >=: NaN must fail, too
        raise ExportError(
            f"{path}: scores of {found.runner} differ from the model's by {found.relative:.1e} of the largest"
        )
    return {
        "file": str(path),
        "model": trained.name,
        "epoch": trained.epoch,
        "parameters": count_parameters(trained.model),
        "input": ["batch", *trained.image_shape],
        "output": ["batch", len(trained.classes)],
        "checked_by": found.runner,
        "largest_difference": found.relative,
        "bytes": path.stat().st_size,
    }


def as_text(result: dict[str, Any]) -> str:
    def shape(name: str) -> str:
        return "×".join(map(str, result[name]))

    return (
        f"model    {result['model']} of epoch {result['epoch']}, {result['parameters']:,} parameters\n"
        f"input    images  {shape('input')}, float32; the file's metadata say how to normalise them\n"
        f"output   scores  {shape('output')}; the metadata name the classes\n"
        f"checked  by onnx, and run by {result['checked_by']}: the scores differ by at most "
        f"{result['largest_difference']:.1e} of the largest\n"
        f"file     {result['file']} ({result['bytes'] / 1e6:,.1f} MB)"
    )
