"""tinyres/data/folder.py with small pictures written by Pillow."""

import numpy as np
import pytest
from PIL import Image

from tinyres.data import DataError, load, load_folder

RED, BLUE = (255, 0, 0), (0, 0, 255)


def save(path, colour=RED, size=(40, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_train_and_test_folders(tmp_path):
    save(tmp_path / "train" / "red" / "1.png")
    save(tmp_path / "train" / "blue" / "1.JPG", BLUE)
    save(tmp_path / "test" / "red" / "2.png")
    train, test = load_folder(tmp_path)
    assert train.classes == test.classes == ("blue", "red")
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1], [1])
    assert train.images.shape == (2, 3, 32, 32)
    assert train.images[1, :, 0, 0].tolist() == [255, 0, 0]
    assert train.name == f"folder:{tmp_path}"


def test_without_a_test_folder_a_fifth_is_set_aside(tmp_path):
    for i in range(10):
        save(tmp_path / "red" / f"{i}.png", (i, 0, 0))
        save(tmp_path / "blue" / f"{i}.png", (i, 0, 255))
    train, test = load_folder(tmp_path)
    assert (len(train), len(test)) == (16, 4)
    pixels = [tuple(image[:, 0, 0]) for part in (train, test) for image in part.images]
    assert len(set(pixels)) == 20
    assert load_folder(tmp_path)[1].sha256() == test.sha256()
    assert load_folder(tmp_path, seed=1)[1].sha256() != test.sha256()


def test_the_central_square_is_kept_and_scaled(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = BLUE  # the middle third
    (tmp_path / "pictures").mkdir()
    for name in ("a", "b"):
        Image.fromarray(wide).save(tmp_path / "pictures" / f"{name}.png")
    train, _ = load_folder(tmp_path, size=8)
    assert train.images.shape == (1, 3, 8, 8)
    assert (train.images[0] == np.array(BLUE)[:, None, None]).all()


def test_grey_and_transparent_pictures_become_rgb(tmp_path):
    (tmp_path / "pictures").mkdir()
    Image.new("L", (32, 32), 7).save(tmp_path / "pictures" / "grey.png")
    Image.new("RGBA", (32, 32), (7, 7, 7, 128)).save(tmp_path / "pictures" / "transparent.png")
    train, test = load_folder(tmp_path)
    assert (train.images == 7).all()
    assert (test.images == 7).all()


def test_a_camera_that_was_held_upright(tmp_path):
    photo = Image.new("RGB", (32, 32))
    photo.paste(RED, (0, 0, 16, 32))  # as stored: the left half is red
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me clockwise by 90°": then it is the upper half
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        photo.save(tmp_path / "photos" / f"{name}.png", exif=exif)
    train, _ = load_folder(tmp_path)
    assert (train.images[0, 0, :16] == 255).all()
    assert (train.images[0, 0, 16:] == 0).all()


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for i in range(2):
        save(tmp_path / "pictures" / "red" / f"{i}.png")
    assert len(load_folder("~/pictures")[0]) == 1


def test_load_knows_folders(tmp_path):
    save(tmp_path / "train" / "red" / "1.png")
    save(tmp_path / "test" / "red" / "1.png")
    assert len(load(f"folder:{tmp_path}")[0]) == 1


def test_an_unreadable_picture_is_named(tmp_path):
    save(tmp_path / "red" / "1.png")
    (tmp_path / "red" / "2.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"red/2\.png: cannot be read as an image"):
        load_folder(tmp_path)


def test_a_picture_cut_short_is_named(tmp_path):
    save(tmp_path / "red" / "1.png", size=(200, 200))
    whole = (tmp_path / "red" / "1.png").read_bytes()
    (tmp_path / "red" / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"red/2\.png: cannot be read as an image"):
        load_folder(tmp_path)


def test_a_class_known_only_to_the_test_set_is_refused(tmp_path):
    save(tmp_path / "train" / "red" / "1.png")
    save(tmp_path / "test" / "blue" / "1.png")
    with pytest.raises(DataError, match=r"has classes that .* has not: blue"):
        load_folder(tmp_path)


def test_nothing_to_read(tmp_path):
    with pytest.raises(DataError, match="missing: no such folder; expected PATH/train/CLASS"):
        load_folder(tmp_path / "missing")
    with pytest.raises(DataError, match="has no folders, so no classes"):
        load_folder(tmp_path)
    (tmp_path / "red").mkdir()
    with pytest.raises(DataError, match="class folders hold no images"):
        load_folder(tmp_path)
    save(tmp_path / "red" / "1.png")
    with pytest.raises(DataError, match="at least 2 images"):
        load_folder(tmp_path)
