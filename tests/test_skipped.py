"""tests/skipped.py: what pytest says at the end about tests that were skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.parametrize("case", [1, 2, 3])
def test_two_wordings(case):
    pytest.skip("torch is not installed: case 1 stands in" if case == 1 else "torch is not installed")

@pytest.mark.skipif(True, reason="no reason that we know")
def test_another():
    pass
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_line_for_each_reason(tmp_path, processes):
    (tmp_path / "test_something.py").write_text(TESTS)
    plugin = Path(__file__).with_name("skipped.py")
    (tmp_path / "skipped.py").write_text(plugin.read_text("utf-8"), "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "skipped", "-p", "no:cacheprovider", "-n", processes, "."]
    lines = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout.splitlines()
    at = next(k for k, line in enumerate(lines) if line.strip("=") == " skipped ")
    assert lines[at + 1 : at + 3] == [
        "    3  torch is not installed    to get it: pip install -e '.[oracle]'",
        "    1  no reason that we know",
    ]
    assert "4 skipped" in lines[at + 3]
