"""Arrows point down only: who may import whom, read from the sources; and what `import tinyres` brings along."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tinyres
import tinyres_kernels

PACKAGES = [Path(package.__file__).parent for package in (tinyres, tinyres_kernels)]  # installed, or the checkout's

# From the top down. A module may import from its own line and from those below.
LAYERS = (
    ("tinyres.app.cli", "tinyres.__main__"),
    ("tinyres.app.bench", "tinyres.study"),
    ("tinyres.app.export", "tinyres.app.prediction"),
    ("tinyres.app.weights",),
    ("tinyres.app",),
    ("tinyres.scale", "tinyres.check"),
    ("tinyres.look",),
    # From here on down it is the core.
    ("tinyres.models", "tinyres.train"),
    ("tinyres",),  # the front door: what a user imports
    ("tinyres.nn", "tinyres.optim", "tinyres.data", "tinyres.creation"),
    ("tinyres.ops",),
    (
        "tinyres.autograd",
        "tinyres.device",
        "tinyres.modes",
        "tinyres.operators",
        "tinyres.random",
        "tinyres.threads",
    ),
    ("tinyres_kernels",),
)


def height(module):
    """The line of LAYERS that a module is on, counted from below: that of the longest name which covers it.

    `tinyres` there is the front door alone.
    """
    covering = [
        (len(name), line)
        for line, names in enumerate(reversed(LAYERS))
        for name in names
        if module == name or (module.startswith(f"{name}.") and name != "tinyres")
    ]
    assert covering, f"{module} has no place in LAYERS yet: add it where it belongs"
    return max(covering)[1]


def sources():
    """{module: its syntax tree}"""
    trees = {}
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            module = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
            trees[module] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


SOURCES = sources()


def what_runs(node):
    """The node and all below it, but for what is under `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from what_runs(child)


def imports(module):
    """Every module that it imports, wherever in the file. `from tinyres import device` imports tinyres.device.

    What `if TYPE_CHECKING` imports is left out: it is for editors and type checkers, and never runs.
    """
    for node in what_runs(SOURCES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; write the full name"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in SOURCES else node.module


def names_imported(node):
    """By this statement itself."""
    return [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []


def ours(name):
    return name.partition(".")[0] in ("tinyres", "tinyres_kernels")


@pytest.mark.parametrize("module", SOURCES)
def test_arrows_point_down(module):
    upwards = [name for name in imports(module) if ours(name) and height(name) > height(module)]
    assert upwards == []


def test_the_tree_was_read():
    assert {"tinyres.autograd", "tinyres.ops.conv2d", "tinyres_kernels.array.conv2d"} <= SOURCES.keys()
    assert {"numpy", "tinyres.device"} <= set(imports("tinyres.autograd"))


def test_two_files_of_tinyres_name_cupy():
    naming = {module for module in SOURCES if any(name.partition(".")[0] == "cupy" for name in imports(module))}
    assert {module for module in naming if module.startswith("tinyres.")} == {"tinyres.device", "tinyres.scale.gpus"}


def test_nothing_needs_torch():
    """One module reads torch's files where torch is installed, and imports torch inside its function only."""
    reader = "tinyres.app.weights.pth"
    naming = {module for module in SOURCES if any(name.partition(".")[0] == "torch" for name in imports(module))}
    assert naming == {reader}
    assert not any(name == "torch" for node in SOURCES[reader].body for name in names_imported(node))


def calls_of(attribute):
    """(module, call) of every call of something with this last name."""
    for module, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == attribute:
                yield module, node


def test_nothing_unpickles():
    """No module of ours imports pickle; np.load says allow_pickle=False, and torch.load weights_only=True."""
    pickles = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
    assert [module for module in SOURCES if any(name.partition(".")[0] in pickles for name in imports(module))] == []
    loads = [(module, call) for module, call in calls_of("load") if ast.unparse(call.func) in ("np.load", "torch.load")]
    assert {ast.unparse(call.func) for _, call in loads} == {"np.load", "torch.load"}
    safe = {"np.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}
    for module, call in loads:
        name, wanted = safe[ast.unparse(call.func)]
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get(name) == str(wanted), f"{module}: {ast.unparse(call)}"


HEAVY = ("numba", "matplotlib", "rich", "torch", "cupy", "safetensors", "onnx", "IPython", "mpi4py")


def run_python(code):
    code = f"import sys; sys.path[:0] = {[str(package.parent) for package in PACKAGES]}; {code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_tinyres_is_light():
    assert run_python(f"import tinyres; print([name for name in {HEAVY} if name in sys.modules])") == "[]\n"


def test_tinyres_works_without_its_accelerators():
    block = "sys.modules.update(numba=None, cupy=None); import tinyres; "
    step = "x = tinyres.Tensor([[[[3.0]]]], requires_grad=True); tinyres.nn.functional.conv2d(x, x).backward(); "
    assert run_python(block + step + "print(x.grad.item())") == "6.0\n"
