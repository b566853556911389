"""The order in which to read the core: `python -m docs.make_reading` writes reading.md, and the figures in the READMEs.

The core is what the README's training loop runs: every file of which it calls a function, with kernels on NumPy.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from docs.markdown import table

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("reading.md")

# Chapters, each with its files in the order to read them.
CHAPTERS = {
    "The loop": "train",
    "The engine": "autograd",
    "Ops: a formula, its forward and its hand-written backward": """ops/linear ops/cross_entropy ops/mean ops/reshape
        ops/conv2d ops/batch_norm_relu ops/batch_norm_add_relu ops/avg_pool2d ops/pad ops/slice ops/checks""",
    "Layers": """nn/module nn/linear nn/conv nn/batchnorm nn/container nn/functional nn/fused nn/init""",
    "The network": "models/resnet",
    "Optimisers": "optim/optimizer optim/sgd",
    "Images in batches": "data/shapes data/dataset data/augment data/loader random",
    "What computes": """device array/add array/linear array/cross_entropy windows array/conv2d array/batch_norm
        array/batch_norm_relu array/batch_norm_add_relu array/pooling array/avg_pool2d array/spread""",
}
HEAD = """\
# The core, in the order to read it

The training loop in the [README](../README.md) runs code of {files} files with {lines:,} lines when NumPy does the
arithmetic. This page lists all of them, in an order in which most files need only the files before them. The sentences
are from the files themselves. `python -m docs.make_reading` runs the loop and writes this page.

The other ops have pages like these. Continue with `tinyres/ops/batch_norm.py` and `tinyres/ops/relu.py`, which the loop
runs only in their fused forms. There are five wings around the core: `tinyres/check` proves gradients, `tinyres/look`
shows what happens inside a network, `tinyres/scale` trains with several processes and on GPUs, `tinyres/app` is the
command line with its runs, and `tinyres/study` has the experiments and the exercises.
"""
TRACER = """
import json, os, sys, threading
imports, loop = sys.stdin.read().split("\\n\\n", 1)
names = {}
exec(imports, names)
shapes = names["data"].shapes
names["data"].shapes = lambda: shapes(train=256, test=10)  # fewer images, by the same functions
files = set()

def note(frame, event, argument):
    if frame.f_code.co_flags & 1:  # a function; not the body of a module or a class
        files.add(os.path.realpath(frame.f_code.co_filename))

sys.setprofile(note)
threading.setprofile(note)
exec(loop, names)
sys.setprofile(None)
print(json.dumps(sorted(files)))
"""


def loop() -> str:
    """The README's training loop."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [block for block in re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S) if "train_step" in block]
    return block


def executed() -> set[Path]:
    """The files in tinyres and kernels whose functions the loop calls, relative to the root."""
    paths = [str(ROOT), str(ROOT / "kernels")]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TINYRES_KERNELS": "array"}
    command = [sys.executable, "-c", TRACER]
    printed = subprocess.run(command, input=loop(), env=settings, stdout=subprocess.PIPE, text=True, check=True).stdout
    files = [Path(file) for file in json.loads(printed.splitlines()[-1])]
    return {
        file.relative_to(ROOT) for file in files if any(ROOT / name in file.parents for name in ("tinyres", "kernels"))
    }


def path_of(name: str) -> Path:
    """The file of a name in CHAPTERS."""
    of_kernels = name.startswith("array/") or name == "windows"
    return Path("kernels/tinyres_kernels" if of_kernels else "tinyres", f"{name}.py")


def lines(file: Path) -> int:
    return len((ROOT / file).read_text(encoding="utf-8").splitlines())


def sentence(file: Path) -> str:
    """The first sentence of the file's docstring, or its first line if that is a formula."""
    docstring = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def listed() -> list[Path]:
    """All files of CHAPTERS."""
    return [path_of(name) for names in CHAPTERS.values() for name in names.split()]


def page() -> str:
    text = [HEAD.format(files=len(listed()), lines=sum(map(lines, listed())))]
    for title, names in CHAPTERS.items():
        chapter = map(path_of, names.split())
        rows = [(f"[{file}](../{file})", lines(file), sentence(file)) for file in chapter]
        text.append(f"## {title}\n\n{table(('file', 'lines', 'what it is'), rows, right=(1,))}\n")
    return "\n".join(text)


def sized(readme: str) -> str:
    """The text of a README, English or Chinese, with the core's number of files and of lines."""
    size = rf"\g<1>{len(listed())}\g<2>{sum(map(lines, listed())):,}"
    return re.sub(r"^(The core is |核心部分共 )\d+( files with | 个文件、)[\d,]+", size, readme, flags=re.M)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    for name in ("README.md", "README.zh.md"):
        path = ROOT / name
        path.write_text(sized(path.read_text(encoding="utf-8")), encoding="utf-8")
