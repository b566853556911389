"""README.md and the pages under docs/: their code runs, their commands exist, their links lead somewhere."""

import doctest
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

import tinyres.data
from tinyres.app.cli import parser

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS, ROOT / "tutorials" / "README.md"]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page, language):
    """The page's blocks of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def named(language):
    """All blocks in this language; the id of each is its page and its last line."""
    return [
        pytest.param(block, id=f"{page.name}: {block.strip().splitlines()[-1].strip()}")
        for page in PAGES
        for block in blocks(page, language)
    ]


COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for block in blocks(page, "sh")
    for line in block.splitlines()
    if "$" not in line  # in a script with variables
]


@pytest.mark.parametrize("block", named("python"))
def test_code_runs_as_written(block, monkeypatch, capsys):
    few = tinyres.data.shapes(train=256, test=10)
    monkeypatch.setattr(tinyres.data, "load", lambda name: few)  # as written, but with fewer images
    monkeypatch.setattr(tinyres.data, "shapes", lambda: few)
    exec(compile(block, "page", "exec"), {})
    printed = re.findall(r"[-+.e\d]+$", capsys.readouterr().out, re.MULTILINE)
    assert printed and all(float(number) < 10 for number in printed)


@every_page
def test_sessions_print_what_they_show(page, monkeypatch, tmp_path):
    monkeypatch.setenv("TINYRES_COURSE", str(tmp_path / "course.json"))
    session = doctest.DocTestParser().get_doctest("\n".join(blocks(page, "pycon")), {}, page.name, None, 0)
    output = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=output.append)
    assert output == []


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line):
    """Every `tinyres …` is parsed, every `python -m` names a module, and every `python FILE` a file."""
    for command in re.findall(r"(?<![\w/.])tinyres (.+)$", line):
        assert parser().parse_args(shlex.split(command))
    for module in re.findall(r"python -m (\S+)", line):
        assert importlib.util.find_spec(module)
    for file in re.findall(r"python (\S+\.py)", line):
        assert (ROOT / file).is_file()


def test_there_is_something_to_run():
    assert len(named("python")) >= 2
    assert sum(len(blocks(page, "pycon")) for page in PAGES) >= 3
    assert sum("tinyres " in line.values[0] for line in COMMANDS) > 20
    assert sum(len(links(page)) for page in PAGES) > 100


def links(page):
    """The files that the page links to."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {(page.parent / target).resolve() for target in re.findall(r"\]\((?!https?:)([^)#]+)", text)}


@every_page
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:tinyres|kernels|tests|bench|array|cpu|gpu)/[\w/.]+)`", page.read_text(encoding="utf-8"))
    if (ROOT / "tinyres").is_dir():
        folders = ROOT, ROOT / "kernels" / "tinyres_kernels"
        assert [file for file in named if not any((folder / file).exists() for folder in folders)] == []


@every_page
def test_links_lead_somewhere(page):
    missing = [str(target.relative_to(ROOT)) for target in links(page) if not target.exists()]
    if not (ROOT / "tinyres").is_dir():  # the tests of an installed tinyres: its files are elsewhere
        missing = [target for target in missing if not target.startswith(("tinyres", "kernels"))]
    assert missing == []


def test_the_index_has_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS if page.name != "README.md" and f"]({page.name})" not in index] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
