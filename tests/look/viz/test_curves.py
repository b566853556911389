"""The learning curves show the metrics, and their labels say so."""

import pytest

from tinyres.look.viz.curves import curves, draw_curves

METRICS = [
    {"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.25, "validation_loss": 1.75, "validation_accuracy": 0.5},
    {"epoch": 2, "train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 1.25, "validation_accuracy": 0.75},
    {"epoch": 3, "train_loss": 0.5, "train_accuracy": 0.75, "validation_loss": 1.5, "validation_accuracy": 0.75},
]


def test_the_lines_are_the_metrics():
    loss, error = curves(METRICS, "a net on some data").axes
    drawn = [list(line.get_ydata()) for axes in (loss, error) for line in axes.lines]
    assert drawn[:2] == [[2.0, 1.0, 0.5], [1.75, 1.25, 1.5]]
    assert drawn[2:4] == [[75.0, 50.0, 25.0], [50.0, 25.0, 25.0]]
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in (*loss.lines, *error.lines[:2]))


def test_the_first_of_the_best_epochs_has_the_ring():
    _, error = curves(METRICS, "").axes
    ring = error.lines[2]
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([2], [25.0])
    assert ring.get_label() == "kept: 25.0 % after epoch 2"


def test_what_is_written_on_it():
    figure = curves(METRICS, "a net on some data")
    loss, error = figure.axes
    assert figure.get_suptitle() == "a net on some data"
    assert (loss.get_ylabel(), error.get_ylabel()) == (
        "cross-entropy (nats per image)",
        "images classified wrongly (%)",
    )
    assert loss.get_xlabel() == error.get_xlabel() == "epoch"
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "training, during the epoch",
        "validation, after the epoch",
    ]


@pytest.mark.parametrize("epochs", [1, 100])
def test_few_and_many_epochs(epochs, tmp_path):
    many = [{**METRICS[0], "epoch": epoch} for epoch in range(1, epochs + 1)]
    draw_curves(many, tmp_path / "curves.png", "net", "data")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
