"""`tinyres runs`: the table at several widths, its order, and what it leaves out."""

import json
from pathlib import Path

import pytest
from runs import run, tiny_world  # noqa: F401

from tinyres.app.cli import main
from tinyres.app.cli.runs import natural
from tinyres.app.training import RunFolder

pytestmark = pytest.mark.usefixtures("tiny_world")


@pytest.fixture
def three(tiny_world):  # noqa: F811
    """Three runs with made-up figures, which differ in everything that --sort looks at."""
    for name, accuracy, seconds in (("run-10", 0.5, 3000.0), ("run-9", 0.75, 30.0), ("run-b", 0.25, 300.0)):
        folder = run(Path("runs", name), epochs=1)
        (line,) = folder.read_metrics()
        folder.keep_metrics(0)
        speed = 3e6 / seconds
        folder.add_metrics({**line, "validation_accuracy": accuracy, "seconds": seconds, "images_per_second": speed})
        folder.write_result({**folder.read_result(), "test_accuracy": 1.0 - accuracy})


def rows(capsys, *arguments):
    """The names in the table's order."""
    assert main(["runs", *arguments]) == 0
    return [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith(" runs")]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("order", "names"),
    [("name", "9 10 b"), ("validation", "9 10 b"), ("test", "b 10 9"), ("speed", "9 b 10"), ("time", "9 b 10")],
)
def test_the_order(capsys, order, names):
    assert rows(capsys, "--sort", order) == [str(Path("runs", f"run-{name}")) for name in names.split()]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_the_table_fits(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    Path("runs", "run-10").rename(Path("runs", "a-long-name-" * 4))
    assert main(["runs"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    figures = next(line for line in out.splitlines() if "run-9" in line).split()
    assert figures[1:] == [
        *(["tiny", "shapes", "fast", "0"] if width > 120 else []),
        *["1/1", "25.00", "75.00", "100,000", "0:30", "finished"],
    ]
    assert ("tiny shapes fast 0" in out) == (width <= 120)  # below the name


def test_what_is_unknown_comes_last(capsys):
    run(Path("runs", "b"))
    RunFolder(Path("runs", "a")).create(RunFolder(Path("runs", "b")).read_config()["settings"], "0" * 64, threads=1)
    for order in ("validation", "test", "speed"):
        assert rows(capsys, "--sort", order) == [str(Path("runs", name)) for name in "ba"]


def test_damage_labs_and_seeds(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["train", "--model", "tiny", "--epochs", "1", "--seeds", "2", "--out", "runs/two", "--quiet"]) == 0
    Path("runs", "lab", "parts").mkdir(parents=True)
    Path("runs", "lab", "settings.json").write_text("{}")
    best = Path("runs", "two", "seed-1", "best.safetensors")
    best.write_bytes(b"")
    capsys.readouterr()
    assert main(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (both,) = [line for line in lines if "two  " in line]
    assert "0…1" in both and " ± " in both and both.split()[-1] == "finished"
    (second,) = [line for line in lines if line.startswith(f" {best.parent} ")]
    assert second.split()[-1] == "damaged"
    assert lines[-2].startswith(f"damaged: {best}: damaged")
    assert lines[-1] == f"left out, because they are labs: {Path('runs', 'lab')}"


@pytest.mark.usefixtures("three")
def test_json_and_picture(capsys):
    assert main(["runs", "--json", "--sort", "test", "--picture", "runs.png"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["test_error"] for one in found] == [0.25, 0.5, 0.75]
    assert found[0]["metrics"] == RunFolder(found[0]["name"]).read_metrics()
    assert Path("runs.png").read_bytes().startswith(b"\x89PNG")


def test_where_there_is_nothing(capsys):
    assert main(["runs"]) == 1
    assert capsys.readouterr().err.startswith("tinyres: runs: no such folder")
    Path("runs").mkdir()
    assert main(["runs"]) == 1
    assert capsys.readouterr().err == "tinyres: runs: no runs found; `tinyres train` makes one\n"
    RunFolder(Path("runs", "a")).create(RunFolder(run("b").path).read_config()["settings"], "0" * 64, threads=1)
    assert main(["runs", "--picture", "runs.png"]) == 1
    assert "not drawn, because no run has finished an epoch" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["runs", "--sort", "luck"])
    assert "unknown order 'luck'" in capsys.readouterr().err


def test_numbers_in_names_are_numbers():
    assert sorted(["resnet110", "resnet8", "resnet20", "plain20"], key=natural) == [
        "plain20",
        "resnet8",
        "resnet20",
        "resnet110",
    ]
