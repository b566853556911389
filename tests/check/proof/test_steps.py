"""tinyres/check/proof/steps.py and step_sizes.py: the errors follow their laws, and the picture shows them."""

import numpy as np
import pytest

from tinyres.check.proof.step_sizes import LOWEST, draw_step_sizes, step_sizes
from tinyres.check.proof.steps import SHOWN, STEPS, sweeps


@pytest.fixture(scope="module")
def measured():
    return sweeps()


def test_large_steps_bend_away_and_small_ones_drown(measured):
    exp = dict(zip(STEPS, measured[0].central, strict=True))
    assert measured[0].op == "Exp"
    assert exp[1e-2] / exp[1e-3] == pytest.approx(100, rel=0.01)  # h²
    assert exp[1e-14] > 1e4 * exp[1e-6]  # 1e-16 / h
    assert min(exp, key=exp.get) in (1e-5, 1e-6)


def test_a_straight_function_has_no_step_too_large(measured):
    conv = dict(zip(STEPS, measured[-1].central, strict=True))
    assert measured[-1].op == "Conv2d"
    assert conv[1e-1] < 1e-13


def test_small_complex_steps_lose_nothing(measured):
    assert [sweep.op for sweep in measured] == list(SHOWN)
    for sweep in measured:
        assert max(error for step, error in zip(STEPS, sweep.complex, strict=True) if step < 1e-8) < 1e-14


def test_the_picture(measured, tmp_path):
    (axes,) = step_sizes(measured).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step h", "relative error of the slope")
    assert axes.get_xscale() == axes.get_yscale() == "log"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [*(f"central: {op}" for op in SHOWN), "complex: each of them"]
    for sweep, central, complex_ in zip(measured, axes.lines, axes.lines[len(SHOWN) :], strict=False):
        np.testing.assert_array_equal(central.get_ydata(), np.maximum(sweep.central, LOWEST))
        np.testing.assert_array_equal(complex_.get_ydata(), np.maximum(sweep.complex, LOWEST))
    assert len({line.get_color() for line in axes.lines[: len(SHOWN)]}) == len(SHOWN)
    draw_step_sizes(measured, tmp_path / "steps.png")
    assert (tmp_path / "steps.png").read_bytes().startswith(b"\x89PNG")
