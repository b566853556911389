"""The recipes, their learning rates, and settings that are refused."""

import numpy as np
import pytest

from tinyres import nn
from tinyres.app.training import Settings

CIFAR_BATCHES = 352  # of 128 in 45,000 images


def learning_rates(settings, steps, batches=CIFAR_BATCHES):
    optimizer = settings.make_optimizer(nn.Linear(1, 1))
    schedule = settings.make_schedule(optimizer, settings.total_steps(batches))
    rates = []
    for step in steps:
        schedule.goto(step)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_the_paper_s_recipe():
    paper = Settings.from_recipe("paper", model="resnet56")
    steps = [0, 399, 31_999, 32_000, 47_999, 48_000, 63_999]
    assert learning_rates(paper, steps) == pytest.approx([0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert paper.total_steps(CIFAR_BATCHES) == 64_000
    (group,) = paper.make_optimizer(nn.Linear(1, 1)).param_groups
    assert (paper.batch_size, group["momentum"], group["weight_decay"], group["nesterov"]) == (128, 0.9, 1e-4, False)


def test_the_paper_s_warm_up_is_for_the_deepest():
    paper = Settings.from_recipe("paper", model="resnet110")
    assert learning_rates(paper, [0, 399, 400, 31_999, 32_000]) == pytest.approx([0.01, 0.01, 0.1, 0.1, 0.01])
    assert Settings.from_recipe("paper", model="resnet1202").warm_up == 400
    assert Settings.from_recipe("fast", model="resnet110").warm_up == 0


def test_epochs_take_the_place_of_the_paper_s_steps():
    paper = Settings.from_recipe("paper", epochs=4)
    assert paper.total_steps(10) == 40
    assert learning_rates(paper, [19, 20, 29, 30], batches=10) == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_the_other_schedules():
    assert learning_rates(Settings.from_recipe(schedule="constant", lr=0.2), [0, 9], 1) == [0.2, 0.2]
    cosine = learning_rates(Settings.from_recipe(schedule="cosine", lr=0.2, epochs=10), [0, 5, 10], 1)
    assert cosine == pytest.approx([0.2, 0.1, 0.0])
    onecycle = learning_rates(Settings.from_recipe(lr=0.2, epochs=100), range(100), 1)
    assert np.argmax(onecycle) == 29
    assert (max(onecycle), onecycle[0]) == pytest.approx((0.2, 0.2 / 25))
    assert onecycle[-1] < 1e-5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"schedule": "square"}, "schedule: expected one of onecycle, cosine, step, constant, got square"),
        ({"precision": "float16"}, "precision: expected one of float32, float64, tf32, bf16, got float16"),
        (
            {"precision": "bf16"},
            r"precision: expected float32 or float64 on the cpu \(tf32 and bf16 need the tensor cores of a GPU: "
            r"--device cuda\), got bf16",
        ),
        ({"epochs": 0}, "epochs: expected 1 or more, got 0"),
        ({"batch_size": 0}, "batch-size: expected 1 or more, got 0"),
        ({"threads": 0}, "threads: expected 1 or more, got 0"),
        ({"limit_batches": -1}, "limit-batches: expected 1 or more, got -1"),
        ({"lr": 0.0}, "lr: expected a number above 0, got 0.0"),
        ({"lr": float("nan")}, "lr: expected a number above 0, got nan"),
        ({"seed": -1}, "seed: expected 0 or more, got -1"),
        ({"momentum": 1.0}, "momentum: expected 0 or more, and less than 1, got 1.0"),
        ({"weight_decay": -0.1}, "weight-decay: expected 0 or more, got -0.1"),
        ({"label_smoothing": 1.0}, "label-smoothing: expected 0 or more, and less than 1, got 1.0"),
        ({"epochs": 5, "steps": 5}, "expected either epochs or steps, got epochs=5 and steps=5"),
    ],
    ids=str,
)
def test_refused(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Settings.from_recipe(**wrong)


@pytest.mark.parametrize(
    ("precision", "dtype", "products"),
    [
        ("float32", "float32", "float32"),
        ("float64", "float64", "float32"),
        ("tf32", "float32", "tf32"),
        ("bf16", "float32", "bf16"),
    ],
)
def test_what_a_precision_means(precision, dtype, products):
    """The dtype of arrays, and the precision of products of float32 arrays."""
    settings = Settings.from_recipe(precision=precision, device="cuda")
    assert (settings.dtype, settings.products) == (dtype, products)
