"""What a trained network takes a picture for."""

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
    """picture: as it lies in the file, uint8 (H, W, 3).    seen: what the network is given, uint8 (size, size, 3).

    classes, probabilities: the likeliest first
    """

    file: Path
    picture: np.ndarray
    seen: np.ndarray
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    def resizing(self) -> str:
        """What was done to the picture so that the network can take it."""
        height, width = self.picture.shape[:2]
        side, size = min(height, width), len(self.seen)
        square = "" if height == width else f"its central square, {side}×{side}, "
        scaled = f"scaled to {size}×{size}, as the network learnt" if side != size else ""
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
    """The `top` likeliest classes of each picture. DataError: one cannot be read."""
    channels, height, width = trained.image_shape
    if channels != 3 or height != width:
        raise RunError(
            f"{trained.checkpoint}: learnt from images of {trained.image_shape}, not from square RGB pictures"
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
