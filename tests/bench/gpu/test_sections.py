"""`python -m bench gpu` as a whole: its sections in order, its tables, the end of its report and its exit code."""

import json
import sys
from types import SimpleNamespace

import pytest

import tinyres.device
from bench.__main__ import main
from bench.gpu import report, sections
from bench.gpu.worker import LEFT_OUT


def step(kind, way, ms):
    """A row of the network n, with batches of 100"""
    figures = {"ms": ms, "images_per_second": 1e5 / ms}
    return {"item": f"n {kind} {way}", "model": "n", "kind": kind, "way": way, **figures}


CONVOLUTION = {"kernel": "conv2d", "count": 2, "ms": 0.5, "bytes": 100_000_000, "flop": 4_000_000_000}
ROWS = {
    "correctness": [{"item": "relu", "distance": 0.0, "allowed": 1e-5}, {"item": "conv2d", "error": "Wrong: conv2d"}],
    "roofs": [
        {"item": "card", "name": "A Card"},
        {"item": "copy", "gb_per_s": 1000.0},  # 100 MB: 0.1 ms
        {"item": "float32", "gflops": 10_000.0},  # 4 GFLOP: 0.4 ms
        {"item": "tf32", "gflops": 80_000.0},  # 0.05 ms
    ],
    "kernels": [
        {"item": "conv2d a in float32", "kind": "float32", **CONVOLUTION},
        {"item": "conv2d a in tf32", "kind": "tf32", **CONVOLUTION},
        {"item": "conv2d a in bf16", "kind": "bf16", **CONVOLUTION},
        {"item": "relu", "kernel": "relu", "kind": "float32", "count": 3, "ms": 0.2, "bytes": 10**8, "flop": 0},
    ],
    "training": [step("float32", "ordinary", 2.0), step("tf32", "ordinary", 1.0)],
    "epochs": [{"item": "n bf16", "prepared_s": 7.0, "epoch_s": [1.5, 1.25]}],
    "torch_steps": [
        step("float32", "eager", 4.0),
        step("float32", "graph", 2.5),
        {"item": "n tf32 compile", "error": "RuntimeError: no compiler"},
    ],
    "paper": [{"item": "resnet20", "folder": "run", "test_accuracy": 0.9125, "seconds": 55.0}],
}


@pytest.fixture
def faked(monkeypatch):
    """Sections whose rows are those above. -> the requested jobs"""
    asked = {}

    def rows(module, job, until, patience):
        section = module.rpartition(".")[2]
        asked[section] = job, until, patience
        yield from ROWS[section]

    monkeypatch.setattr(sections.worker, "rows", rows)
    monkeypatch.setattr(sections, "to_device", lambda array, device: array)
    monkeypatch.setattr(sections, "find_spec", lambda name: True)
    return asked


def run(**chosen):
    return sections.bench(("n",), 100, 10, **chosen)


def test_every_section_in_order_and_each_row_kept_as_soon_as_it_is_there(faked):
    kept = []
    run(paper="run", data_dir="here", keep=lambda result: kept.append(sum(map(len, result["sections"].values()))))
    assert list(faked) == list(ROWS) == list(sections.SECTIONS)
    assert kept == list(range(1, 1 + sum(map(len, ROWS.values()))))
    assert faked["kernels"][0] == {"model": "n", "batch_size": 100, "repeats": 10}
    assert faked["training"][0] == faked["torch_steps"][0] == {"models": ["n"], "batch_size": 100, "repeats": 10}
    assert faked["paper"][0] == {"out": "run", "data_dir": "here"}
    assert faked["epochs"][0] == {"models": ["n"], "batch_size": 100}
    assert [faked[name][2] for name in ("kernels", "torch_steps", "paper")] == [60, 120, 3600]


def test_the_time_is_handed_on(faked, monkeypatch):
    monkeypatch.setattr(sections.time, "time", lambda: 1000.0)
    run(minutes=2)
    assert {until for _, until, _ in faked.values()} == {1120.0}


def test_rows_are_told_at_once_and_a_table_after_each_section(faked):
    said = []
    run(say=said.append)
    assert said[:3] == [
        "correctness  relu: distance 0, allowed 1e-05",
        "correctness  conv2d: error Wrong: conv2d",
        "── correctness\n1 of 2 done\n",
    ]
    assert "\n".join(said).count("── ") == 6
    assert "epochs  n bf16: prepared_s 7, epoch_s 1.5 1.25" in said


def test_without_torch(faked, monkeypatch):
    monkeypatch.setattr(sections, "find_spec", lambda name: None)
    result = run()
    assert "torch_steps" not in faked
    assert "torch: not measured" in report.last_words(result, [])


def test_chosen_sections(faked, capsys):
    assert main(["gpu", "--sections", "training,correctness", "--model", "resnet20"]) == 1
    assert list(faked) == ["correctness", "training"]
    out = capsys.readouterr().out
    assert "an unknown card" in out and "correct: 1 of 2" in out and "of the roofline" not in out
    assert main(["gpu", "--sections", "roofs", "--model", "resnet20"]) == 0
    assert "correct: " not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["gpu", "--sections", "roofs,kernel"])
    assert "kernels" in capsys.readouterr().err


def test_the_short_table(faked):
    lines = [line.split() for line in report.summary(run()).splitlines()]
    assert lines[1] == ["n", "float32", "50,000", "1.000", "40,000", "graph", "1.25"]
    assert lines[2] == ["n", "tf32", "100,000", "0.500", "–", "–"]


def test_the_table_of_kernels(faked):
    lines = [line.split() for line in report.kernels_text(run()).splitlines()]
    assert lines[1:] == [
        ["conv2d", "float32", "2", "1.000", "80%"],  # 0.4 of 0.5 ms, by its operations
        ["conv2d", "tf32", "2", "1.000", "20%"],  # 0.1 ms, by its bytes
        ["conv2d", "bf16", "2", "1.000", "–"],  # its roof is unknown
        ["relu", "float32", "3", "0.600", "50%"],
    ]


def test_torchs_table(faked):
    lines = [line.split() for line in report.torch_text(run()).splitlines()]
    assert lines[2:] == [["n", "float32", "graph", "2.50", "40,000"], ["n", "tf32", "compile", "failed"]]


def test_last_words(faked):
    result = run(paper="run")
    words = report.last_words(result, sections.failures(result))
    assert words.splitlines()[0] == "A Card, batches of 100"
    assert words.splitlines()[-5:] == [
        "correct: 1 of 2 kernels, against float64 on the CPU",
        "kernels: 50% of the roofline (median of 3)",
        "paper's recipe: test error 8.75%, 55 s, run",
        "FAILED  correctness, conv2d: Wrong: conv2d",
        "FAILED  torch_steps, n tf32 compile: RuntimeError: no compiler",
    ]


def test_nothing_at_all_was_measured(monkeypatch, faked):
    """Every section ends with an error: the tables are empty, and nothing breaks."""
    monkeypatch.setattr(sections.worker, "rows", lambda *given: iter([{"item": "all", "error": "no such card"}]))
    said = []
    result = run(paper="run", say=said.append)
    assert len(sections.failures(result)) == 7
    assert "an unknown card" in report.last_words(result, [])


def test_what_there_was_no_time_for_has_not_failed(monkeypatch, faked):
    monkeypatch.setattr(sections.worker, "rows", lambda *given: iter([{"item": "all", "error": LEFT_OUT}]))
    assert sections.failures(run()) == []


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command(faked, capsys, tmp_path):
    file = tmp_path / "card.json"
    assert main(["gpu", "--batch-size", "100", "--json", str(file)]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("FAILED  torch_steps")
    result = json.loads(file.read_text())
    assert result["settings"]["models"] == list(sections.MODELS)
    assert result["sections"]["roofs"] == ROWS["roofs"]


def test_all_is_well(faked, capsys, monkeypatch):
    sound = {section: [row for row in rows if "error" not in row] for section, rows in ROWS.items()}
    monkeypatch.setattr(sections.worker, "rows", lambda module, *given: iter(sound[module.rpartition(".")[2]]))
    assert main(["gpu", "--model", "resnet20", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["settings"]["models"] == ["resnet20"]
    assert "kernels: 50% of the roofline" in err


def test_without_cupy(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["gpu"]) == 1
    assert "device 'cuda' needs CuPy: pip install 'tinyres[cuda13]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", ["cudaErrorNoDevice: no CUDA-capable device is detected", "cudaErrorInsufficientDriver"]
)
def test_without_a_driver(capsys, monkeypatch, error):
    def device(index):
        raise RuntimeError(error)

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(Device=device)))
    assert main(["gpu"]) == 1
    err = capsys.readouterr().err
    assert "device 'cuda' needs an NVIDIA GPU and its driver" in err and "nvidia-smi" in err


def test_other_errors_of_the_card_are_handed_on(monkeypatch):
    def device(index):
        raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(Device=device)))
    with pytest.raises(RuntimeError, match=r"^cudaErrorInvalidDevice"):
        tinyres.device.to_device(1, "cuda:7")
