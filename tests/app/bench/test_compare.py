"""The comparison: in turns, medians over all turns, the ratio to torch's best mode; and the whole command once."""

import json

import pytest

from tinyres.app.bench import compare
from tinyres.app.cli import main

JOB = {"model": "resnet8", "batch_size": 100, "repeats": 1}


@pytest.fixture
def runs(monkeypatch):
    """Measurements without a process: tinyres takes 0.1 s, torch 0.4 s, channels_last 0.2 s, and compile breaks."""
    done = []

    def run(module, threads, *arguments):
        mode = arguments[-1].get("mode", "tinyres")
        done.append(mode)
        if mode == "compile":
            raise compare.Failed("no compiler")
        taken = {"tinyres": 0.1, "eager": 0.4, "channels_last": 0.2}[mode]
        return {"step": [taken], "forward": [taken / 2], "memory": len(done)}

    monkeypatch.setattr(compare, "run", run)
    return done


def test_in_turns(runs):
    compare.in_turns(JOB, 1, compare.MODES, say=lambda text: None)
    first, later = ["tinyres", "eager", "channels_last", "compile"], ["tinyres", "eager", "channels_last"]
    assert runs == first + (compare.TURNS - 1) * later


def test_the_ratio_is_to_torchs_best_mode(runs):
    result = compare.in_turns(JOB, 1, compare.MODES, say=lambda text: None)
    best = {"ratio": pytest.approx(2), "best_mode": "channels_last"}
    assert result["ratio"] == {"step": best, "forward": best}
    assert result["tinyres"]["step"] == {
        "ms": pytest.approx(100),
        "fastest_ms": pytest.approx(100),
        "images_per_second": pytest.approx(1000),
    }
    assert result["torch"]["compile"] == {"error": "no compiler"}


def test_without_torch_there_is_no_ratio(runs):
    result = compare.in_turns(JOB, 1, (), say=lambda text: None)
    assert (result["torch"], result["ratio"]) == ({}, {})


def test_all_turns_together():
    turns = [
        {"step": [0.1, 0.5], "forward": [1.0], "memory": 7},
        {"step": [0.2, 0.9, 0.2], "forward": [3.0], "memory": 9},
    ]
    figures = compare.figures(turns, batch_size=10)
    assert figures["step"] == {
        "ms": pytest.approx(200),
        "fastest_ms": pytest.approx(100),
        "images_per_second": pytest.approx(50),
    }
    assert figures["forward"]["ms"] == pytest.approx(2000)
    assert figures["memory"] == 9
    assert compare.figures([{"forward": [1.0], "memory": None}], 1).keys() == {"forward", "memory"}


def test_a_measurement_that_breaks_says_why():
    with pytest.raises(compare.Failed, match="unknown model 'resnet9'"):
        compare.run("tinyres.app.bench", 1, "by_op", {**JOB, "model": "resnet9"})


def test_the_command(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    monkeypatch.setattr(compare, "TURNS", 1)
    picture = tmp_path / "roofline.png"
    sizes = ["--model", "resnet8", "--batch-size", "2", "--repeats", "1", "--threads", "1"]
    assert main(["bench", *sizes, "--no-torch", "--json", "--picture", str(picture)]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result.keys() == {"settings", "machine", "layers", "by_op", "loop", "tinyres", "torch", "ratio"}
    assert (result["settings"]["model"], result["machine"]["threads"], result["torch"]) == ("resnet8", 1, {})
    forward = result["layers"][0]["directions"]["forward"]
    assert forward["share"] == pytest.approx(forward["gflops"] / result["machine"]["peak_gflops"])
    assert "turn 1 of 1: tinyres" in err
    assert picture.read_bytes().startswith(b"\x89PNG")
