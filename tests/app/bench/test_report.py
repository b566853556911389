"""The report and the picture show the measurements."""

import pytest

from tinyres.app.bench.report import layer_name, print_report
from tinyres.app.bench.roofline import draw_roofline, roofline


@pytest.fixture
def lines(result, capsys):
    print_report(result)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    "words",
    [
        "step, ms images/s eval, ms images/s memory",
        "layer × ms GFLOP/s of peak rung",
        "tinyres 100.0 1280 40.0 3200 300 MiB",
        "1 3→16 3×3 of 32×32 1 forward 2.00 57 14% cpu",
        "grad_w 4.00 28 7% cpu",
        "2 16→32 3×3/2 of 32×32 1 forward 1.00 300 75% cpu",
        "Conv2d 30.0 45.0 75%",
        "SGD 25.0 25%",
        "Beside the network, of a step of 104.0 ms; mean",
        "the optimiser: momentum, weight decay 1.30 1.25%",
        "preparing it: crop, flip, normalise 2.60 2.50%",
        "total 4.08 3.92%",
        "A Processor, 4 cores, vectors of 512 bits, threads: 2; python 3.11",
    ],
)
def test_a_line(lines, words):
    assert words in [" ".join(line.split()) for line in lines]


def test_it_fits_into_80_columns(lines):
    tables = [line for line in lines if "threads: 2; python" not in line and "GFLOP/s," not in line]
    assert max(map(len, tables)) <= 80


def test_the_forward_pass_alone(result, capsys):
    del result["by_op"], result["loop"], result["tinyres"]["step"]
    print_report(result)
    out = capsys.readouterr().out
    assert "tinyres – – 40.0 3200 300 MiB" in " ".join(out.split())


def test_a_layers_name(result):
    assert [layer_name(row) for row in result["layers"]] == ["3→16 3×3 of 32×32", "16→32 3×3/2 of 32×32"]


def test_the_roofs_meet_where_memory_feeds_the_peak(result):
    axes = roofline(result).axes[0]
    memory, peak, sgemm = axes.lines[:3]
    assert (memory.get_xdata()[1], memory.get_ydata()[1]) == (20, 400)  # 400 GFLOP/s at 20 GB/s: 20 FLOP a byte
    assert memory.get_ydata()[0] == pytest.approx(20 * memory.get_xdata()[0])
    assert list(peak.get_ydata()) == [400, 400]
    assert list(sgemm.get_ydata()) == [250, 250]


def test_a_point_for_every_direction_of_every_layer(result):
    axes = roofline(result).axes[0]
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines[3:]}
    assert drawn == {"forward": [57, 300], "grad_x": [300], "grad_w": [28, 300]}
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    assert len({line.get_marker() for line in axes.lines[3:]}) == 3


def test_the_picture_is_written(result, tmp_path):
    draw_roofline(result, tmp_path / "roofline.png")
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")
