"""docs/make_labs.py: it shows finished labs on a page, and docs/labs.md is the page of the results in docs/labs."""

import json
import shutil
from pathlib import Path

import pytest

from docs import make_labs
from tinyres.study import labs
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.workbench import LabSettings, Workbench

DOCS = Path(__file__).parents[2] / "docs"


def test_a_page_says_what_the_labs_say(tmp_path):
    lab = labs.find("one-by-one")
    result = perform(lab, Workbench("one-by-one", LabSettings(seed=4), tmp_path / "runs" / "one-by-one"))
    make_labs.take_over(tmp_path / "runs", tmp_path / "docs" / "labs")
    make_labs.write(tmp_path / "docs")
    text = (tmp_path / "docs" / "labs.md").read_text()
    assert result["verdict"] in text and "`tinyres lab one-by-one --data shapes --seed 4`" in text
    assert "| [one-by-one](#one-by-one) |" in text and "| yes |" in text
    assert "chain" not in text.split("## one-by-one")[0]  # which has no folder here
    for row in lab.table(result["results"])[1]:
        assert str(row[1]) in text
    drawn = tmp_path / "docs" / "pictures" / "lab-one-by-one.png"
    assert drawn.read_bytes().startswith(b"\x89PNG") and "(pictures/lab-one-by-one.png)" in text

    shutil.rmtree(tmp_path / "runs")  # from what lies beside the page, it is made again
    drawn.unlink()
    make_labs.write(tmp_path / "docs")
    assert (tmp_path / "docs" / "labs.md").read_text() == text and drawn.exists()


def test_folders_of_the_machine_stay_there(tmp_path):
    settings = {"data": "cifar10", "data_dir": "/home/me", "nets": "/tmp/nets", "half": True, "seeds": None}
    (tmp_path / "runs" / "chain").mkdir(parents=True)
    (tmp_path / "runs" / "chain" / "results.json").write_text(json.dumps({"lab": "chain", "settings": settings}))
    make_labs.take_over(tmp_path / "runs", tmp_path / "results")
    found = make_labs.read(tmp_path / "results")["chain"]
    assert make_labs.command(found) == "tinyres lab chain --data cifar10 --data-dir DIR --nets NETS --half"


class TestDocs:
    reports = make_labs.read(DOCS / "labs")

    def test_every_lab_is_there(self):
        assert tuple(self.reports) == labs.NAMES

    def test_the_page_is_what_the_results_say(self):
        assert (DOCS / "labs.md").read_text() == make_labs.page(self.reports), (
            "docs/labs.md is not what docs/labs says; python -m docs.make_labs writes it anew"
        )

    @pytest.mark.parametrize("name", labs.NAMES)
    def test_the_picture_is_of_the_results(self, name):
        found = self.reports[name]
        drawn = (DOCS / "pictures" / f"lab-{name}.png").read_bytes()
        assert make_labs.fingerprint(found).encode() in drawn
        figure = picture(labs.find(name), found["results"])
        figure.draw_without_rendering()
        texts = [
            *figure.texts,
            *(axes.title for axes in figure.axes),
            *([figure._suptitle] if figure._suptitle else []),
        ]
        for text in texts:  # none is cut off at the picture's edge
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= figure.bbox.width, text.get_text()
        assert found["lab"] == name and found["verdict"] == str(labs.find(name).verdict(found["results"]))

    @pytest.mark.parametrize("name", labs.NAMES)
    def test_nothing_of_the_machine(self, name):
        source = (DOCS / "labs" / f"{name}.json").read_text()
        assert "/tmp" not in source and "/home" not in source and len(source) < 300_000
