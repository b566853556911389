"""Classifies pictures with a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.training.errors import RunError
from tinyres.app.training.trained import Trained
from tinyres.autograd import Tensor
from tinyres.data.folder import open_picture, squared
from tinyres.modes import no_grad
from tinyres.nn import functional as F


@dataclass(frozen=True)
class Prediction:
    """picture: as in the file, uint8 (H, W, 3)
    seen: what the network gets, uint8 (size, size, 3)
    classes, probabilities: the most likely first
    """

    file: Path
    picture: np.ndarray
    seen: np.ndarray
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    def resizing(self) -> str:
        """How the picture was cut and scaled for the network."""
        height, width = self.picture.shape[:2]
        side, size = min(height, width), len(self.seen)
        square = "" if height == width else f"its central square, {side}×{side}, "
        scaled = f"scaled to {size}×{size}, the size of the training images" if side != size else ""
        return f"{width}×{height}; {square}{scaled}".strip("; ,")

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "resizing": self.resizing(),
            "predictions": [
                {"class": name, "probability": probability}
                for name, probability in zip(self.classes, self.probabilities, strict=True)
            ],
        }


def predict(trained: Trained, files: Sequence[Path], top: int = 5) -> list[Prediction]:
    """The `top` most likely classes of each picture. DataError: a picture cannot be read."""
    channels, height, width = trained.image_shape
    if channels != 3 or height != width:
        raise RunError(
            f"{trained.checkpoint}: expected a network for square RGB pictures, got one for {trained.image_shape}"
        )
    pictures = [open_picture(file) for file in files]
    seen = np.stack([squared(picture, height) for picture in pictures])  # (N, 3, size, size)
    with no_grad():
        scores = trained.model.eval()(Tensor(trained.normalise(seen)))
        probabilities = F.softmax(scores, dim=1).numpy()
    found = []
    for n, file in enumerate(files):
        order = np.argsort(-probabilities[n], kind="stable")[:top]
        found.append(
            Prediction(
                file,
                np.asarray(pictures[n]),
                seen[n].transpose(1, 2, 0),
                tuple(trained.classes[k] for k in order),
                tuple(float(probabilities[n][k]) for k in order),
            )
        )
    return found


def as_table(predictions: Sequence[Prediction]) -> str:
    lines = []
    for prediction in predictions:
        lines.append(f"{prediction.file}: {prediction.resizing()}")
        width = max(len(name) for name in prediction.classes)
        pairs = zip(prediction.classes, prediction.probabilities, strict=True)
        lines += [f"  {k}  {name:<{width}}  {p:>7.2%}" for k, (name, p) in enumerate(pairs, start=1)]
    return "\n".join(lines)
