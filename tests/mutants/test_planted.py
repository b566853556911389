"""Every mutant written by hand is killed."""

import pytest

from mutants.mutant import Compiled
from mutants.planted_compiled import COMPILED
from mutants.planted_engine import ENGINE, OPTIM
from mutants.planted_kernels import KERNELS
from mutants.planted_ops import OPS
from mutants.planted_training import DATA, TRAIN

pytestmark = pytest.mark.mutants
BY_HAND = (*OPS, *KERNELS, *ENGINE, *OPTIM, *DATA, *TRAIN)


def parameter(mutant):
    is_slow = isinstance(mutant, Compiled) and mutant.slow
    return pytest.param(mutant, id=mutant.name, marks=[pytest.mark.slow] if is_slow else [])


@pytest.mark.parametrize("mutant", [parameter(mutant) for mutant in (*BY_HAND, *COMPILED)])
def test_is_killed(mutant, outcome):
    assert outcome.imports, f"{mutant.module} with this bug does not even import: no check has seen it"
    assert outcome.killed, "it survives: write the test that fails on it"


def test_each_finds_its_place():
    """All that code which was moved, renamed or rewritten has left behind, in one list."""
    lost = {}
    for mutant in (*BY_HAND, *COMPILED):
        try:
            mutant.source()
        except LookupError as error:
            lost[mutant.name] = str(error)
    assert not lost, "\n".join(f"{name}: {error}" for name, error in lost.items())


def test_there_are_enough():
    assert len(BY_HAND) >= 60
    assert len({mutant.name for mutant in (*BY_HAND, *COMPILED)}) == len(BY_HAND) + len(COMPILED)
