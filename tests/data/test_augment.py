"""tinyres/data/augment.py against the same thing done slowly, picture by picture."""

import numpy as np

from tinyres.data.augment import crop, draw_crops, draw_flips, flip, normalise

IMAGES = np.random.default_rng(0).integers(1, 256, (200, 3, 6, 5), dtype=np.uint8)  # no black: the padding is


def random_crop(images, seed, padding=4):
    return crop(images, draw_crops(len(images), np.random.default_rng(seed), padding), padding)


def random_flip(images, seed):
    return flip(images, draw_flips(len(images), np.random.default_rng(seed)))


def all_crops(image, padding):
    """Every crop there is of one padded picture, by (top, left)."""
    _, h, w = image.shape
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    places = [(top, left) for top in range(2 * padding + 1) for left in range(2 * padding + 1)]
    return {(top, left): padded[:, top : top + h, left : left + w] for top, left in places}


def test_each_crop_is_one_of_its_pictures_padded_with_black():
    cropped = random_crop(IMAGES, 1, padding=2)
    seen = set()
    for image, result in zip(IMAGES, cropped, strict=True):
        places = [place for place, crop in all_crops(image, padding=2).items() if np.array_equal(crop, result)]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 25  # and every place is drawn, corners included


def test_crop_draws_each_place_equally_often():
    points = np.zeros((9000, 1, 9, 9), np.uint8)
    points[:, 0, 4, 4] = 1  # in a crop, this point shows where it was cut
    counts = random_crop(points, 2).sum(axis=(0, 1), dtype=np.int64)  # (9, 9)
    expected = 9000 / 81
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 130  # 80 degrees of freedom: above 130 once in 3,000 seeds


def test_each_flip_is_the_picture_or_its_mirror_image():
    flipped = random_flip(IMAGES, 3)
    mirrored = [np.array_equal(result, image[:, :, ::-1]) for image, result in zip(IMAGES, flipped, strict=True)]
    same = [np.array_equal(result, image) for image, result in zip(IMAGES, flipped, strict=True)]
    assert sum(mirrored) + sum(same) == len(IMAGES)
    assert 70 < sum(mirrored) < 130  # 200 fair coins


def test_the_data_set_itself_is_left_alone():
    before = IMAGES.copy()
    random_flip(random_crop(IMAGES, 4), 5)
    np.testing.assert_array_equal(IMAGES, before)


def test_normalise_is_its_formula():
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    expected = (IMAGES / 255 - mean[:, None, None]) / std[:, None, None]
    single, double = normalise(IMAGES, mean, std), normalise(IMAGES, mean, std, np.float64)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, expected, atol=1e-6)
    np.testing.assert_allclose(double, expected, atol=1e-14)
