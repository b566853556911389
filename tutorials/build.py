"""The lessons' notebooks, made from their sources: python tutorials/build.py [NN ...]

A lesson is NN_name.py, in jupytext's percent format. This executes it and writes NN_name.ipynb with its outputs beside
it, the lesson's picture into pictures/, and for all lessons together the index, README.md. What a cell may be tagged:

    sizes     sets what costs time. Its metadata quick="EPOCHS = 1" says what the tests put behind it
    varies    its output is another one each time, or on each machine: timings, and what long training ends with
    picture   its figure stands for the lesson in the index; one cell in each lesson
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode, write
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).parent
PATIENCE = 300  # seconds for one cell
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
INDEX = """\
# The lessons

Each is a notebook that reads here as it is, with its pictures and numbers, and runs in JupyterLab, VS Code or Colab:

```sh
pip install -e ".[tutorials]" && jupyter lab tutorials
```

They build on each other in this order. None needs the network, a graphics card or more than a minute of computing.
Their exercises answer back: `tinyres course` shows what you have solved. Words that are new are in the
[glossary](../docs/glossary.md), in English and Chinese.

"""


class Head(NamedTuple):
    """What a lesson's first cell says of it.

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
    """The notebook that a source describes, without outputs. Ids follow from what is in the cells, so they stay.

    quick: with the small sizes that the tests use.
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


def execute(notebook: NotebookNode) -> None:
    """Run all cells in a fresh kernel, as nobody in particular: no exercise is solved yet, and none will be."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": str(FOLDER)}})
        environment = {**os.environ, "TINYRES_COURSE": str(Path(folder, "course.json"))}
        environment.pop("MPLBACKEND", None)  # figures belong into the notebook, whatever the terminal prefers
        client.execute(env=environment)
    notebook.metadata = NotebookNode(KERNEL)  # the kernel has added its version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)


def joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Pieces of printed text that follow each other, as one: how they were cut is chance."""
    whole: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and whole and whole[-1].get("name") == output.name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def head(notebook: NotebookNode) -> Head:
    """ValueError: the first cell does not say it in the form that the index needs."""
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
    """The PNG of the cell tagged picture. ValueError: there is not exactly one."""
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
    """README.md."""
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
        execute(notebook)
        write(notebook, source.with_suffix(".ipynb"))
        picture_of(source).write_bytes(picture(notebook))
        print(source.with_suffix(".ipynb"))
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    return 0 if chosen else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
