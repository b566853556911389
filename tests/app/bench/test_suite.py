"""`tinyres bench` as a whole: each measurement in its own process, and medians of their times."""

import json

import pytest

from tinyres.app.bench import processes, suite
from tinyres.app.cli import main


def test_all_turns_together():
    turns = [
        {"step": [0.1, 0.5], "forward": [1.0], "memory": 7},
        {"step": [0.2, 0.9, 0.2], "forward": [3.0], "memory": 9},
    ]
    figures = suite.figures(turns, batch_size=10)
    assert figures["step"] == {
        "ms": pytest.approx(200),
        "fastest_ms": pytest.approx(100),
        "images_per_second": pytest.approx(50),
    }
    assert figures["forward"]["ms"] == pytest.approx(2000)
    assert figures["memory"] == 9
    assert suite.figures([{"forward": [1.0], "memory": None}], 1).keys() == {"forward", "memory"}


def test_a_measurement_that_breaks_says_why():
    with pytest.raises(processes.Failed, match="unknown model 'resnet9'"):
        processes.run("tinyres.app.bench", 1, "by_op", {"model": "resnet9", "batch_size": 1, "repeats": 1})


def test_the_command(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    picture = tmp_path / "roofline.png"
    sizes = ["--model", "resnet8", "--batch-size", "2", "--repeats", "1", "--threads", "1"]
    assert main(["bench", *sizes, "--json", "--picture", str(picture)]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result.keys() == {"settings", "machine", "layers", "by_op", "loop", "tinyres"}
    assert (result["settings"]["model"], result["machine"]["threads"]) == ("resnet8", 1)
    forward = result["layers"][0]["directions"]["forward"]
    assert forward["share"] == pytest.approx(forward["gflops"] / result["machine"]["peak_gflops"])
    assert "measuring each convolution" in err
    assert picture.read_bytes().startswith(b"\x89PNG")
