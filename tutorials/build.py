"""The lessons' notebooks, made from their sources: python tutorials/build.py [NN ...]

A lesson is NN_name.py, in jupytext's percent format. This program executes it and writes NN_name.ipynb with its outputs
next to it, the lesson's picture into pictures/, and the index of all lessons, README.md. A cell can have these tags:

    sizes     it sets what costs time. Its metadata quick="EPOCHS = 1" is a cell that the tests insert after it
    varies    its output differs from run to run or between machines: timings, and the results of long training
    picture   its figure represents the lesson in the index; each lesson has one such cell
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode, write
from nbformat.v4 import new_code_cell, new_notebook

FOLDER = Path(__file__).parent
PATIENCE = 300  # seconds for one cell
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
INDEX = """\
# The lessons

Each lesson is a notebook. You can read it here, with its pictures and numbers, or run it in JupyterLab, VS Code or
Colab:

```sh
pip install -e ".[tutorials]" && jupyter lab tutorials
```

They build on each other in this order. None needs a network connection, a graphics card or more than a minute of
computing. Their exercises check your answer, and `tinyres course` shows what you have solved. The
[glossary](../docs/glossary.md) explains new terms in English and Chinese.

"""


class Head(NamedTuple):
    """What the first cell of a lesson says about it.

    prerequisites: Markdown, links to other lessons, or "nothing".
    """

    number: int
    title: str
    summary: str
    minutes: int
    prerequisites: str


def sources() -> list[Path]:
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def read(source: Path, quick: bool = False) -> NotebookNode:
    """The notebook that a source describes, without outputs. A cell's id is a hash of its contents, so it is stable.

    quick: use the small sizes of the tests.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = NotebookNode(KERNEL)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    if quick:
        for place, cell in reversed(list(enumerate(notebook.cells))):
            if "quick" in cell.metadata:
                notebook.cells.insert(place + 1, new_code_cell(cell.metadata.quick))
    times: Counter[str] = Counter()
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # the source's layout
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        cell.id = f"{digest}-{times[digest]}"
        times[digest] += 1
    return notebook


@contextmanager
def kernel() -> Iterator[NotebookClient]:
    """A new kernel for `execute`, as a new learner has it: no exercise is solved, and no progress is recorded."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(new_notebook(), timeout=PATIENCE, resources={"metadata": {"path": str(FOLDER)}})
        environment = {**os.environ, "TINYRES_COURSE": str(Path(folder, "course.json"))}
        environment.pop("MPLBACKEND", None)  # figures go into the notebook, whatever backend the terminal uses
        with client.setup_kernel(env=environment):
            yield client


def execute(notebook: NotebookNode, kernel: NotebookClient) -> None:
    """Run all cells in this kernel, and keep their outputs in the notebook."""
    kernel.nb = notebook
    kernel.execute(cleanup_kc=False)
    notebook.metadata = NotebookNode(KERNEL)  # the kernel has added its version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)


def joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Join consecutive pieces of printed text: where they were cut is random."""
    whole: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and whole and whole[-1].get("name") == output.name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def head(notebook: NotebookNode) -> Head:
    """Read the first cell. ValueError: it does not have the form that the index needs."""
    text = notebook.cells[0].source
    form = r"# (\d\d) · (.+?)\n\n(.+)\n\n\*(\d+) minutes\. Before it: (.+)\.\*"
    found = re.fullmatch(form, text, re.DOTALL)
    if found is None:
        raise ValueError(
            "a lesson's first cell must be '# NN · Title', a summary, and '*NN minutes. Before it: [NN](…).*', with "
            f"empty lines between; found\n{text}"
        )
    number, title, summary, minutes, prerequisites = found.groups()
    return Head(int(number), title, " ".join(summary.split()), int(minutes), prerequisites)


def picture(notebook: NotebookNode) -> bytes:
    """The PNG of the cell with the tag picture. ValueError: there is not exactly one."""
    images = [
        output.data["image/png"]
        for cell in notebook.cells
        if "picture" in cell.metadata.get("tags", [])
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    if len(images) != 1:
        raise ValueError(f"expected one figure in cells tagged picture, found {len(images)}")
    return base64.b64decode(images[0])


def index() -> str:
    """The text of README.md."""
    rows = ["| | lesson | minutes | before it |", "| --- | --- | ---: | --- |"]
    for source in sources():
        this = head(read(source))
        image = f'<img src="pictures/{picture_of(source).name}" width="260" alt="a figure of this lesson">'
        lesson = f"**[{this.number:02} · {this.title}]({source.stem}.ipynb)**<br>{this.summary}"
        rows.append(f"| {image} | {lesson} | {this.minutes} | {this.prerequisites} |")
    return INDEX + "\n".join(rows) + "\n"


def picture_of(source: Path) -> Path:
    return FOLDER / "pictures" / f"{source.stem}.png"


def main(numbers: Sequence[str]) -> int:
    chosen = [source for source in sources() if not numbers or source.name[:2] in numbers]
    for source in chosen:
        notebook = read(source)
        with kernel() as fresh:
            execute(notebook, fresh)
        write(notebook, source.with_suffix(".ipynb"))
        picture_of(source).write_bytes(picture(notebook))
        print(source.with_suffix(".ipynb"))
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    return 0 if chosen else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
