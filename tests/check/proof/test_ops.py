"""tinyres/check/proof/ops.py: no op is left out, and each is called in more ways than one."""

import importlib
import pkgutil
from collections import Counter

import pytest

import tinyres.ops
from tinyres.autograd import Op
from tinyres.check.proof.ops import input_names, op_cases
from tinyres.check.proof.prove import all_cases


def ops():
    """Every Op that a file of tinyres/ops defines."""
    names = (module.name for module in pkgutil.iter_modules(tinyres.ops.__path__, "tinyres.ops."))
    modules = [importlib.import_module(name) for name in names]
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {kind.__name__ for kind in classes if issubclass(kind, Op) and kind.__module__.startswith("tinyres.ops.")}


def test_the_ops_were_found():
    assert {"Add", "Conv2d", "BatchNormAddReLUEval"} <= ops()
    assert len(ops()) > 30


def test_no_op_is_missing():
    assert {case.subject for case in op_cases()} == ops()


def test_each_in_several_settings():
    counts = Counter(case.subject for case in op_cases())
    assert min(counts.values()) >= 2
    assert len({str(case) for case in all_cases()}) == len(all_cases())


@pytest.mark.parametrize("case", op_cases(), ids=str)
def test_the_inputs_have_the_names_of_forward(case):
    y = case.fn(*(tinyres.Tensor(a, requires_grad=True) for a in case.inputs.values()))
    assert y.op.name == case.subject
    assert list(case.inputs) == input_names(y.op, len(y.op.inputs))
    assert set(case.linear) <= set(case.inputs)


def test_the_nets_are_the_ones_of_the_paper():
    nets = {(case.subject, *case.setting.split(", ")) for case in all_cases() if case not in op_cases()}
    for mode in ("training", "eval"):
        for block in ("BasicBlock", "Bottleneck"):
            assert {(block, f"shortcut {option}", mode) for option in "ABC"} <= nets
        assert ("ResNet", "three blocks", mode) in nets
