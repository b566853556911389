"""The comparison with torch: it alternates between the two, and the ratio is to torch's best mode."""

import json
import os
import subprocess
import sys

import pytest

from bench import __main__, compare
from tinyres.app.bench import processes

MACHINE = {
    "cpu": "A Processor",
    "cores": 4,
    "threads": 2,
    "vector_bits": 512,
    "peak_gflops": 400.0,
    "sgemm_gflops": 250.0,
    "copy_gb_per_s": 20.0,
}
JOB = {"model": "resnet8", "batch_size": 100, "repeats": 1}


@pytest.fixture
def runs(monkeypatch):
    """The modes measured, without processes: tinyres takes 0.1 s, torch 0.4 s, channels_last 0.2 s; compile breaks."""
    done = []

    def run(module, threads, *arguments):
        mode = arguments[-1].get("mode", "tinyres")
        done.append(mode)
        if mode == "compile":
            raise processes.Failed("no compiler")
        taken = {"tinyres": 0.1, "eager": 0.4, "channels_last": 0.2}[mode]
        return {"step": [taken], "forward": [taken / 2], "memory": len(done)}

    monkeypatch.setattr(processes, "run", run)
    return done


def test_in_turns(runs):
    compare.in_turns(JOB, 1, say=lambda text: None)
    first, later = ["tinyres", "eager", "channels_last", "compile"], ["tinyres", "eager", "channels_last"]
    assert runs == first + (compare.TURNS - 1) * later


def test_the_ratio_is_to_torchs_best_mode(runs):
    result = compare.in_turns(JOB, 1, say=lambda text: None)
    best = {"ratio": pytest.approx(2), "best_mode": "channels_last"}
    assert result["ratio"] == {"step": best, "forward": best}
    assert result["tinyres"]["step"] == {
        "ms": pytest.approx(100),
        "fastest_ms": pytest.approx(100),
        "images_per_second": pytest.approx(1000),
    }
    assert result["torch"]["compile"] == {"error": "no compiler"}


def test_without_torch(monkeypatch, capsys):
    monkeypatch.setattr(compare, "find_spec", lambda name: None)
    assert __main__.main(["torch"]) == 1
    assert "torch is not installed: pip install" in capsys.readouterr().err


def test_the_command(monkeypatch, capsys, tmp_path):
    """Its settings reach both programs; it prints the ratios first, and what broke last."""
    jobs = []

    def run(module, threads, *arguments):
        if arguments[0] == "machine":
            return {**MACHINE, "versions": {"numpy": "2"}}
        jobs.append((module, threads, arguments[-1]))
        if arguments[-1].get("mode") == "compile":
            raise processes.Failed("no compiler here")
        taken = 0.1 if module == "tinyres.app.bench" else 0.2
        return {"step": [taken], "forward": [0.4 * taken], "memory": 300 * 2**20}

    monkeypatch.setattr(processes, "run", run)
    monkeypatch.setattr(compare, "find_spec", lambda name: True)
    monkeypatch.setattr(compare, "version", lambda name: "2.13")
    file = tmp_path / "bench.json"
    sizes = ["--model", "resnet8", "--batch-size", "100", "--repeats", "1", "--threads", "2"]
    assert __main__.main(["torch", *sizes, "--json", str(file)]) == 0
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:2] == [
        "2.00 × torch's images/s (training step; torch's best mode is eager)",
        "2.00 × torch's images/s (forward pass, eval; torch's best mode is eager)",
    ]
    for line in (
        "tinyres 100.0 1000 40.0 2500 300 MiB",
        "torch, eager 200.0 500 80.0 1250 300 MiB",
        "torch, compile: failed",
        "torch, compile: no compiler here",
        "A Processor, 4 cores, vectors of 512 bits, threads: 2; numpy 2, torch 2.13",
    ):
        assert line in lines
    assert "turn 3 of 3: torch, channels_last" in err
    expected = {**JOB, "forward_only": False}
    assert jobs[:2] == [
        ("tinyres.app.bench", 2, expected),
        ("bench.torch_twin", 2, {**expected, "mode": "eager", "threads": 2}),
    ]
    result = json.loads(file.read_text())
    assert result.keys() == {"settings", "machine", "tinyres", "torch", "ratio"}
    assert result["settings"] == {**expected, "threads": 2, "turns": 3}


def test_torch_is_imported_only_in_its_own_process():
    """`python -m bench gpu` works without torch."""
    run_python = [sys.executable, "-c", "import sys; sys.modules['torch'] = None; import bench.__main__"]
    subprocess.run(run_python, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
