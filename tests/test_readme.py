"""The README's code runs and its commands are the program's."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

import tinyres.data
from tinyres.app.cli import parser

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SESSIONS = re.findall(r"```pycon\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^tinyres .*$", README, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[-1].strip())
def test_code_runs_as_written(block, monkeypatch, capsys):
    few = tinyres.data.shapes(train=256, test=10)
    monkeypatch.setattr(tinyres.data, "load", lambda name: few)  # as written, but for the number of pictures
    exec(compile(block, "README.md", "exec"), {})
    printed = re.findall(r"[-+.e\d]+$", capsys.readouterr().out, re.MULTILINE)
    assert printed and all(float(number) < 10 for number in printed)


def test_sessions_print_what_they_show():
    session = doctest.DocTestParser().get_doctest("\n".join(SESSIONS), {}, "README.md", None, 0)
    output = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=output.append)
    assert len(session.examples) > 2 and output == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command):
    assert parser().parse_args(shlex.split(command)[1:])


def test_there_is_something_to_run():
    assert len(BLOCKS) == 2
    assert len(COMMANDS) > 4
