"""Every test has a progress file of its own, never the learner's."""

import pytest


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    path = tmp_path / "somewhere" / "course.json"
    monkeypatch.setenv("TINYRES_COURSE", str(path))
    return path
