"""tinyres/data/shapes.py: balanced, repeatable, beyond a linear classifier; every outline is where it should be."""

import numpy as np
import pytest

from tinyres.data import Dataset, shapes
from tinyres.data.shapes import OUTLINES


def test_ten_classes_of_small_colour_pictures_equally_often():
    train, test = shapes(train=1000, test=500)
    assert train.images.shape == (1000, 3, 32, 32)
    assert train.name == "shapes"
    assert len(train.classes) == 10
    np.testing.assert_array_equal(np.bincount(train.labels), np.full(10, 100))
    np.testing.assert_array_equal(np.bincount(test.labels), np.full(10, 50))


def test_a_seed_gives_the_same_pictures_and_another_one_others():
    first, again, other = (shapes(600, 1, seed)[0].sha256() for seed in (0, 0, 1))
    assert first == again != other


def test_a_smaller_set_is_the_beginning_of_a_larger_one():
    small, large = shapes(50, 1)[0], shapes(700, 1)[0]
    assert small.sha256() == large.take(slice(50)).sha256()


def test_training_and_test_pictures_differ():
    train, test = shapes(500, 500)
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)


@pytest.mark.parametrize(("train", "test"), [(0, 10), (10, 0)])
def test_an_empty_set_is_refused(train, test):
    with pytest.raises(ValueError, match=f"at least 1 image, got train={train}, test={test}"):
        shapes(train, test)


# Points inside and outside that tell the shape from its neighbours: (u, v), with v pointing down.
LANDMARKS = {
    "disc": ([(0, 0), (0.8, 0)], [(0.7, 0.7)]),
    "ring": ([(0.7, 0), (0, -0.7)], [(0, 0), (0.95, 0)]),
    "square": ([(0, 0), (0.7, 0.7)], [(0.8, 0)]),
    "frame": ([(0.6, 0), (0.6, 0.6)], [(0, 0), (0.9, 0)]),
    "triangle": ([(0, 0.95), (0.8, -0.45), (0, 0)], [(0, -0.6), (0.6, 0.6)]),
    "star": ([(0.95, 0), (0, 0)], [(-0.5, 0), (0.8, 0.3)]),
    "cross": ([(0.85, 0), (0, 0.85), (0, 0)], [(0.4, 0.4)]),
    "crescent": ([(-0.6, 0)], [(0.3, 0), (0, 0)]),
    "heart": ([(0, 0), (-0.6, -0.6), (0.7, -0.2), (-0.2, 0.7)], [(0.6, 0.6), (0.8, -0.7)]),
    "arrow": ([(0, 0.9), (0.8, 0.05), (0, -0.9)], [(0.5, -0.5), (0.5, 0.7)]),
}


@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_is_negative_inside_and_positive_outside(name):
    inside, outside = (np.array(points, float).T for points in LANDMARKS[name])
    assert (OUTLINES[name](*inside) < 0).all()
    assert (OUTLINES[name](*outside) > 0).all()


@pytest.mark.parametrize("name", OUTLINES)
def test_no_outline_reaches_far_beyond_the_unit_disc(name):
    angle = np.linspace(0, 2 * np.pi, 1000)
    assert (OUTLINES[name](1.05 * np.cos(angle), 1.05 * np.sin(angle)) > 0).all()


def test_a_linear_classifier_stays_under_half():
    train, test = shapes(train=2000, test=1000)
    accuracy = linear_accuracy(train, test)
    assert accuracy < 0.5
    assert linear_accuracy(*brightness_task(train, test)) > 0.9  # the classifier does learn what is linear


def brightness_task(*datasets):
    """The same pictures with a question that pixels answer linearly: is the picture bright?"""
    for dataset in datasets:
        brightness = dataset.images.mean(axis=(1, 2, 3))
        yield Dataset(dataset.images, (brightness > 90).astype(np.int64), ("dark", "bright"), "brightness")


def linear_accuracy(train, test):
    """Test accuracy of softmax regression on the pixels, trained by plain gradient descent."""

    def features(dataset):
        return dataset.images.reshape(len(dataset), -1).astype(np.float32) / 255 - 0.4

    x, wanted = features(train), np.eye(len(train.classes), dtype=np.float32)[train.labels]
    weights = np.zeros((x.shape[1], len(train.classes)), np.float32)
    for _ in range(100):
        scores = np.exp(x @ weights)
        weights -= 0.02 * x.T @ (scores / scores.sum(axis=1, keepdims=True) - wanted) / len(x)
    return ((features(test) @ weights).argmax(axis=1) == test.labels).mean()
