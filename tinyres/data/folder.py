"""Your own pictures: one folder per class, named after it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyres.data.dataset import DataError, Dataset
from tinyres.data.split import split

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
LAYOUT = "expected PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, or PATH/CLASS/*.png"


def load_folder(path: str | Path, size: int = 32, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Read (training set, test set) from folders of PNG, JPEG, BMP, GIF or WebP pictures.

    If PATH/train and PATH/test both exist, their folders are the classes: PATH/train/CLASS/*. If not, PATH's own are:
    PATH/CLASS/*, and a random fifth of the pictures, the same for the same seed, becomes the test set.

    Pictures become RGB, lose what is not in their central square, and are scaled to `size`×`size`. Classes are sorted
    by name. Raises DataError, naming the folder or file, if there is nothing to read or a picture cannot be read.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        raise DataError(f"{path}: no such folder; {LAYOUT}")
    name = f"folder:{path}"
    if not ((path / "train").is_dir() and (path / "test").is_dir()):
        everything = _read_tree(path, _class_names(path), name, size)
        if len(everything) < 2:
            raise DataError(f"{path}: expected at least 2 images, to split into a training and a test set, got 1")
        return split(everything, validation=max(1, len(everything) // 5), seed=seed)
    classes = _class_names(path / "train")
    unknown = set(_class_names(path / "test")) - set(classes)
    if unknown:
        raise DataError(f"{path / 'test'}: has classes that {path / 'train'} has not: {', '.join(sorted(unknown))}")
    return _read_tree(path / "train", classes, name, size), _read_tree(path / "test", classes, name, size)


def _class_names(root: Path) -> tuple[str, ...]:
    names = sorted(folder.name for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    if not names:
        raise DataError(f"{root}: has no folders, so no classes; {LAYOUT}")
    return tuple(names)


def _read_tree(root: Path, classes: tuple[str, ...], name: str, size: int) -> Dataset:
    images, labels = [], []
    for label, class_name in enumerate(classes):
        files = sorted(file for file in (root / class_name).glob("*") if file.suffix.lower() in SUFFIXES)
        images += [_read_image(file, size) for file in files]
        labels += [label] * len(files)
    if not images:
        raise DataError(f"{root}: its class folders hold no images ({', '.join(sorted(SUFFIXES))}); {LAYOUT}")
    return Dataset(np.stack(images), np.array(labels, np.int64), classes, name)


def _read_image(file: Path, size: int) -> np.ndarray:
    """The picture as uint8 (3, size, size)."""
    return squared(open_picture(file), size)


def open_picture(file: Path) -> "Image.Image":
    """The whole picture in RGB, upright. DataError: it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")  # cameras store the turn beside the pixels
    except Exception as error:  # Pillow's decoders raise many kinds
        raise DataError(f"{file}: cannot be read as an image ({error}); replace or remove it") from error


def squared(image: "Image.Image", size: int) -> np.ndarray:
    """Its central square, scaled: uint8 (3, size, size)."""
    from PIL import Image

    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(square).transpose(2, 0, 1)  # (size, size, 3) → (3, size, size)
