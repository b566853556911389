"""A page to step through a computation: forward op by op to the loss, and backward op by op to the weights.

    page = tinyres.look.viz.stepper(lambda: F.cross_entropy(model(images), labels))
    page.save("step.html")                  # or end a notebook's cell with `page`

A graph holds no values once backward has run, so stepper runs the computation and records it meanwhile. If that does
not fit, for example because the gradient comes from elsewhere, put the computation inside record():

    with tinyres.look.viz.record() as recording:
        y = block(x)
        y.backward(gradient)
    recording.save("block.html")

Ops that would be fused run one by one there, to show the values in between (see tinyres/nn/fused.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinyres.autograd import Tensor
from tinyres.look.viz.graph import STYLE, Graph
from tinyres.look.viz.recorder import Recorder
from tinyres.modes import observe
from tinyres.nn.fused import unfused

INLINE_HEIGHT = 760  # pixels of a notebook's cell


class Recording:
    """A recorded computation. `save` writes the page; a notebook shows it at the end of a cell."""

    def __init__(self, title: str = "A computation, op by op", names: Mapping[str, Tensor] | None = None):
        self.title = title
        self.recorder = Recorder({x.node: name for name, x in (names or {}).items()})

    def save(self, path: str | Path) -> None:
        """Write the page, one file that works offline."""
        Path(path).write_text(self.html(), encoding="utf-8")

    def graph(self) -> Graph:
        """Like tinyres.look.viz.graph, but after backward, and with the blocks."""
        return self.recorder.graph()

    def data(self) -> dict[str, Any]:
        """Everything that the page shows except the graph; viz/recorder.py explains the entries."""
        recorder = self.recorder
        return {name: getattr(recorder, name) for name in ("arrays", "boxes", "steps", "kinds")}

    def html(self) -> str:
        """The page. RuntimeError if nothing was recorded."""
        if not self.recorder.steps:
            raise RuntimeError("the recording is empty: no op ran inside `with tinyres.look.viz.record()`")
        graph = self.graph()
        blocks = graph.blocks()
        whole = graph.folded() if blocks else graph
        fold = '<button class="link fold only-narrow">fold or unfold the block</button>'
        all_of_it = f"<b>the whole</b>, blocks folded {fold}" if blocks else "<b>the whole</b>"
        pictures = [_figure("", all_of_it, whole)]
        pictures += [_figure(name, f"block <b>{escape(name)}</b> {fold}", graph.inside(name)) for name in blocks]
        parts = {
            "TITLE": escape(self.title),
            "GRAPH_STYLE": STYLE,
            "PAGE_STYLE": _part("stepper.css"),
            "SCRIPT": _part("stepper.js"),
            "GRAPHS": "\n".join(pictures),
            "DATA": json.dumps(self.data()).replace("<", "\\u003c"),  # no </script> inside a script
        }
        page = _part("stepper.html")
        for name, text in parts.items():
            page = page.replace(f"{{{{{name}}}}}", text)
        return page

    def _repr_html_(self) -> str:
        """The page in a frame, which keeps its style and keys apart from the notebook's."""
        return (
            f'<iframe title="{escape(self.title)}" srcdoc="{escape(self.html())}" '
            f'style="width: 100%; height: {INLINE_HEIGHT}px; border: 0"></iframe>'
        )


def _figure(block: str, caption: str, graph: Graph) -> str:
    """A picture of the graph; the page shows one of the whole graph and one of the current block.

    On a narrow screen only one fits, and a button switches between them.
    """
    return (
        f'<figure data-block="{escape(block)}"><figcaption>{caption}</figcaption>{graph.svg_without_style()}</figure>'
    )


def _part(name: str) -> str:
    return files("tinyres.look.viz").joinpath(name).read_text(encoding="utf-8")


@contextmanager
def record(title: str = "A computation, op by op", names: Mapping[str, Tensor] | None = None) -> Iterator[Recording]:
    """Inside the block, every op of this thread is recorded, forward and backward.

    names: of tensors that are no module's parameters, {"x": x, "w": w}; parameters have their own names.
    """
    recording = Recording(title, names)
    try:
        with unfused(), observe(recording.recorder):
            yield recording
    finally:
        recording.recorder.finish()


def stepper(
    step: Callable[[], Tensor], title: str = "A training step, op by op", names: Mapping[str, Tensor] | None = None
) -> Recording:
    """Run step(), which returns the loss, and its backward; record both. (Gradients add to `.grad`, as always.)"""
    if isinstance(step, Tensor):
        raise TypeError(
            "stepper: a loss that is already computed has no values left to show; "
            "expected a function that computes it: stepper(lambda: F.cross_entropy(model(images), labels))"
        )
    with record(title, names) as recording:
        step().backward()
    return recording
