"""The curves of several runs: the best have their own colours, and the legend names them in order."""

import pytest

from tinyres.look.viz.run_curves import LOOKS, OTHERS, run_curves, short


def run(number, epochs=3):
    """A run whose last error is `number` percent."""
    return f"run-{number}", [
        {"epoch": epoch, "validation_accuracy": 1 - (number + epochs - epoch) / 100, "train_loss": float(number)}
        for epoch in range(1, epochs + 1)
    ]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_two_runs():
    figure = run_curves([run(20), run(10, epochs=1)])
    assert legend(figure) == ["10.00 %  run-10", "20.00 %  run-20"]
    error, loss = figure.axes
    assert [list(line.get_ydata()) for line in error.lines] == [pytest.approx([10]), pytest.approx([22, 21, 20])]
    assert [list(line.get_ydata()) for line in loss.lines] == [[10], [20, 20, 20]]
    assert error.lines[0].get_marker() == "o"  # a single epoch is visible
    assert error.get_ylim()[0] == loss.get_ylim()[0] == 0


def test_many_runs():
    """All are drawn; the best have colours, the others are grey and the legend counts them."""
    count = len(LOOKS) + 5
    figure = run_curves([run(number) for number in range(count, 0, -1)])
    error, loss = figure.axes
    assert len(error.lines) == len(loss.lines) == count
    looks = [(line.get_color(), line.get_linestyle()) for line in error.lines]
    assert looks[:5] == [(OTHERS, "-")] * 5 and len(set(looks[5:])) == len(LOOKS)
    assert legend(figure)[0] == "1.00 %  run-1"
    assert legend(figure)[-1] == f"5 more, down to {len(LOOKS) + 1}.00 %"


def test_runs_without_an_epoch():
    assert legend(run_curves([("new", []), run(1)])) == ["1.00 %  run-1"]
    with pytest.raises(ValueError, match="expected a run with an epoch done"):
        run_curves([("new", [])])


def test_a_long_name_keeps_its_end():
    assert short("a" * 50 + "-3", 10) == "…" + "a" * 7 + "-3"
    assert short("runs/b") == "runs/b"
