"""The network that a run has trained, ready to use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyres import models
from tinyres.app.training import checkpoint
from tinyres.app.training.checkpoint import Checkpoint
from tinyres.app.training.errors import Damaged, RunError
from tinyres.app.training.run_folder import RunFolder
from tinyres.data.augment import normalise
from tinyres.nn import Module

IMAGE_SHAPE = (3, 32, 32)  # for older checkpoints, which do not say it: all data sets had this shape then
INSTEAD = "the weights of the newest epoch are in last.safetensors: tinyres eval {} --checkpoint last"


@dataclass(frozen=True)
class Trained:
    """model: in evaluation mode, float32, on the CPU    mean, std: (C), of its training images, from 0 to 1"""

    model: Module
    name: str
    classes: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    image_shape: tuple[int, ...]
    epoch: int
    checkpoint: Path

    def normalise(self, images: np.ndarray) -> np.ndarray:
        """uint8 images (N, C, H, W) as the network saw them in training: float32."""
        return normalise(images, self.mean, self.std, np.dtype(np.float32))


def load_checkpoint(folder: RunFolder, which: str = "best") -> tuple[Path, Checkpoint]:
    """The path and the content of a run's "best" or "last" checkpoint. RunError: there is none, or it is damaged."""
    path = {"best": folder.best, "last": folder.last}[which]
    try:
        return path, checkpoint.load(path)
    except RunError as error:
        if which == "best" and folder.last.exists() and (isinstance(error, Damaged) or not path.exists()):
            raise type(error)(f"{error}; its weights exist nowhere else, but {INSTEAD.format(folder)}") from error
        raise


def load_trained(folder: RunFolder, which: str = "best") -> Trained:
    """The network of a run's "best" or "last" checkpoint. RunError: there is none, or it is damaged."""
    folder.read_config()  # raises a clear error if this is not a run's folder
    path, saved = load_checkpoint(folder, which)
    about = saved.about
    try:
        model = models.build(about["model"], about["num_classes"], about["shortcut"])
        shape = tuple(int(length) for length in about.get("image_shape", IMAGE_SHAPE))
        mean, std = (np.array(about[name], np.float64) for name in ("mean", "std"))
        classes, epoch = tuple(about["classes"]), about["epoch"]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: does not say which network it is ({error})") from error
    checkpoint.load_weights(model, saved, path, about["model"])
    return Trained(model.float().eval(), about["model"], classes, mean, std, shape, epoch, path)
