"""A computation to step through: forward op by op to the loss, and backward op by op to the weights, on one page.

    page = tinyres.look.viz.stepper(lambda: F.cross_entropy(model(images), labels))
    page.save("step.html")                  # or just `page` at the end of a notebook's cell

A graph holds no values once backward has run, so the step is watched while it happens: stepper runs it. Where that
does not fit, such as with a gradient from elsewhere, the block that is to be watched stands inside record():

    with tinyres.look.viz.record() as recording:
        y = block(x)
        y.backward(gradient)
    recording.save("block.html")

Ops that would run as one are taken one by one there, for the values in between (see tinyres/nn/fused.py).
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
    """What was computed. `save` writes the page; at the end of a notebook's cell it is shown there."""

    def __init__(self, title: str = "A computation, op by op", names: Mapping[str, Tensor] | None = None):
        self.title = title
        self.recorder = Recorder({x.node: name for name, x in (names or {}).items()})

    def save(self, path: str | Path) -> None:
        """One file with everything in it: no server, no network."""
        Path(path).write_text(self.html(), encoding="utf-8")

    def graph(self) -> Graph:
        """As tinyres.look.viz.graph, after the fact, and with the blocks known."""
        return self.recorder.graph()

    def data(self) -> dict[str, Any]:
        """All that the page shows but the pictures of the graph; viz/recorder.py says what is what."""
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
        """In a frame of its own: neither the notebook's style nor its keys reach into the page, nor the other way."""
        return (
            f'<iframe title="{escape(self.title)}" srcdoc="{escape(self.html())}" '
            f'style="width: 100%; height: {INLINE_HEIGHT}px; border: 0"></iframe>'
        )


def _figure(block: str, caption: str, graph: Graph) -> str:
    """A picture of the graph; the page shows that of the whole, and that of the block where it is.

    Where there is room for one alone, a button changes from one to the other.
    """
    return (
        f'<figure data-block="{escape(block)}"><figcaption>{caption}</figcaption>{graph.svg_without_style()}</figure>'
    )


def _part(name: str) -> str:
    return files("tinyres.look.viz").joinpath(name).read_text(encoding="utf-8")


@contextmanager
def record(title: str = "A computation, op by op", names: Mapping[str, Tensor] | None = None) -> Iterator[Recording]:
    """Inside, every op of this thread is written down, forward and backward.

    names: of tensors that no module holds, {"x": x, "w": w}; a module's parameters are called what it calls them.
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
            "stepper: a loss that is there already has no values left to show; "
            "expected a function that computes it: stepper(lambda: F.cross_entropy(model(images), labels))"
        )
    with record(title, names) as recording:
        step().backward()
    return recording
