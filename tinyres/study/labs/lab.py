"""The parts of a lab, and how one is run: compute, judge, save, draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import tinyres
from tinyres.app.bench.machine import available_cores, cpu_name
from tinyres.app.training.files import write_json
from tinyres.study.labs.workbench import Workbench
from tinyres.threads import using_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = dict[str, Any]  # numbers, strings, and lists and dicts of them: what JSON can hold


class Verdict(NamedTuple):
    """Whether the claim holds by the condition in the lab's docstring, and the figures that decided it."""

    reproduced: bool
    reason: str

    def __str__(self) -> str:
        return f"{'reproduced' if self.reproduced else 'NOT reproduced'}: {self.reason}"


class Lab(Protocol):
    """A lab's module."""

    __doc__: str | None  # the claim, its source, its formula, and the condition of the verdict
    TITLE: str  # one line
    MINUTES: float  # of the default run, measured on two cores

    def compute(self, bench: Workbench) -> Results:
        """Run the experiment. Long computations go through bench.part, so that the lab can be resumed."""

    def table(self, results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """The column heads and the rows."""

    def draw(self, results: Results, figure: Figure) -> None:
        """Draw the picture; it must be readable without the text."""

    def verdict(self, results: Results) -> Verdict:
        """Whether the claim holds."""


def perform(lab: Lab, bench: Workbench) -> dict[str, Any]:
    """Run a lab; write results.json and picture.png into the bench's folder; return the content of results.json.

    Parts that an earlier run with the same settings has computed are not computed again.
    """
    bench.open()
    with using_threads(bench.settings.threads) as threads:
        results = lab.compute(bench)
    verdict = lab.verdict(results)
    seconds, processor_seconds = bench.spent().tolist()
    report = {
        "lab": bench.name,
        "settings": bench.settings.as_dict(),
        "tinyres": tinyres.__version__,
        "machine": f"{cpu_name()}, {threads} of {available_cores()} cores",
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "results": results,
        "reproduced": bool(verdict.reproduced),  # JSON cannot write NumPy's bool
        "verdict": str(verdict),
    }
    write_json(bench.folder / "results.json", report)
    picture(lab, results).savefig(bench.folder / "picture.png")
    return report


def picture(lab: Lab, results: Results) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), dpi=150, layout="constrained")
    lab.draw(results, figure)
    return figure
