"""The lessons run, their notebooks are what the sources make, and every exercise has its place in one."""

import re

import pytest

from tinyres.study.course import LESSONS

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
from nbformat.v4 import new_code_cell, new_notebook  # noqa: E402

from tutorials.build import FOLDER, execute, head, index, kernel, picture, picture_of, read, sources  # noqa: E402

SOURCES = sources()
LARGEST = 1_500_000  # bytes of a notebook: code hosts show no larger ones
every_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def is_tagged(cell, tag):
    return tag in cell.metadata.get("tags", [])


def committed(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def printed(notebook):
    """The texts that cells print or return, of those that print the same everywhere."""
    return [
        output.get("text") or output.get("data", {}).get("text/plain")
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_tagged(cell, "varies")
        for output in cell.outputs
    ]


def warnings_in(notebook):
    return [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]


def exercises_of(number):
    return [exercise.name for lesson in LESSONS if lesson.number == number for exercise in lesson.exercises]


@pytest.fixture(scope="module")
def shared_kernel():
    """Most lessons take less time than a kernel that starts and imports everything. `FORGET` goes before each."""
    with kernel() as started:
        yield started


FORGET = new_notebook(cells=[new_code_cell("import matplotlib.pyplot\nmatplotlib.pyplot.close('all')\n%reset -f")])


@every_lesson
def test_it_runs(source, shared_kernel):
    """With the small sizes; a lesson without any prints what is committed."""
    notebook = read(source, quick=True)
    execute(FORGET, shared_kernel)
    execute(notebook, shared_kernel)
    assert warnings_in(notebook) == []
    if not any("quick" in cell.metadata for cell in notebook.cells):
        assert printed(notebook) == printed(committed(source))
        assert picture(notebook)


@pytest.mark.slow
@every_lesson
def test_it_prints_what_is_committed(source):
    notebook = read(source)
    with kernel() as fresh:
        execute(notebook, fresh)
    assert printed(notebook) == printed(committed(source))


@every_lesson
def test_the_notebook_is_what_the_source_makes(source):
    """Run `python tutorials/build.py` after a change."""
    made, found = read(source), committed(source)
    assert [(cell.id, cell.cell_type, cell.metadata, cell.source) for cell in found.cells] == [
        (cell.id, cell.cell_type, cell.metadata, cell.source) for cell in made.cells
    ]
    assert found.metadata == made.metadata
    assert all(cell.execution_count for cell in found.cells if cell.cell_type == "code")
    assert warnings_in(found) == []
    assert source.with_suffix(".ipynb").stat().st_size < LARGEST
    assert picture_of(source).read_bytes() == picture(found)


@every_lesson
def test_every_exercise_has_its_place_and_waits_for_an_answer(source):
    notebook = committed(source)
    for name in exercises_of(head(notebook).number):
        asked = [cell for cell in notebook.cells if re.search(rf"^check\.{name}\(", cell.source, re.MULTILINE)]
        assert len(asked) == 1, f"expected check.{name}(…) in one cell, found it in {len(asked)}"
        assert f"○ {name} (lesson" in str(asked[0].outputs)


@every_lesson
def test_links_lead_somewhere(source):
    text = "\n".join(cell.source for cell in read(source).cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (FOLDER / target).exists(), target


def test_the_numbers_are_those_of_the_course():
    heads = [head(read(source)) for source in SOURCES]
    assert [this.number for this in heads] == list(range(14))
    assert [f"{this.number:02}" for this in heads] == [source.name[:2] for source in SOURCES]
    titles = {lesson.number: lesson.title for lesson in LESSONS}
    assert [this.title for this in heads if this.number in titles] == [
        titles[this.number] for this in heads if this.number in titles
    ]


def test_the_index_is_up_to_date():
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == index()
