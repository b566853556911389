"""The paper's own recipe for ResNet-20 on CIFAR-10, all 64,000 steps, in TF32: torch's own default for convolutions."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tinyres.app import training
from tinyres.app.training import RunFolder, Settings


class Section:
    """out: the run's folder, a new one. data_dir: where CIFAR-10 lies; None: where it was downloaded to, or will be"""

    def __init__(self, out: str, data_dir: str | None = None) -> None:
        self.labels = ["resnet20"]
        where = {"data": "cifar10", "data_dir": data_dir, "device": "cuda"}
        self.settings = Settings.from_recipe("paper", model="resnet20", precision="tf32", **where)
        self.folder = RunFolder(Path(out))

    def measure(self, label: str) -> dict[str, object]:
        """The run's result; its log is in the folder."""
        return {"folder": str(self.folder), **training.train(self.settings, self.folder, Console(stderr=True))}
