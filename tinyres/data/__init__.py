"""Data sets and the loader that turns them into batches.

train, test = load("shapes")
mean, std = channel_statistics(train)
loader = Loader(train, 128, shuffle=True, augment=True, mean=mean, std=std)
for x, y in loader.epoch(0): ...
"""

from difflib import get_close_matches
from pathlib import Path

from tinyres.data.cifar import CIFAR10, CIFAR100, load_cifar
from tinyres.data.dataset import DataError, Dataset, channel_statistics
from tinyres.data.folder import load_folder
from tinyres.data.loader import Loader
from tinyres.data.shapes import shapes
from tinyres.data.split import split

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "Loader",
    "channel_statistics",
    "load",
    "load_folder",
    "may_download",
    "shapes",
    "split",
]

NAMES = ("shapes", "cifar10", "cifar100", "folder:PATH")


def load(name: str, data_dir: str | Path | None = None, *, quiet: bool = False) -> tuple[Dataset, Dataset]:
    """(training set, test set) of one of `NAMES`.

    shapes:            drawn on the spot
    cifar10, cifar100: from `data_dir` (which only these two heed) or else from the cache; downloaded the first time
    folder:PATH:       your own pictures, see tinyres.data.folder

    quiet: no progress bar and no notices. Raises ValueError for another name, DataError if the data cannot be had.
    """
    if name.startswith("folder:") and name != "folder:":
        return load_folder(name.removeprefix("folder:"))
    if name == "shapes":
        return shapes()
    if name == "cifar10":
        return load_cifar(CIFAR10, data_dir, quiet=quiet)
    if name == "cifar100":
        return load_cifar(CIFAR100, data_dir, quiet=quiet)
    close = get_close_matches(name, NAMES, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"load: expected one of {', '.join(NAMES)}, got {name!r}{hint}")


def may_download(name: str, data_dir: str | Path | None = None) -> bool:
    """Whether `load` would download it if it is not there yet. Two processes must not do so at once."""
    return name in ("cifar10", "cifar100") and data_dir is None
