"""tinyres/app/training/state.py: which positions are accepted. Saving and going on is in test_resume.py."""

import json
import math
from dataclasses import asdict

import pytest

from tinyres.app.training.state import Position
from tinyres.train import Score

POSITION = Position(
    epoch=1, batch=2, score=Score(loss_sum=1.5, correct=3, images=8), seconds=0.1, best_epoch=1, best_accuracy=0.3
)


def test_a_position_comes_back_exactly():
    assert Position.read(json.loads(json.dumps(asdict(POSITION))), epochs=2, batches=3) == POSITION


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"epoch": 3}, "epoch 3, batch 2: beyond the end"),
        ({"batch": 4}, "epoch 1, batch 4: beyond the end"),
        ({"epoch": -1}, "expected counts of 0 or more"),
        ({"best_epoch": 1.0}, "expected counts of 0 or more"),
        ({"score": {"loss_sum": 1.5, "correct": None, "images": 8}}, "expected counts of 0 or more"),
        ({"score": {"loss_sum": math.inf, "correct": 3, "images": 8}}, "expected finite numbers"),
        ({"seconds": math.nan}, "expected finite numbers"),
        ({"best_accuracy": "high"}, "expected finite numbers"),
        ({"colour": "blue"}, "colour"),
    ],
    ids=str,
)
def test_other_positions_are_refused(change, error):
    with pytest.raises((TypeError, ValueError), match=error):
        Position.read({**asdict(POSITION), **change}, epochs=2, batches=3)
