"""tinyres/labs/report.py: finished labs as a page."""

from tinyres import labs
from tinyres.labs import report
from tinyres.labs.lab import perform
from tinyres.labs.workbench import LabSettings, Workbench


def test_a_page_says_what_the_labs_say(tmp_path):
    lab = labs.find("one-by-one")
    result = perform(lab, Workbench("one-by-one", LabSettings(seed=4), tmp_path / "runs" / "one-by-one"))
    assert report.main([str(tmp_path / "runs"), str(tmp_path / "docs" / "labs.md")]) == 0
    text = (tmp_path / "docs" / "labs.md").read_text()
    assert result["verdict"] in text and "`tinyres lab one-by-one --data shapes --seed 4`" in text
    assert "| [one-by-one](#one-by-one) |" in text and "| yes |" in text
    assert "chain" not in text.split("## one-by-one")[0]  # which has no folder here
    for row in lab.table(result["results"])[1]:
        assert str(row[1]) in text
    picture = tmp_path / "docs" / "pictures" / "lab-one-by-one.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and "(pictures/lab-one-by-one.png)" in text


def test_usage(capsys):
    assert report.main([]) == 2
    assert "usage:" in capsys.readouterr().err
