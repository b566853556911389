"""The paper's own recipe for ResNet-20 on CIFAR-10, all 64,000 steps, in TF32, torch's default for convolutions."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tinyres.app import training
from tinyres.app.training import RunFolder, Settings


class Section:
    """out: a new folder, for the run. data_dir: the folder with CIFAR-10; None: the folder that downloads go to."""

    def __init__(self, out: str, data_dir: str | None = None) -> None:
        self.labels = ["resnet20"]
        where = {"data": "cifar10", "data_dir": data_dir, "device": "cuda"}
        self.settings = Settings.from_recipe("paper", model="resnet20", precision="tf32", **where)
        self.folder = RunFolder(Path(out))

    def measure(self, label: str) -> dict[str, object]:
        """The run's folder and result."""
        return {"folder": str(self.folder), **training.train(self.settings, self.folder, Console(stderr=True))}
