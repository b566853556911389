"""Runs an ONNX file, to compare its outputs with those of the model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinyres.autograd import Tensor
from tinyres.modes import no_grad
from tinyres.nn import Module


class Difference(NamedTuple):
    """runner: the program that ran the file. relative: the largest difference, divided by the largest score."""

    runner: str
    relative: float


def run_onnx(path: str | Path, images: np.ndarray) -> tuple[str, list[np.ndarray]]:
    """(the program that ran it, its outputs): onnxruntime, or if it is missing onnx's reference in NumPy."""
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        return "onnx's reference", list(ReferenceEvaluator(str(path)).run(None, {"images": images}))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # leave the other cores to other programs
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return f"onnxruntime {onnxruntime.__version__}", session.run(None, {"images": images})


def largest_difference(
    model: Module, path: str | Path, input_shape: tuple[int, ...], batches: tuple[int, ...] = (1, 4)
) -> Difference:
    """How far the file's outputs are from the model's, for several batch sizes. Puts the model in eval mode."""
    model.eval()
    worst, runner = 0.0, ""
    for n in batches:
        images = np.random.RandomState(n).standard_normal((n, *input_shape)).astype(np.float32)
        runner, theirs = run_onnx(path, images)
        with no_grad():
            y = model(Tensor(images))
        for a, b in zip(y if isinstance(y, (tuple, list)) else (y,), theirs, strict=True):
            scale = float(np.abs(a.numpy()).max()) or 1.0
            worst = max(worst, float(np.abs(a.numpy() - b).max()) / scale)
    return Difference(runner, worst)
