"""The tables of drawn calls are complete: no op is missing, and what is drawn reaches the op."""

import importlib
import pkgutil

import pytest
from hypothesis import given
from properties.every_op import OPS, calls

import tinyres
import tinyres.ops
from tinyres import Observer, Op


def op_classes():
    """(module, class) of every op"""
    found = []
    for info in pkgutil.iter_modules(tinyres.ops.__path__):
        module = importlib.import_module(f"tinyres.ops.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Op) and value.__module__ == module.__name__:
                found.append((info.name, value))
    return found


class Applied(Observer):
    def __init__(self):
        self.classes = set()

    def applied(self, op, y):
        self.classes.add(type(op))


def applied(call):
    seen = Applied()
    with tinyres.observe(seen):
        call(*call.tensors())
    return seen.classes


def test_no_op_is_missing():
    assert {module for module, _ in op_classes()} <= set(OPS)


@pytest.mark.parametrize(("op", "wanted"), op_classes(), ids=lambda value: value if isinstance(value, str) else "")
def test_calls_reach_their_op(op, wanted):
    seen = set()

    @given(calls(op))
    def note(call):
        seen.update(applied(call))

    note()
    assert wanted in seen
